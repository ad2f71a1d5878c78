/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kill, and ps, which lists whom a kill of all reaches.
 */
#include <errno.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/own.h"
#include "runtime/container/container.h"
#include "runtime/container/state.h"
#include "runtime/container/visit.h"
#include "runtime/kernel/proc.h"

struct kill_ctx {
    int signo;
    enum container_whom whom;
};

/* containerd looks for these words, which are runc's, to know that all is well. */
static int not_running(struct err *err)
{
    return err_set(err, 0, "container not running");
}

/* Without a pid namespace of its own the others do not die with the first, and outlive it. */
static bool are_on_their_own(const struct state *s)
{
    return s->cgroup.n > 0 && s->public.status != CONTAINER_CREATING && !s->public.own_pid_ns;
}

/* All of them. Of a container that is over there may be some left, or none. */
static int kill_all(struct arena *a, const struct state *s, struct err *err)
{
    pid_t *pids = NULL;
    size_t n = 0;

    if (s->public.status == CONTAINER_STOPPED &&
        (cgroup_pids(&s->cgroup, a, &pids, &n, err) < 0 || n == 0))
        return not_running(err);
    return cgroup_signal(&s->cgroup, SIGKILL, err);
}

/* Without a group, too, all of a pid namespace go with its first process. */
static bool ends_with_init(const struct state *s, int signo)
{
    return s->cgroup.n == 0 && s->public.own_pid_ns && signo == SIGKILL;
}

static int kill_one(struct arena *a, const struct state *s, void *ctx, struct err *err)
{
    const struct kill_ctx *k = ctx;
    own_fd int pid_fd = -1;

    if (k->whom == CONTAINER_ALL && !ends_with_init(s, k->signo))
        return visit_need_cgroup(s, err) < 0 ? -1 : cgroup_signal(&s->cgroup, k->signo, err);
    if (k->signo == SIGKILL && are_on_their_own(s))
        return kill_all(a, s, err);
    if (s->public.status == CONTAINER_STOPPED || s->public.status == CONTAINER_CREATING)
        return not_running(err);
    pid_fd = proc_pidfd(s->public.pid, s->public.pid_start, err);
    if (pid_fd < 0)
        return err->code == ESRCH ? not_running(err) : -1;
    if (pidfd_send_signal(pid_fd, k->signo, NULL, 0) < 0)
        return err_set(err, errno, "send signal %d", k->signo);
    return 0;
}

int container_kill(const struct container_env *env, const char *id, int signo,
                   enum container_whom whom, struct err *err)
{
    struct kill_ctx k = {.signo = signo, .whom = whom};

    return visit_state(env, id, &(struct visit){kill_one, &k}, err);
}

/* --- ps --------------------------------------------------------------------------------------- */

int container_pids(const struct container_env *env, const char *id, struct arena *a, pid_t **pids,
                   size_t *n, struct err *err)
{
    struct state s;

    if (state_load(env, id, a, &s, err) < 0)
        return -1;
    (void)close(s.dir_fd);
    return visit_need_cgroup(&s, err) < 0 ? -1 : cgroup_pids(&s.cgroup, a, pids, n, err);
}
