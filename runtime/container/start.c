/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/child.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/own.h"
#include "runtime/container/container.h"
#include "runtime/container/held.h"
#include "runtime/container/hooks.h"
#include "runtime/container/listener.h"
#include "runtime/container/maker.h"
#include "runtime/container/notify.h"
#include "runtime/container/state.h"
#include "runtime/container/sync.h"
#include "runtime/kernel/cgroup.h"
#include "runtime/kernel/proc.h"

static int hand_listener(struct arena *a, const struct state *s, int sock, int fd, struct err *err)
{
    struct oci_config *c = NULL;

    if (state_load_config(s, a, &c, err) < 0 ||
        listener_hand(&c->linux_.seccomp, &s->public, s->public.pid, fd, err) < 0)
        return -1;
    return sync_send(sock, SYNC_GO, 0, -1, err);
}

/* The socket is closed by execve, and also by the end of a process that never got there. */
static bool has_executed(const struct state *s)
{
    struct proc_stat st;
    struct err ignored; /* it has ended and is gone already: then it has run */

    return proc_stat(s->public.pid, &st, &ignored) < 0 || st.start != s->public.pid_start ||
           st.executed;
}

/* It is somebody else's child: how it ended can be seen while its parent has not looked yet. */
static int died(const struct state *s, struct err *err)
{
    char how[CHILD_TEXT_MAX] = "ended";
    struct proc_stat st;
    struct err ignored;

    if (proc_stat(s->public.pid, &st, &ignored) == 0 && st.start == s->public.pid_start &&
        st.state == 'Z')
        child_describe(st.status, how);
    return err_set(err, 0, "the container's process was %s before it could start", how);
}

/* As sync_recv, but not for a container that is paused meanwhile. */
static int hear(const struct state *s, int sock, struct sync_msg *msg, struct err *err)
{
    struct pollfd it = {.fd = sock, .events = POLLIN};
    bool held = false;

    if (held_await(&s->cgroup, s->public.pid, &it, &held, err) < 0)
        return -1;
    return held ? err_set(err, 0, "the container is paused, and ends when it goes on")
                : sync_recv(sock, msg, err);
}

/* Until the program is executed (end of file), the other side may tell of a failure. */
static int listen_for_end(struct arena *a, const struct state *s, int sock, struct err *err)
{
    struct sync_msg msg;
    bool ready = false;
    int r = 0;

    while ((r = hear(s, sock, &msg, err)) == 1) {
        int done = msg.kind == SYNC_LISTENER ? hand_listener(a, s, sock, msg.fd, err) : 0;

        if (msg.fd >= 0)
            (void)close(msg.fd);
        if (done < 0)
            return -1;
        if (msg.kind == SYNC_ERROR) {
            (void)err_set(err, 0, "%s", msg.text);
            err->code = msg.number;
            return -1;
        }
        ready |= msg.kind == SYNC_READY;
    }
    if (r < 0)
        return -1;
    return ready && has_executed(s) ? 0 : died(s, err);
}

static int let_go(struct arena *a, const struct container_env *env, const struct state *s,
                  struct err *err)
{
    const char *path = arena_printf(a, "%s/" STATE_SOCKET, state_path(a, env, s->public.id));
    own_fd int sock = fd_unix_connect(path, SOCK_SEQPACKET, err);

    if (sock < 0)
        return -1;
    /* Gone first: a second `start` must not find it. */
    if (unlinkat(s->dir_fd, STATE_SOCKET, 0) < 0)
        return err_set(err, errno, "the container is being started already");
    if (sync_send(sock, SYNC_GO, 0, -1, err) < 0)
        return -1;
    return listen_for_end(a, s, sock, err);
}

static int poststart(struct arena *a, const struct state *s, struct err *err)
{
    struct oci_config *c = NULL;
    struct hook_state text;
    struct hook_files files = HOOK_FILES_NONE;
    struct hook_moment now = {
        .state = &text,
        .status = "running",
        .pid = s->public.pid,
        .dir = s->public.bundle,
        .files = &files,
    };
    int r = 0;

    if ((s->needs_config & STATE_FOR_START) == 0)
        return 0;
    if (state_load_config(s, a, &c, err) < 0 || hook_state_make(a, &s->public, &text, err) < 0)
        return -1;
    if (hook_files_open(c, &files, err) < 0) {
        err->code = HOOK_FAILED;
        return -1;
    }
    r = hooks_run(c, OCI_HOOK_POSTSTART, &now, err);
    hook_files_close(&files);
    return r;
}

/* The specification: a container whose startContainer or poststart hooks fail is stopped and
 * deleted. */
static void give_up(const struct container_env *env, const char *id, struct err *err)
{
    struct err ignored; /* the first failure is the one to tell */

    err->code = 0;
    if (container_delete(env, id, CONTAINER_FORCE, &ignored) < 0)
        return;
}

static int let_go_and_wait(struct arena *a, const struct container_env *env, const struct state *s,
                           const char *notify_host, struct err *err)
{
    own_fd int notify_fd = -1, pid_fd = -1;
    struct container_child child = {.pid = s->public.pid, .notify_host = notify_host};

    notify_fd = notify_bind(state_path(a, env, s->public.id), err);
    if (notify_fd < 0)
        return -1;
    pid_fd = proc_pidfd(s->public.pid, s->public.pid_start, err);
    if (pid_fd < 0 || let_go(a, env, s, err) < 0 || poststart(a, s, err) < 0)
        return -1;
    child.notify_fd = notify_fd;
    child.pid_fd = pid_fd;
    return container_notify_wait(&child, err);
}

/* A container that was created without a service manager has no place for the socket. */
static bool can_notify(const struct state *s)
{
    return faccessat(s->dir_fd, NOTIFY_DIR, F_OK, 0) == 0;
}

static int start_loaded(struct arena *a, const struct container_env *env, const struct state *s,
                        const char *notify_host, struct err *err)
{
    if (s->public.status != CONTAINER_CREATED)
        return err_set(err, 0, "the container is %s, not created",
                       container_status_names[s->public.status]);
    if ((s->needs_config & STATE_NO_PROCESS) != 0)
        return err_set(err, 0, "$.process: expected an object, found nothing");
    /* It would be let go, and tell nobody what became of it. */
    if (cgroup_is_frozen(&s->cgroup))
        return err_set(err, 0, "the container is paused, not created");
    if (notify_host != NULL && can_notify(s))
        return let_go_and_wait(a, env, s, notify_host, err);
    return let_go(a, env, s, err) < 0 ? -1 : poststart(a, s, err);
}

#define CREATE_MS 2000 /* a `create` beside this call is waited for that long */

int container_start(const struct container_env *env, const char *id, const char *notify_host,
                    struct err *err)
{
    struct arena *a = arena_new(MAKER_ARENA_MAX);
    struct state s;
    int r = state_load_settled(env, id, CREATE_MS, a, &s, err);

    if (r == 0) {
        r = start_loaded(a, env, &s, notify_host, err);
        (void)close(s.dir_fd);
    }
    if (r < 0 && err->code == HOOK_FAILED)
        give_up(env, id, err);
    arena_free(a);
    return r;
}
