/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec: the process is the one of --process, or the container's own; options then change it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/num.h"
#include "runtime/base/str.h"
#include "runtime/cli/launch.h"
#include "runtime/cli/report.h"
#include "runtime/spec/oci.h"

struct exec_opts {
    const char *console_socket;
    const char *pidfd_socket;
    const char *pid_file;
    const char *process;
    const char *cwd;
    const char *user;
    const char *label;
    const char *apparmor;
    struct opt_list env;
    struct opt_list gids;
    struct opt_list caps;
    struct opt_list cgroups;
    struct opt_flag tty;
    struct opt_flag detach;
    struct opt_flag no_new_privs;
    struct opt_flag ignore_paused;
    struct opt_number preserve_fds;
};

static const struct opt rows[] = {
    OPT_VALUE(exec_opts, console_socket, OPT_KIND_PATH, "console-socket", 0, "SOCKET",
              "send the master of the terminal there"),
    OPT_VALUE(exec_opts, pidfd_socket, OPT_KIND_PATH, "pidfd-socket", 0, "SOCKET",
              "send a pidfd of the process there"),
    OPT_VALUE(exec_opts, pid_file, OPT_KIND_PATH, "pid-file", 0, "FILE",
              "write the process id there"),
    OPT_VALUE(exec_opts, process, OPT_KIND_PATH, "process", 'p', "FILE",
              "a process object as in config.json"),
    OPT_VALUE(exec_opts, cwd, OPT_KIND_TEXT, "cwd", 0, "DIR", "working directory"),
    OPT_VALUE(exec_opts, env, OPT_KIND_LIST, "env", 'e', "NAME=VALUE", "set in the environment"),
    OPT_FLAG(exec_opts, tty, "tty", 't', "give it a terminal"),
    OPT_VALUE(exec_opts, user, OPT_KIND_TEXT, "user", 'u', "UID[:GID]", "run as"),
    OPT_VALUE(exec_opts, gids, OPT_KIND_LIST, "additional-gids", 'g', "GID", "one more group id"),
    OPT_VALUE(exec_opts, caps, OPT_KIND_LIST, "cap", 'c', "CAP_NAME", "one more capability"),
    OPT_FLAG(exec_opts, no_new_privs, "no-new-privs", 0, "set no_new_privs"),
    OPT_FLAG(exec_opts, detach, "detach", 'd', "do not wait for the process"),
    OPT_NUMBER(exec_opts, preserve_fds, "preserve-fds", 0, "N", 0, LAUNCH_FDS_MAX,
               "pass N descriptors from number 3 on"),
    OPT_VALUE(exec_opts, label, OPT_KIND_TEXT, "process-label", 0, "LABEL", "SELinux label"),
    OPT_VALUE(exec_opts, apparmor, OPT_KIND_TEXT, "apparmor", 0, "PROFILE", "AppArmor profile"),
    OPT_VALUE(exec_opts, cgroups, OPT_KIND_LIST, "cgroup", 0, "[CONTROLLERS:]PATH",
              "an existing sub-cgroup of the container's"),
    OPT_FLAG(exec_opts, ignore_paused, "ignore-paused", 0, "also in a paused container"),
};

/* --- one function an option ------------------------------------------------------------------- */

static int add_strings(struct cmd *c, struct oci_strings *to, const struct opt_list *from,
                       struct err *err)
{
    const char **grown;

    if (from->n == 0)
        return 0;
    grown = arena_array(c->arena, to->n + from->n + 1, sizeof *grown);
    if (grown == NULL)
        return err_set(err, 0, "too many arguments");
    if (to->n > 0)
        memcpy(grown, to->v, to->n * sizeof *grown);
    memcpy(grown + to->n, from->v, from->n * sizeof *grown);
    *to = (struct oci_strings){grown, to->n + from->n};
    return 0;
}

static int set_args(struct cmd *c, const struct exec_opts *o, struct oci_process *p,
                    struct err *err)
{
    struct opt_list args = {c->args + 1, c->args_n - 1};

    if (args.n == 0 && o->process == NULL)
        return err_set(err, 0, "the command is missing (or --process)");
    if (args.n == 0)
        return 0;
    p->args = (struct oci_strings){NULL, 0};
    return add_strings(c, &p->args, &args, err);
}

static bool is_set_in(const struct opt_list *l, const char *entry)
{
    size_t n = strcspn(entry, "=") + 1;

    for (size_t i = 0; i < l->n; i++)
        if (strncmp(l->v[i], entry, n) == 0)
            return true;
    return false;
}

