/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mailbox-run - global options, the table of verbs, exit codes
 *
 * Exit status: 0; that of the process for `run` and `exec` in the foreground; 1 for an error (255
 * for an error of exec, so that it can be told from most statuses of the process).
 */
#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/own.h"
#include "runtime/cli/cmd.h"
#include "runtime/kernel/idmap.h"
#include "runtime/spec/oci.h"

/* --- global options --------------------------------------------------------------------------- */

struct globals {
    const char *root;
    const char *log;
    const char *log_format;
    const char *cgroup_manager;
    const char *rootless;
    const char *criu;
    struct opt_flag systemd_cgroup;
    const char *log_level;
    struct opt_flag debug;
    struct opt_flag version;
};

static const char *const log_formats[] = {"text", "json", NULL};
static const char *const log_levels[] = {"error", "warning", "debug", NULL};
static const char *const cgroup_managers[] = {"cgroupfs", "systemd", "disabled", NULL};
static const char *const rootless_modes[] = {"auto", "true", "false", NULL};

static const struct opt global_rows[] = {
    OPT_VALUE(globals, root, OPT_KIND_PATH, "root", 0, "DIR",
              "where the state of containers is kept (/run/mailbox-run, or below\n"
              "                                $XDG_RUNTIME_DIR for an ordinary user)"),
    OPT_VALUE(globals, log, OPT_KIND_PATH, "log", 0, "FILE", "write the log there"),
    OPT_CHOICE(globals, log_format, "log-format", 0, "FORMAT", log_formats,
               "text (default) or json"),
    OPT_CHOICE(globals, cgroup_manager, "cgroup-manager", 0, "HOW", cgroup_managers,
               "cgroupfs (default), systemd or disabled"),
    OPT_CHOICE(globals, log_level, "log-level", 0, "LEVEL", log_levels,
               "error, warning (default) or debug, which is the same as --debug"),
    OPT_FLAG(globals, debug, "debug", 0, "log what is done"),
    OPT_FLAG(globals, version, "version", 'v', "print the version"),
    OPT_CHOICE(globals, rootless, "rootless", 0, "MODE", rootless_modes,
               "whether a container without limits may go without a cgroup: true, false or\n"
               "                                auto (default): that of an ordinary user may"),
    OPT_FLAG(globals, systemd_cgroup, "systemd-cgroup", 's',
             "the same as --cgroup-manager systemd"),
    OPT_VALUE(globals, criu, OPT_KIND_TEXT, "criu", 0, "PATH",
              "the criu that checkpoint and restore call"),
};

static const struct opt_table global_table = OPT_TABLE(global_rows, OPT_BEFORE_ARGS);

/* --- the verbs -------------------------------------------------------------------------------- */

static const struct verb *const verbs[] = {
    &cmd_create, &cmd_start,  &cmd_run,        &cmd_exec,    &cmd_state,  &cmd_kill,
    &cmd_delete, &cmd_list,   &cmd_ps,         &cmd_pause,   &cmd_resume, &cmd_update,
    &cmd_events, &cmd_mounts, &cmd_checkpoint, &cmd_restore, &cmd_spec,   &cmd_features,
};

/* Those that mailbox-run-stack carries out; it has the same texts. */
static const struct {
    const char *name;
    const char *help;
} stack_verbs[] = {
    {"up", "start a mail stack and keep it up"},
    {"down", "stop a stack and leave nothing behind"},
    {"status", "what runs, and how it fares"},
    {"logs", "what the services say"},
    {"restart", "restart a service, or all"},
    {"reload", "carry out what has changed in the file, and nothing else"},
    {"validate", "check a mailstack.json and its accounts"},
    {"bundle", "print the config.json of a service, or write its OCI bundle"},
    {"user", "add, change, remove and list accounts"},
    {"queue", "list, show, send at once and remove outbound mail"},
    {"image", "list, show, import, export, unpack and remove images"},
};

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < ARRAY_N(verbs); i++)
        if (strcmp(verbs[i]->name, name) == 0)
            return verbs[i];
    return NULL;
}

static bool is_stack_verb(const char *name)
{
    for (size_t i = 0; i < ARRAY_N(stack_verbs); i++)
        if (strcmp(stack_verbs[i].name, name) == 0)
            return true;
    return false;
}

