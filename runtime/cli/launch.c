/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cli/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/child.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"
#include "runtime/spec/oci.h"

int launch_check_console(const struct oci_process *p, const char *console_socket,
                         enum launch_how how, struct err *err)
{
    if (p->terminal && how == LAUNCH_DETACHED && console_socket == NULL)
        return err_set(err, 0,
                       "the process wants a terminal and nobody stays to serve it: "
                       "--console-socket is needed");
    if (console_socket != NULL && !p->terminal)
        return err_set(err, 0, "--console-socket: the process has no terminal");
    if (console_socket != NULL && how == LAUNCH_FOREGROUND)
        return err_set(err, 0, "--console-socket goes with --detach only");
    return 0;
}

const char *launch_notify_host(void)
{
    const char *host = secure_getenv("NOTIFY_SOCKET");

    return host != NULL && *host != '\0' ? host : NULL;
}

static int add_env(struct cmd *c, struct oci_process *p, const char *name, const char *value,
                   struct err *err)
{
    const char **grown = arena_array(c->arena, p->env.n + 2, sizeof *grown);
    const char *entry = arena_printf(c->arena, "%s=%s", name, value);

    if (grown == NULL || entry == NULL)
        return err_set(err, 0, "the environment is too large");
    if (p->env.n > 0)
        memcpy(grown, p->env.v, p->env.n * sizeof *grown);
    grown[p->env.n] = entry;
    p->env = (struct oci_strings){grown, p->env.n + 1};
    return 0;
}

/* LISTEN_PID, where it is set, says whether the descriptors are meant for us and not for a parent
 * of ours. */
static bool is_for_us(void)
{
    const char *pid = secure_getenv("LISTEN_PID");
    struct err ignored; /* anything else is not our pid */
    uint32_t v;

    if (pid == NULL)
        return true;
    return num_parse_u32(str_of(pid), 1, INT32_MAX, &v, &ignored) == 0 && (pid_t)v == getpid();
}

int launch_pass_listen_fds(struct cmd *c, struct oci_process *p, struct container_io *io,
                           unsigned *flags, struct err *err)
{
    const char *count = secure_getenv("LISTEN_FDS"), *names = secure_getenv("LISTEN_FDNAMES");
    uint32_t n;

    if (count == NULL || !is_for_us())
        return 0;
    if (num_parse_u32(str_of(count), 0, LAUNCH_FDS_MAX, &n, err) < 0)
        return err_wrap(err, "$LISTEN_FDS");
    if (add_env(c, p, "LISTEN_FDS", count, err) < 0)
        return -1;
    if (names != NULL && add_env(c, p, "LISTEN_FDNAMES", names, err) < 0)
        return -1;
    io->preserve_fds += n;
    *flags |= CONTAINER_LISTEN_PID;
    return 0;
}

static int load_config(struct cmd *c, const char *bundle, const char *name,
                       struct container_loaded *out, struct str *text, struct err *err)
{
    own_fd int dir = open(bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
    own_buf struct buf raw = BUF_INIT(OCI_TEXT_MAX);

    if (dir < 0)
        return err_set(err, errno, "open the bundle '%s'", bundle);
    if (oci_read_file(dir, name, &raw, err) < 0)
        return err_wrap(err, "the bundle '%.256s'", bundle);
    *text = arena_str(c->arena, buf_str(&raw));
    if (container_load(&c->env, c->arena, *text, name, out, err) < 0)
        return -1;
    for (size_t i = 0; i < out->config->warnings.n; i++)
        report_line(c->report, REPORT_WARN, out->config->warnings.v[i]);
    if (oci_check(out->config, err) < 0)
        return err_wrap(err, "%s", name);
    return 0;
}

static const char *bundle_of(struct cmd *c, const struct launch_opts *o)
{
    own_free char *cwd = NULL;

    if (o->bundle != NULL)
        return o->bundle;
    cwd = get_current_dir_name();
    return cwd == NULL ? NULL : arena_copy(c->arena, str_of(cwd));
}

/* Beneath a service manager that waits for READY=1, the container gets a way to say it. */
static int add_notify(struct cmd *c, struct oci_config *config, struct container_create *out,
                      struct err *err)
{
    const char *host = launch_notify_host();
    struct oci_mount *grown = NULL;

