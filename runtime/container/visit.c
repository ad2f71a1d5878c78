/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/container/visit.h"

#include <errno.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/container/maker.h"
#include "runtime/container/state.h"

int visit_state(const struct container_env *env, const char *id, const struct visit *v,
                struct err *err)
{
    struct arena *a = arena_new(MAKER_ARENA_MAX);
    struct state s;
    int r = state_load(env, id, a, &s, err);

    if (r == 0) {
        r = v->fn(a, &s, v->ctx, err);
        (void)close(s.dir_fd);
    }
    arena_free(a);
    return r;
}

int visit_need_cgroup(const struct state *s, struct err *err)
{
    return s->cgroup.n > 0 ? 0 : err_set(err, ENOTSUP, "the container has no cgroup");
}

int visit_need_alive(const struct state *s, struct err *err)
{
    if (s->public.status == CONTAINER_STOPPED || s->public.status == CONTAINER_CREATING)
        return err_set(err, 0, "the container is %s, not running",
                       container_status_names[s->public.status]);
    return 0;
}