/* --- help ------------------------------------------------------------------------------------- */

#define HELP_MAX 16384

static void help_all(struct buf *out)
{
    buf_append_c(out, "usage: mailbox-run [OPTIONS] COMMAND ...\n\nContainers (OCI):\n");
    for (size_t i = 0; i < ARRAY_N(verbs); i++)
        buf_printf(out, "  %-10s %s\n", verbs[i]->name, verbs[i]->help);
    buf_append_c(out, "\nThe mail stack:\n");
    for (size_t i = 0; i < ARRAY_N(stack_verbs); i++)
        buf_printf(out, "  %-10s %s\n", stack_verbs[i].name, stack_verbs[i].help);
    buf_append_c(out, "\nOptions:\n");
    opt_help(&global_table, out);
    buf_append_c(out, "\n'mailbox-run COMMAND --help' tells about a command.\n");
}

static void help_verb(const struct verb *v, struct buf *out)
{
    buf_printf(out, "usage: mailbox-run %s%s%s\n\n%s\n", v->name, *v->usage ? " " : "", v->usage,
               v->help);
    if (v->more != NULL)
        buf_printf(out, "\n%s\n", v->more);
    if (v->opts.n > 0)
        buf_append_c(out, "\nOptions:\n");
    opt_help(&v->opts, out);
}

static int print_help(const struct verb *v, struct err *err)
{
    own_buf struct buf out = BUF_INIT(HELP_MAX);

    if (v == NULL)
        help_all(&out);
    else
        help_verb(v, &out);
    return cmd_print(&out, err);
}

static int print_version(struct err *err)
{
    own_buf struct buf out = BUF_INIT(256);

    buf_append_c(&out, "mailbox-run version " MR_VERSION "\nspec: " OCI_VERSION "\n");
    return cmd_print(&out, err);
}

/* --- one call --------------------------------------------------------------------------------- */

/* The user 0 of a user namespace that an ordinary user made, podman for example, is no more than
 * that user; only who calls itself root there is believed to have a /run of its own. */
static bool is_ordinary(void)
{
    const char *name = NULL;

    if (geteuid() != 0)
        return true;
    name = secure_getenv("USER");
    return (name == NULL || strcmp(name, "root") != 0) && idmap_is_inside();
}

/* An ordinary user's state is beneath the directory that the session made for such things, or where
 * a session would have made it. */
static void default_root(struct arena *a, struct container_env *env)
{
    const char *session = secure_getenv("XDG_RUNTIME_DIR");
    bool set = session != NULL && session[0] == '/';

    env->root = "/run/mailbox-run";
    if ((geteuid() == 0 && !set) || !is_ordinary())
        return;
    env->session = set ? session : arena_printf(a, "/run/user/%u", geteuid());
    env->root = arena_printf(a, "%s/mailbox-run", env->session);
}

static int check_count(const struct verb *v, size_t n, struct err *err)
{
    if (n < v->args_min || n > v->args_max)
        return err_set(err, 0, "usage: mailbox-run %s %s", v->name, v->usage);
    return 0;
}

static void warn(void *ctx, const char *text)
{
    report_line(ctx, REPORT_WARN, text);
}

static enum container_rootless rootless_of(const char *mode)
{
    return mode == NULL || strcmp(mode, "auto") == 0 ? CONTAINER_ROOTLESS_AUTO
           : strcmp(mode, "true") == 0               ? CONTAINER_ROOTLESS_YES
                                                     : CONTAINER_ROOTLESS_NO;
}

static int set_up(struct cmd *c, const struct globals *g, struct err *err)
{
    c->criu = g->criu;
    c->env.rootless = rootless_of(g->rootless);
    c->env.warn = warn;
    c->env.warn_ctx = c->report;
    if (g->root != NULL)
        c->env.root = g->root;
    else
        default_root(c->arena, &c->env);
    c->env.filters = c->env.root;
    if (g->cgroup_manager != NULL && strcmp(g->cgroup_manager, "disabled") == 0)
        c->env.cgroups = CONTAINER_CGROUPS_DISABLED;
    if (g->systemd_cgroup.on ||
        (g->cgroup_manager != NULL && strcmp(g->cgroup_manager, "systemd") == 0))
        c->env.cgroups = CONTAINER_SYSTEMD;
    if (c->env.root == NULL || strcmp(c->env.root, "/") == 0)
        return err_set(err, 0, "option '--root': '/' is no place for state");
    return 0;
}

