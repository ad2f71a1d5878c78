/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/container/scope_of.h"

#include <inttypes.h>

#include "runtime/container/limits.h"
#include "runtime/spec/oci.h"

#define PERIOD_US 100000 /* the kernel's */
#define SECOND_US 1000000
#define ROUND_US  10000 /* systemd keeps hundredths of a second */

struct list {
    struct scope_property *v;
    size_t n;
};

static void add(struct list *l, const char *name, uint64_t number)
{
    l->v[l->n++] = (struct scope_property){.name = name, .kind = SCOPE_U64, .number = number};
}

static uint64_t or_infinity(int64_t v)
{
    return v < 0 ? UINT64_MAX : (uint64_t)v;
}

static void add_cpu(struct list *l, const struct oci_cpu *c, bool unified)
{
    uint64_t period = c->period.set && c->period.v > 0 ? c->period.v : PERIOD_US;
    uint64_t each = UINT64_MAX;

    if (c->shares.set && c->shares.v != 0)
        add(l, unified ? "CPUWeight" : "CPUShares",
            unified ? limits_cpu_weight(c->shares.v) : c->shares.v);
    if (!c->quota.set)
        return;
    if (c->quota.v > 0 && (uint64_t)c->quota.v < UINT64_MAX / SECOND_US) {
        each = (uint64_t)c->quota.v * SECOND_US / period;
        each = (each + ROUND_US - 1) / ROUND_US * ROUND_US;
    }
    add(l, "CPUQuotaPerSecUSec", each);
    if (c->period.set && c->period.v > 0)
        add(l, "CPUQuotaPeriodUSec", period);
}

size_t scope_of(const struct oci_resources *r, bool unified,
                struct scope_property out[SCOPE_PROPERTIES_MAX])
{
    struct list l = {.v = out};
    const struct oci_memory *m = &r->memory;

    if (m->limit.set)
        add(&l, unified ? "MemoryMax" : "MemoryLimit", or_infinity(m->limit.v));
    if (unified && m->reservation.set)
        add(&l, "MemoryLow", or_infinity(m->reservation.v));
    if (unified && m->swap.set && m->limit.set && (m->swap.v < 0 || m->swap.v >= m->limit.v))
        add(&l, "MemorySwapMax", m->swap.v < 0 ? UINT64_MAX : (uint64_t)(m->swap.v - m->limit.v));
    add_cpu(&l, &r->cpu, unified);
    if (r->pids_limit.set)
        add(&l, "TasksMax",
            r->pids_limit.v < 0 ? UINT64_MAX : (uint64_t)limits_pids(r->pids_limit.v));
    return l.n;
}
