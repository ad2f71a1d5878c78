/* SPDX-License-Identifier: Apache-2.0 */
/*
 * create and run: the id is reserved, the plan walked (maker_steps.c), the state written, the
 * process served. The order of what is undone after a failure is the reverse of the order in which
 * it was done: process, cgroup, state.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/own.h"
#include "runtime/container/container.h"
#include "runtime/container/maker.h"
#include "runtime/container/notify.h"
#include "runtime/kernel/proc.h"

static int open_start_socket(struct maker *m, struct err *err)
{
    const char *dir = state_path(m->arena, m->env, m->create->id);
    const char *path = arena_printf(m->arena, "%s/" STATE_SOCKET, dir);

    m->init.listen_fd = fd_unix_listen(path, SOCK_SEQPACKET, 0600, 1, err);
    return m->init.listen_fd < 0 ? -1 : 0;
}

int maker_write_config(const struct maker *m, struct str text, struct err *err)
{
    own_fd int fd =
        openat(m->state.dir_fd, STATE_CONFIG, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return err_set(err, errno, "make '" STATE_CONFIG "' of the state");
    return fd_write_all(fd, text, err) < 0 ? err_wrap(err, "'" STATE_CONFIG "' of the state") : 0;
}

int maker_write_state(struct maker *m, struct err *err)
{
    struct proc_stat st;

    if (proc_stat(m->child.pid, &st, err) < 0)
        return -1;
    m->state.public.pid = m->child.pid;
    m->state.public.pid_start = st.start;
    return state_write(m->state.dir_fd, &m->state, err);
}

struct hook_moment maker_moment(const struct maker *m, const char *status)
{
    return (struct hook_moment){
        .state = &m->hook_state,
        .status = status,
        .pid = m->child.pid,
        .dir = m->state.public.bundle,
        .files = &m->hook_files,
    };
}

static int start_hooks(struct maker *m, struct err *err)
{
    struct hook_moment now = maker_moment(m, "running");

    return hooks_run(m->config, OCI_HOOK_POSTSTART, &now, err);
}

static int open_notify(struct maker *m, struct err *err)
{
    if (m->io->notify_host == NULL)
        return 0;
    if (notify_make(m->state.dir_fd, err) < 0)
        return -1;
    if (m->facts.wait) /* `start` binds the socket, for it will listen */
        return 0;
    m->child.notify_host = m->io->notify_host;
    m->child.notify_fd = notify_bind(state_path(m->arena, m->env, m->create->id), err);
    return m->child.notify_fd < 0 ? -1 : 0;
}

/* Who asks for the state while hooks of the runtime run is told "created", also in a `run`, which
 * has no socket for `start`: its name is enough. */
static bool needs_mark(const struct maker *m)
{
    const struct oci_hooks *h = m->config->hooks;

    return !m->facts.wait && (h[OCI_HOOK_PRESTART].n > 0 || h[OCI_HOOK_CREATE_RUNTIME].n > 0 ||
                              h[OCI_HOOK_CREATE_CONTAINER].n > 0);
}

static int mark_created(const struct maker *m, struct err *err)
{
    own_fd int fd = -1;

    if (!needs_mark(m))
        return 0;
    fd = openat(m->state.dir_fd, STATE_SOCKET, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd < 0 ? err_set(err, errno, "make '" STATE_SOCKET "' of the state") : 0;
}

static int mark_running(const struct maker *m, struct err *err)
{
    if (!needs_mark(m) || unlinkat(m->state.dir_fd, STATE_SOCKET, 0) == 0)
        return 0;
    return err_set(err, errno, "remove '" STATE_SOCKET "' of the state");
}

static int carry_out(struct maker *m, struct str text, struct err *err)
{
    if (maker_write_config(m, text, err) < 0 || open_notify(m, err) < 0)
        return -1;
    if (m->facts.wait ? open_start_socket(m, err) < 0 : mark_created(m, err) < 0)
        return -1;
    if (maker_walk(m, err) < 0 || maker_go(m, err) < 0 || maker_write_state(m, err) < 0 ||
        maker_serve(m, err) < 0 || mark_running(m, err) < 0 || maker_publish(m, err) < 0)
        return -1;
    maker_forget_nodes(m);
    maker_end_placeholder(m);
    return m->facts.wait ? 0 : start_hooks(m, err);
}

void maker_undo(struct maker *m)
{
    struct err ignored;

    maker_abort(m);
    maker_close(m);
    usernet_end(&m->state.net);
    maker_end_placeholder(m);
    if (m->state.scope != NULL && scope_stop(m->state.scope, &ignored) < 0)
        err_reset(&ignored); /* the rest goes all the same */
    if (m->rdt_made && rdt_remove(&m->rdt, &ignored) < 0)
        err_reset(&ignored); /* the rest goes all the same */
    if (m->state.cgroup.n > 0) {
        if (cgroup_signal(&m->state.cgroup, SIGKILL, &ignored) < 0)
            return; /* what cannot be ended keeps its state, so that delete can try again */
        if (cgroup_remove(&m->state.cgroup, &ignored) < 0)
            return;
    }
    if (m->cgroup_begun)
        cgroup_unmake(&m->cgroup, CGROUP_V2);
    if (state_remove(m->env, m->create->id, &ignored) < 0)
        return;
}

/* The specification: after a hook that failed the container goes as if it were deleted, poststop
 * hooks included. They also take back what hooks did before a later step failed. */
static void undo_hooks(const struct maker *m, struct err *err)
{
    struct hook_moment now = maker_moment(m, "stopped");

    now.pid = 0; /* there is none any more */
    if (m->hooks_ran || err->code == HOOK_FAILED)
        hooks_run_all(m->config, OCI_HOOK_POSTSTOP, &now, m->env);
    if (err->code == HOOK_FAILED)
        err->code = 0;
}

static int make(struct maker *m, struct err *err)
{
    struct str text = STR_NONE;

    if (container_id_check(m->create->id, err) < 0 || maker_check_io(m, m->io, err) < 0 ||
        maker_init(m, err) < 0 || maker_prepare(m, &text, err) < 0)
        return -1;
    m->state.dir_fd = state_reserve(m->env, m->create->id, err);
    if (m->state.dir_fd < 0)
        return -1;
    if (carry_out(m, text, err) == 0)
        return 0;
    maker_undo(m);
    undo_hooks(m, err);
    return -1;
}

static int create(const struct container_env *env, const struct container_create *c, bool wait,
                  struct container_child *child, struct err *err)
{
    struct maker m = {.env = env, .create = c, .io = &c->io, .facts = {.wait = wait}};
    int r = make(&m, err);

    if (r == 0)
        *child = m.child;
    if (m.arena != NULL)
        maker_done(&m);
    return r;
}

int container_create(const struct container_env *env, const struct container_create *c,
                     struct container_child *child, struct err *err)
{
    return create(env, c, true, child, err);
}

int container_run(const struct container_env *env, const struct container_create *c,
                  struct container_child *child, struct err *err)
{
    return create(env, c, false, child, err);
}

int container_plan_text(const struct container_env *env, const struct container_create *c,
                        struct buf *out, struct err *err)
{
    struct container_env quiet = *env;
    struct maker m = {.env = &quiet, .create = c, .io = &c->io};
    struct str text = STR_NONE;
    int r = maker_init(&m, err);

    quiet.warn = NULL; /* the start itself will say it */
    if (r == 0)
        r = maker_prepare(&m, &text, err);
    if (r == 0)
        plan_print(m.config, &m.config->process, &m.plan, out);
    if (m.arena != NULL)
        maker_done(&m);
    return r;
}
