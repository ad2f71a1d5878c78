/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kill, ps, pause, resume, update: what is done to a container from outside.
 */
#include <errno.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"
#include "runtime/container/container.h"
#include "runtime/container/limits.h"
#include "runtime/container/maker.h"
#include "runtime/container/rdt_of.h"
#include "runtime/container/scope_of.h"
#include "runtime/container/state.h"
#include "runtime/kernel/cgroup_devices.h"
#include "runtime/kernel/proc.h"
#include "runtime/spec/oci.h"

/* Loads the state, calls fn, and cleans up. */
struct call {
    int (*fn)(struct arena *a, const struct state *s, void *ctx, struct err *err);
    void *ctx;
};

static int with_state(const struct container_env *env, const char *id, const struct call *call,
                      struct err *err)
{
    struct arena *a = arena_new(MAKER_ARENA_MAX);
    struct state s;
    int r = state_load(env, id, a, &s, err);

    if (r == 0) {
        r = call->fn(a, &s, call->ctx, err);
        (void)close(s.dir_fd);
    }
    arena_free(a);
    return r;
}

static int need_cgroup(const struct state *s, struct err *err)
{
    return s->cgroup.n > 0 ? 0 : err_set(err, ENOTSUP, "the container has no cgroup");
}

static int need_alive(const struct state *s, struct err *err)
{
    if (s->public.status == CONTAINER_STOPPED || s->public.status == CONTAINER_CREATING)
        return err_set(err, 0, "the container is %s, not running",
                       container_status_names[s->public.status]);
    return 0;
}

/* --- kill ------------------------------------------------------------------------------------- */

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
        return need_cgroup(s, err) < 0 ? -1 : cgroup_signal(&s->cgroup, k->signo, err);
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

    return with_state(env, id, &(struct call){kill_one, &k}, err);
}

/* --- ps --------------------------------------------------------------------------------------- */

int container_pids(const struct container_env *env, const char *id, struct arena *a, pid_t **pids,
                   size_t *n, struct err *err)
{
    struct state s;

    if (state_load(env, id, a, &s, err) < 0)
        return -1;
    (void)close(s.dir_fd);
    return need_cgroup(&s, err) < 0 ? -1 : cgroup_pids(&s.cgroup, a, pids, n, err);
}

/* --- pause, resume ---------------------------------------------------------------------------- */

static int pause_one(struct arena *a, const struct state *s, void *ctx, struct err *err)
{
    (void)a;
    (void)ctx;
    if (s->public.status != CONTAINER_RUNNING && s->public.status != CONTAINER_CREATED)
        return err_set(err, 0, "the container is %s, not running",
                       container_status_names[s->public.status]);
    return need_cgroup(s, err) < 0 ? -1 : cgroup_freeze(&s->cgroup, true, err);
}

static int resume_one(struct arena *a, const struct state *s, void *ctx, struct err *err)
{
    (void)a;
    (void)ctx;
    if (need_cgroup(s, err) < 0)
        return -1;
    if (!cgroup_is_frozen(&s->cgroup))
        return err_set(err, 0, "the container is %s, not paused",
                       container_status_names[s->public.status]);
    return cgroup_freeze(&s->cgroup, false, err);
}

int container_pause(const struct container_env *env, const char *id, struct err *err)
{
    return with_state(env, id, &(struct call){pause_one, NULL}, err);
}

int container_resume(const struct container_env *env, const char *id, struct err *err)
{
    return with_state(env, id, &(struct call){resume_one, NULL}, err);
}

/* --- update ----------------------------------------------------------------------------------- */

union resources_ctx {
    void *ctx;
    const struct oci_resources *r;
};

static int tell_systemd(struct arena *a, const struct state *s, const struct oci_resources *r,
                        struct err *err)
{
    struct scope_properties p = {.n = 0};
    struct cgroup_devices devices;

    if (scope_of(a, r, s->cgroup.unified, &p, err) < 0)
        return -1;
    if (r->devices_n > 0 &&
        (limits_devices(r, &devices, err) < 0 || scope_of_devices(a, &devices, &p, err) < 0))
        return -1;
    return scope_change(s->scope, &p, err);
}

static int update_one(struct arena *a, const struct state *s, void *ctx, struct err *err)
{
    union resources_ctx u = {.ctx = ctx};
    struct limits limits;

    if (need_alive(s, err) < 0 || need_cgroup(s, err) < 0 ||
        limits_make(a, u.r, &limits, err) < 0 || limits_check_use(&s->cgroup, u.r, err) < 0 ||
        limits_apply(&s->cgroup, &limits, err) < 0)
        return -1;
    if (u.r->devices_n > 0 && limits_apply_devices(&s->cgroup, u.r, err) < 0)
        return -1;
    return s->scope != NULL && s->scope[0] != '\0' ? tell_systemd(a, s, u.r, err) : 0;
}

int container_update(const struct container_env *env, const char *id, const struct oci_resources *r,
                     struct err *err)
{
    union resources_ctx u = {.r = r};

    return with_state(env, id, &(struct call){update_one, u.ctx}, err);
}

struct rdt_ctx {
    const char *const *lines;
    size_t n;
};

static int update_rdt_one(struct arena *a, const struct state *s, void *ctx, struct err *err)
{
    const struct rdt_ctx *x = ctx;
    struct oci_config *c = NULL;
    struct rdt r;

    if (need_alive(s, err) < 0 || state_load_config(s, a, &c, err) < 0)
        return -1;
    if (!c->linux_.rdt.set)
        return err_set(err, ENOTSUP, "the container has no resctrl group ($.linux.intelRdt)");
    if (rdt_of(a, &c->linux_.rdt, s->public.id, &r, err) < 0)
        return -1;
    r.schema = x->lines;
    r.schema_n = x->n;
    return rdt_change(&r, err);
}

int container_update_rdt(const struct container_env *env, const char *id, const char *const *lines,
                         size_t n, struct err *err)
{
    struct rdt_ctx x = {lines, n};

    return with_state(env, id, &(struct call){update_rdt_one, &x}, err);
}
