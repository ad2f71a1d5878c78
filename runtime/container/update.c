/* SPDX-License-Identifier: Apache-2.0 */
/*
 * update: new limits for a container that is there, in its groups, at systemd, and in resctrl.
 */
#include <errno.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/container/container.h"
#include "runtime/container/limits.h"
#include "runtime/container/rdt_of.h"
#include "runtime/container/scope_of.h"
#include "runtime/container/state.h"
#include "runtime/container/visit.h"
#include "runtime/kernel/cgroup_devices.h"
#include "runtime/spec/oci.h"

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

    if (visit_need_alive(s, err) < 0 || visit_need_cgroup(s, err) < 0 ||
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

    return visit_state(env, id, &(struct visit){update_one, u.ctx}, err);
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

    if (visit_need_alive(s, err) < 0 || state_load_config(s, a, &c, err) < 0)
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

    return visit_state(env, id, &(struct visit){update_rdt_one, &x}, err);
}