/* What is set here replaces what the container has of that name. */
static int replace_env(struct cmd *c, struct oci_strings *to, const struct opt_list *from,
                       struct err *err)
{
    struct oci_strings kept = {arena_array(c->arena, to->n + 1, sizeof *kept.v), 0};

    if (kept.v == NULL)
        return err_set(err, 0, "too many variables");
    for (size_t i = 0; i < to->n; i++)
        if (!is_set_in(from, to->v[i]))
            kept.v[kept.n++] = to->v[i];
    *to = kept;
    return add_strings(c, to, from, err);
}

static int set_env(struct cmd *c, const struct exec_opts *o, struct oci_process *p, struct err *err)
{
    for (size_t i = 0; i < o->env.n; i++)
        if (str_find(str_of(o->env.v[i]), '=') <= 0)
            return err_set(err, 0, "option '--env': expected NAME=VALUE, found '%.64s'",
                           o->env.v[i]);
    return replace_env(c, &p->env, &o->env, err);
}

static int set_cwd(struct cmd *c, const struct exec_opts *o, struct oci_process *p, struct err *err)
{
    (void)c;
    if (o->cwd == NULL || *o->cwd == '\0')
        return 0;
    if (o->cwd[0] != '/')
        return err_set(err, 0, "option '--cwd': expected an absolute path, found '%.128s'", o->cwd);
    p->cwd = o->cwd;
    return 0;
}

#define ID_MAX (UINT32_MAX - 1) /* 2^32 - 1 means "unchanged" to the kernel */

static int set_user(struct cmd *c, const struct exec_opts *o, struct oci_process *p,
                    struct err *err)
{
    struct str uid, gid;
    bool has_gid;

    (void)c;
    if (o->user == NULL)
        return 0;
    uid = str_of(o->user);
    has_gid = str_cut(uid, ':', &uid, &gid);
    if (num_parse_u32(uid, 0, ID_MAX, &p->user.uid, err) < 0 ||
        (has_gid && num_parse_u32(gid, 0, ID_MAX, &p->user.gid, err) < 0))
        return err_wrap(err, "option '--user'");
    return 0;
}

static int set_gids(struct cmd *c, const struct exec_opts *o, struct oci_process *p,
                    struct err *err)
{
    size_t n = p->user.gids_n;
    uint32_t *grown;

    if (o->gids.n == 0)
        return 0;
    if (n + o->gids.n > OCI_GROUPS_MAX)
        return err_set(err, 0, "option '--additional-gids' is given too often");
    grown = arena_array(c->arena, n + o->gids.n, sizeof *grown);
    if (grown == NULL)
        return err_set(err, 0, "too many groups");
    if (n > 0)
        memcpy(grown, p->user.gids, n * sizeof *grown);
    for (size_t i = 0; i < o->gids.n; i++)
        if (num_parse_u32(str_of(o->gids.v[i]), 0, ID_MAX, &grown[n + i], err) < 0)
            return err_wrap(err, "option '--additional-gids'");
    p->user.gids = grown;
    p->user.gids_n = n + o->gids.n;
    return 0;
}

/* Ambient only where the container has inheritable ones, as runc does it: an ambient capability
 * without its inheritable counterpart cannot be set. */
static int set_caps(struct cmd *c, const struct exec_opts *o, struct oci_process *p,
                    struct err *err)
{
    (void)c;
    for (size_t i = 0; i < o->caps.n; i++) {
        int cap = oci_cap_parse(str_of(o->caps.v[i]));
        uint64_t bit;

        if (cap < 0)
            return err_set(err, 0, "option '--cap': there is no capability '%.64s'", o->caps.v[i]);
        bit = 1ULL << cap;
        p->caps.set = true;
        p->caps.mask[OCI_CAP_BOUNDING] |= bit;
        p->caps.mask[OCI_CAP_EFFECTIVE] |= bit;
        p->caps.mask[OCI_CAP_PERMITTED] |= bit;
        if ((p->caps.mask[OCI_CAP_INHERITABLE] & bit) != 0)
            p->caps.mask[OCI_CAP_AMBIENT] |= bit;
    }
    return 0;
}

static int set_rest(struct cmd *c, const struct exec_opts *o, struct oci_process *p,
                    struct err *err)
{
    (void)c;
    p->terminal = o->tty.on || (p->terminal && o->process != NULL);
    if (o->no_new_privs.given)
        p->no_new_privs = o->no_new_privs.on;
    if (o->label != NULL)
        p->selinux_label = o->label;
    if (o->apparmor != NULL)
        p->apparmor_profile = o->apparmor;
    return oci_check_process(p, err);
}