/* As soon as it is known how to report, also where the rest of the options is wrong: an engine
 * reads what went wrong in the log that it named. */
static int set_up_report(struct cmd *c, const struct globals *g, struct err *err)
{
    const char *level = g->log_level != NULL ? g->log_level : "warning";

    c->report->debug = g->debug.on || strcmp(level, "debug") == 0;
    c->report->errors_only = !g->debug.on && strcmp(level, "error") == 0;
    c->report->json = g->log_format != NULL && strcmp(g->log_format, "json") == 0;
    return report_open(c->report, g->log, err);
}

static int run_verb(struct cmd *c, const struct verb *v, struct opt_args *rest, struct err *err)
{
    struct opt_args args = {0};
    const char *first;
    void *opts = arena_alloc(c->arena, v->opts_size);

    assert(opts != NULL); /* the first of many */
    c->opts = opts;
    if (opt_parse(c->arena, &v->opts, (struct opt_words){rest->v + 1, rest->n - 1}, opts, &args,
                  err) < 0)
        return err_wrap(err, "%s", v->name);
    if (args.help)
        return print_help(v, err);
    if (check_count(v, args.n, err) < 0)
        return -1;
    first = args.v[0]; /* the verb may change args */
    c->args = args.v;
    c->args_n = args.n;
    if (v->makes_process && container_protect_self(c->argv, err) < 0)
        return -1;
    if (v->run(c, err) == 0)
        return 0;
    return v->doing == NULL ? -1 : err_wrap(err, "%s '%.128s'", v->doing, first);
}

static int dispatch(struct cmd *c, struct opt_args *rest, int *fail_code, struct err *err)
{
    const struct verb *v = find_verb(rest->v[0]);

    if (v != NULL) {
        *fail_code = v->fail_code != 0 ? v->fail_code : 1;
        return run_verb(c, v, rest, err);
    }
    if (is_stack_verb(rest->v[0]))
        return cmd_call_helper(c->argv, err);
    if (strcmp(rest->v[0], "help") == 0)
        return print_help(rest->n > 1 ? find_verb(rest->v[1]) : NULL, err);
    return err_set(err, 0, "there is no command '%.64s'; 'mailbox-run --help' lists all",
                   rest->v[0]);
}

static int run_all(struct cmd *c, struct opt_words words, int *fail_code, struct err *err)
{
    struct globals g = {0};
    struct opt_args rest = {0};
    struct err of_log;
    int parsed = opt_parse(c->arena, &global_table, words, &g, &rest, err);

    if (set_up_report(c, &g, &of_log) < 0 && parsed == 0) {
        *err = of_log;
        return -1;
    }
    if (parsed < 0 || set_up(c, &g, err) < 0)
        return -1;
    if (g.version.on)
        return print_version(err);
    if (rest.help || rest.n == 0)
        return print_help(NULL, err);
    return dispatch(c, &rest, fail_code, err);
}

#define ARENA_MAX (2UL * OCI_ARENA_MAX) /* a configuration, and what the verb makes of it */

int main(int argc, char **argv)
{
    struct report report = {.log_fd = -1};
    struct cmd c = {.arena = arena_new(ARENA_MAX), .report = &report, .argv = argv};
    struct opt_words words = {(const char *const *)argv + 1, argc > 0 ? (size_t)argc - 1 : 0};
    int fail_code = 1;
    struct err err;

    /* Our caller may have it ignored: then our processes were gone, and their ids anybody's, before
     * we have waited for them. */
    (void)signal(SIGCHLD, SIG_DFL);
    if (run_all(&c, words, &fail_code, &err) < 0) {
        report_line(&report, REPORT_ERROR, err.text);
        c.code = fail_code;
    }
    report_close(&report);
    return c.code; /* the arena goes with the process: to free it would only touch its pages */
}