    if (host == NULL)
        return 0;
    grown = arena_array(c->arena, config->mounts_n + 1, sizeof *grown);
    if (grown == NULL)
        return err_set(err, 0, "the configuration is too large");
    if (config->mounts_n > 0)
        memcpy(grown, config->mounts, config->mounts_n * sizeof *grown);
    if (oci_bind_mount(c->arena, container_notify_source(&c->env, out->id, c->arena),
                       CONTAINER_NOTIFY_TARGET, &grown[config->mounts_n], err) < 0)
        return -1;
    config->mounts = grown;
    config->mounts_n++;
    out->io.notify_host = host;
    return add_env(c, &config->process, "NOTIFY_SOCKET", CONTAINER_NOTIFY_TARGET "/notify.sock",
                   err);
}

/* Nobody but root may make a namespace without a user namespace of his own around it: what can only
 * fail is done as crun does it. 1: it was changed; 0; -1. */
static int add_user_ns(struct cmd *c, struct oci_config *config, struct err *err)
{
    struct oci_linux *l = &config->linux_;

    if (geteuid() == 0 || c->env.rootless == CONTAINER_ROOTLESS_NO ||
        l->ns[OCI_NS_USER].mode != OCI_NS_HOST || l->ns[OCI_NS_MOUNT].mode != OCI_NS_NEW)
        return 0;
    report_line(c->report, REPORT_WARN,
                "$.linux.namespaces: there is no user namespace, which a container of an ordinary "
                "user needs: it gets one, and its root is this user");
    l->ns[OCI_NS_USER].mode = OCI_NS_NEW;
    if (oci_map_root(c->arena, geteuid(), &l->uid_maps, err) < 0 ||
        oci_map_root(c->arena, getegid(), &l->gid_maps, err) < 0)
        return -1;
    return 1;
}

#define PLAN_MAX (1U << 20)

static void log_plan(struct cmd *c, const struct container_create *create)
{
    own_buf struct buf plan = BUF_INIT(PLAN_MAX);
    struct str rest, line;
    struct err ignored; /* the start itself will say what is wrong */
    char text[ERR_TEXT_MAX];

    if (!c->report->debug || container_plan_text(&c->env, create, &plan, &ignored) < 0)
        return;
    rest = buf_str(&plan);
    while (str_next(&rest, '\n', &line)) {
        (void)snprintf(text, sizeof text, "plan: %.*s", STR_ARG(line)); /* cut if too long */
        report_line(c->report, REPORT_DEBUG, text);
    }
}

int launch_prepare(struct cmd *c, const struct launch_opts *o, enum launch_how how,
                   struct container_create *out, struct err *err)
{
    enum network_change net = NETWORK_SAME;
    struct container_loaded loaded;
    struct oci_config *config = NULL;
    size_t env_n = 0;
    int mapped = 0;

    *out = (struct container_create){.id = c->args[0], .io = CONTAINER_IO_INIT};
    if (container_id_check(out->id, err) < 0)
        return -1;
    out->bundle = bundle_of(c, o);
    if (out->bundle == NULL)
        return err_set(err, 0, "the current directory is gone");
    if (load_config(c, out->bundle, o->config != NULL ? o->config : "config.json", &loaded,
                    &out->text, err) < 0)
        return -1;
    config = loaded.config;
    out->filter = loaded.filter;
    mapped = add_user_ns(c, config, err);
    if (mapped < 0)
        return -1;
    if (launch_check_console(&config->process, o->console_socket, how, err) < 0)
        return -1;
    out->config = config;
    out->flags = (o->no_pivot.on ? CONTAINER_NO_PIVOT : 0U) |
                 (o->no_new_keyring.on ? CONTAINER_NO_NEW_KEYRING : 0U);
    out->io.console_socket = o->console_socket;
    out->io.pid_file = o->pid_file;
    out->io.pidfd_socket = o->pidfd_socket;
    out->io.preserve_fds = (unsigned)o->preserve_fds.v;
    env_n = config->process.env.n;
    if (launch_pass_listen_fds(c, &config->process, &out->io, &out->flags, err) < 0 ||
        add_notify(c, config, out, err) < 0 ||
        network_apply(c->arena, &o->net, config, out, &net, err) < 0)
        return -1;
    if (config->process.env.n != env_n || net == NETWORK_CHANGED || mapped > 0)
        out->text = STR_NONE; /* it was changed, and is not what was read any more */
    log_plan(c, out);
    return 0;
}

void launch_let_go(const struct container_child *child)
{
    own_close_fd(&child->pid_fd);
    own_close_fd(&child->console_fd);
    own_close_fd(&child->notify_fd);
}

int launch_attend(const struct container_child *child, int *code, struct err *err)
{
    int status, rc = container_attend(child, &status, err);

    launch_let_go(child);
    if (rc == 0)
        *code = child_exit_code(status);
    return rc;
}