static int (*const changes[])(struct cmd *, const struct exec_opts *, struct oci_process *,
                              struct err *) = {
    set_args, set_env, set_cwd, set_user, set_gids, set_caps, set_rest,
};

/* --- the verb --------------------------------------------------------------------------------- */

static int base_process(const struct container_view *view, struct oci_process *p, struct err *err)
{
    const struct oci_process *base = container_view_process(view);

    if (base == NULL)
        return err_set(err, 0, "the container's configuration has no process");
    *p = *base;
    return 0;
}

static int load_process(struct cmd *c, const struct exec_opts *o, const struct container_view *view,
                        struct oci_process *p, struct err *err)
{
    int rc = 0;

    if (o->process == NULL)
        rc = base_process(view, p, err);
    else if (oci_load_process_file(c->arena, AT_FDCWD, o->process, p, err) < 0)
        return err_wrap(err, "option '--process', '%.256s'", o->process);
    for (size_t i = 0; rc == 0 && i < ARRAY_N(changes); i++)
        rc = changes[i](c, o, p, err);
    return rc;
}

static int look(struct cmd *c, const struct exec_opts *o, struct container_view **view,
                struct err *err)
{
    enum container_status now = CONTAINER_STOPPED;

    if (container_look(&c->env, c->args[0], c->arena, view, err) < 0)
        return -1;
    now = container_view_state(*view)->status;
    if (now == CONTAINER_STOPPED)
        return err_set(err, 0, "cannot exec in a stopped container");
    if (now == CONTAINER_CREATING)
        return err_set(err, 0, "the container is %s, not running", container_status_names[now]);
    if (now == CONTAINER_PAUSED && !o->ignore_paused.on)
        return err_set(
            err, 0, "cannot exec in a paused container (--ignore-paused waits until it goes on)");
    return 0;
}

static void log_process(struct cmd *c, const struct oci_process *p)
{
    char text[ERR_TEXT_MAX];

    (void)snprintf(text, sizeof text, "process: execute %s in %s as %u:%u", p->args.v[0], p->cwd,
                   p->user.uid, p->user.gid); /* cut if too long */
    report_line(c->report, REPORT_DEBUG, text);
}

static int run(struct cmd *c, struct err *err)
{
    const struct exec_opts *o = c->opts;
    enum launch_how how = o->detach.on ? LAUNCH_DETACHED : LAUNCH_FOREGROUND;
    struct container_exec e = {.id = c->args[0], .io = CONTAINER_IO_INIT};
    struct container_view *view = NULL;
    struct container_child child;
    struct oci_process p;

    if (container_id_check(e.id, err) < 0 || look(c, o, &view, err) < 0 ||
        load_process(c, o, view, &p, err) < 0 ||
        launch_check_console(&p, o->console_socket, how, err) < 0)
        return -1;
    log_process(c, &p);
    e.view = view;
    e.process = &p;
    e.cgroups = o->cgroups.v;
    e.cgroups_n = o->cgroups.n;
    e.flags = o->ignore_paused.on ? CONTAINER_IGNORE_PAUSED : 0;
    e.io.console_socket = o->console_socket;
    e.io.pidfd_socket = o->pidfd_socket;
    e.io.pid_file = o->pid_file;
    e.io.preserve_fds = (unsigned)o->preserve_fds.v;
    if (launch_pass_listen_fds(c, &p, &e.io, &e.flags, err) < 0)
        return -1;
    if (how == LAUNCH_FOREGROUND)
        container_hold_signals();
    if (container_exec(&c->env, &e, &child, err) < 0)
        return -1;
    if (how == LAUNCH_FOREGROUND)
        return launch_attend(&child, &c->code, err);
    launch_let_go(&child);
    return 0;
}

const struct verb cmd_exec = {
    .name = "exec",
    .usage = "[OPTIONS] CONTAINER-ID COMMAND [ARGUMENT...]",
    .help = "execute one more process in a running container",
    .more = "The exit status is that of the process, or 255 if it could not be started.",
    .opts = OPT_TABLE(rows, OPT_BEFORE_ARGS),
    .opts_size = sizeof(struct exec_opts),
    .args_min = 1,
    .args_max = CMD_ARGS_ANY,
    .doing = "exec in container",
    .makes_process = true,
    .fail_code = 255,
    .run = run,
};
