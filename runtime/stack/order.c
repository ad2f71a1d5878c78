/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/stack/order.h"

#include <assert.h>
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/stack/svc.h"

/* Takes away what waits for nothing, again and again; what is left then waits for itself. */
static int find_cycle(const struct order *o, const struct svc_table *t, struct err *err)
{
    bool gone[ARRAY_N(o->after)] = {false};

    for (size_t round = 0; round < o->n; round++)
        for (size_t i = 0; i < o->n; i++) {
            bool waits = false;

            for (size_t k = 0; k < o->n; k++)
                waits = waits || (o->after[i][k] && !gone[k]);
            gone[i] = gone[i] || !waits;
        }
    for (size_t i = 0; i < o->n; i++)
        if (!gone[i])
            return err_set(err, 0, "'%s' waits for itself", t->v[i].name);
    return 0;
}

int order_make(const struct svc_table *t, struct order *out, struct err *err)
{
    struct order o = {.n = SVC_N};

    static_assert(SVC_N <= ARRAY_N(o.after), "room for all services");
    for (size_t i = 0; i < SVC_N; i++)
        for (size_t k = 0; k < t->v[i].after.n; k++) {
            const struct svc *s = svc_get(t, t->v[i].after.v[k]);

            if (!s)
                return err_set(err, 0, "'%s' comes after '%s', which is no service", t->v[i].name,
                               t->v[i].after.v[k]);
            o.after[i][s->index] = true;
        }
    if (find_cycle(&o, t, err) < 0)
        return -1;
    *out = o;
    return 0;
}

bool order_may_start(const struct order *o, size_t i, const bool *wanted, const bool *up)
{
    for (size_t k = 0; k < o->n; k++)
        if (o->after[i][k] && wanted[k] && !up[k])
            return false;
    return true;
}

bool order_may_stop(const struct order *o, size_t i, const bool *wanted, const bool *down)
{
    for (size_t k = 0; k < o->n; k++)
        if (o->after[k][i] && !wanted[k] && !down[k])
            return false;
    return true;
}
