/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"
#include "runtime/container/container.h"
#include "runtime/container/hooks.h"
#include "runtime/container/maker.h"
#include "runtime/container/rdt_of.h"
#include "runtime/container/state.h"
#include "runtime/kernel/proc.h"
#include "runtime/kernel/scope.h"

#define END_MS  10000
#define SOON_MS 300 /* more than any process needs that is not held by something */

/* One that was created and not started may go without force, with runc and crun as well: what runs
 * in it is the runtime's alone. To the letter of runtime.md, "not stopped", it would be an error.
 */
static int check_status(const struct state *s, enum container_force force, struct err *err)
{
    enum container_status now = s->public.status;

    if (force == CONTAINER_FORCE || now == CONTAINER_STOPPED || now == CONTAINER_CREATED)
        return 0;
    return err_set(err, 0, "the container is %s; kill it first, or use force",
                   container_status_names[now]);
}

/* Kills the init and waits until it is gone; with a pid namespace of its own all others go too. */
static int end_init(const struct state *s, struct err *err)
{
    own_fd int pid_fd = -1;
    struct pollfd fd = {.events = POLLIN};
    int n = 0;

    if (s->public.status == CONTAINER_STOPPED || s->public.status == CONTAINER_CREATING)
        return 0;
    pid_fd = proc_pidfd(s->public.pid, s->public.pid_start, err);
    if (pid_fd < 0)
        return err->code == ESRCH ? 0 : -1;
    if (pidfd_send_signal(pid_fd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
        return err_set(err, errno, "kill the container's init");
    fd.fd = pid_fd;
    n = poll(&fd, 1, SOON_MS);
    if (n == 0) {
        cgroup_reclaim(&s->cgroup, s->public.pid);
        cgroup_thaw(&s->cgroup);
    }
    while (n <= 0 && (n = poll(&fd, 1, END_MS)) < 0 && errno == EINTR)
        continue;
    return n > 0 ? 0 : err_set(err, ETIMEDOUT, "the container's init does not end");
}

static int end_cgroup(const struct state *s, struct err *err)
{
    bool has_scope = s->scope != NULL && s->scope[0] != '\0';

    /* Mostly everybody has gone with the init, and no more need be known. */
    if (s->cgroup.n == 0 || (!has_scope && cgroup_remove_empty(&s->cgroup)))
        return 0;
    /* On v1 what is frozen does not die before it thaws. */
    if (cgroup_is_frozen(&s->cgroup) && cgroup_freeze(&s->cgroup, false, err) < 0)
        return -1;
    if (!s->public.own_pid_ns && cgroup_signal(&s->cgroup, SIGKILL, err) < 0)
        return -1;
    if (has_scope && scope_stop(s->scope, err) < 0)
        return -1;
    return cgroup_remove(&s->cgroup, err);
}

/* A second look with a signal: a process that entered the group from outside (exec into a container
 * that was ending) is in no pid namespace that went. */
static int clear_cgroup(const struct state *s, struct err *err)
{
    if (end_cgroup(s, err) == 0)
        return 0;
    return cgroup_signal(&s->cgroup, SIGKILL, err) < 0 ? -1 : cgroup_remove(&s->cgroup, err);
}

static int poststop(struct arena *a, const struct container_env *env, const struct state *s,
                    const struct oci_config *c, struct err *err)
{
    struct hook_state text;
    struct hook_files files = HOOK_FILES_NONE;
    struct hook_moment now = {
        .state = &text, .status = "stopped", .dir = s->public.bundle, .files = &files};

    if (c == NULL || c->hooks[OCI_HOOK_POSTSTOP].n == 0)
        return 0;
    if (hook_state_make(a, &s->public, &text, err) < 0)
        return -1;
    if (hook_files_open(c, &files, err) < 0 && env->warn != NULL)
        env->warn(env->warn_ctx, err->text);
    err_reset(err);
    /* The specification: a failing one is warned about, and the others run all the same. */
    hooks_run_all(c, OCI_HOOK_POSTSTOP, &now, env);
    hook_files_close(&files);
    return 0;
}

static int remove_rdt(struct arena *a, const struct state *s, const struct oci_config *c,
                      struct err *err)
{
    struct rdt r;

    if (!c->linux_.rdt.set)
        return 0;
    return rdt_of(a, &c->linux_.rdt, s->public.id, &r, err) < 0 ? -1 : rdt_remove(&r, err);
}

static int finish(struct arena *a, const struct container_env *env, const struct state *s,
                  enum container_force force, struct err *err)
{
    struct oci_config *c = NULL;
    int loaded = 0;

    if (check_status(s, force, err) < 0)
        return -1;
    /* Processes that the freezer holds must go on to be able to end. */
    if (s->public.status == CONTAINER_PAUSED && cgroup_freeze(&s->cgroup, false, err) < 0)
        return -1;
    if (end_init(s, err) < 0 || clear_cgroup(s, err) < 0)
        return -1;
    usernet_end(&s->net);
    if ((s->needs_config & STATE_FOR_DELETE) != 0)
        loaded = state_load_config(s, a, &c, err); /* before it is removed */
    if (loaded < 0 && force != CONTAINER_FORCE)
        return -1;
    err_reset(err);
    if (c != NULL && remove_rdt(a, s, c, err) < 0)
        return -1;
    if (state_remove(env, s->public.id, err) < 0)
        return -1;
    return poststop(a, env, s, c, err);
}

#define EMPTY_STEPS   100
#define EMPTY_STEP_MS 10

static bool is_any_there(const struct cgroup *g)
{
    for (size_t i = 0; i < g->n; i++)
        if (cgroup_is_there(&g->v[i]))
            return true;
    return false;
}

/* A start that was cut off ends by itself. */
static int remove_when_empty(const struct cgroup *g, struct err *err)
{
    for (int i = 0; i < EMPTY_STEPS; i++) {
        cgroup_unmake(g, CGROUP_ALL);
        if (!is_any_there(g))
            return 0;
        (void)poll(NULL, 0, EMPTY_STEP_MS);
    }
    return err_set(err, EBUSY, "what its state was is not known, and its cgroup holds processes");
}

/* Nobody wrote down which groups a container has; its configuration names them. They may be
 * somebody else's, which was why it could not be created: so nothing in them is killed. */
static int forget_cgroup(struct arena *a, const struct container_env *env, const struct state *s,
                         const char *id, struct err *err)
{
    struct oci_config *c = NULL;
    struct cgroup g;
    struct err ignored; /* then none was made */

    if (env->cgroups != CONTAINER_CGROUPFS || state_load_config(s, a, &c, &ignored) < 0 ||
        cgroup_locate(a, c->linux_.cgroups_path != NULL ? c->linux_.cgroups_path : id, &g,
                      &ignored) < 0)
        return 0;
    return remove_when_empty(&g, err);
}

/* What was written down when it was made was made for it. */
static int clear_groups(struct arena *a, const struct container_env *env, struct state *s,
                        struct err *err)
{
    struct oci_config *c = NULL;

    if (state_load_groups(a, s, err) < 0) {
        if (err->code != ENOENT && err->code != EINVAL)
            return -1;
        err_reset(err);
    }
    if (s->cgroup.n == 0 ? forget_cgroup(a, env, s, s->public.id, err) < 0
                         : clear_cgroup(s, err) < 0)
        return -1;
    if ((s->needs_config & STATE_FOR_DELETE) == 0)
        return 0;
    return state_load_config(s, a, &c, err) < 0 ? -1 : remove_rdt(a, s, c, err);
}

/* Its state was never written, or cannot be read. */
static int forget(struct arena *a, const struct container_env *env, const char *id, struct err *err)
{
    own_fd int dir_fd = state_open(env, id, err);
    struct state s = {.public = {.id = id}, .dir_fd = dir_fd};

    if (dir_fd < 0 || clear_groups(a, env, &s, err) < 0)
        return -1;
    return state_remove(env, id, err);
}

static int delete_one(struct arena *a, const struct container_env *env, const char *id,
                      enum container_force force, struct err *err)
{
    struct state s;
    int r = 0;

    if (state_load(env, id, a, &s, err) < 0) {
        if (force == CONTAINER_FORCE && err->code == EBADMSG)
            return forget(a, env, id, err);
        if (force != CONTAINER_FORCE || err->code != ENOENT)
            return -1;
        err_reset(err);
        return 0;
    }
    r = s.public.status == CONTAINER_CREATING && force == CONTAINER_FORCE
            ? forget(a, env, id, err)
            : finish(a, env, &s, force, err);
    (void)close(s.dir_fd);
    return r;
}

int container_delete(const struct container_env *env, const char *id, enum container_force force,
                     struct err *err)
{
    struct arena *a = arena_new(MAKER_ARENA_MAX);
    int r = delete_one(a, env, id, force, err);

    arena_free(a);
    return r;
}
