/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pause and resume: the freezer of the container's group.
 */
#include "runtime/base/err.h"
#include "runtime/container/container.h"
#include "runtime/container/state.h"
#include "runtime/container/visit.h"

static int pause_one(struct arena *a, const struct state *s, void *ctx, struct err *err)
{
    (void)a;
    (void)ctx;
    if (s->public.status != CONTAINER_RUNNING && s->public.status != CONTAINER_CREATED)
        return err_set(err, 0, "the container is %s, not running",
                       container_status_names[s->public.status]);
    return visit_need_cgroup(s, err) < 0 ? -1 : cgroup_freeze(&s->cgroup, true, err);
}

static int resume_one(struct arena *a, const struct state *s, void *ctx, struct err *err)
{
    (void)a;
    (void)ctx;
    if (visit_need_cgroup(s, err) < 0)
        return -1;
    if (!cgroup_is_frozen(&s->cgroup))
        return err_set(err, 0, "the container is %s, not paused",
                       container_status_names[s->public.status]);
    return cgroup_freeze(&s->cgroup, false, err);
}

int container_pause(const struct container_env *env, const char *id, struct err *err)
{
    return visit_state(env, id, &(struct visit){pause_one, NULL}, err);
}

int container_resume(const struct container_env *env, const char *id, struct err *err)
{
    return visit_state(env, id, &(struct visit){resume_one, NULL}, err);
}
