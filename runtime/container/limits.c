/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is to be written: pure. One function a section of $.linux.resources.
 */
#include "runtime/container/limits.h"

#include <inttypes.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/spec/oci.h"

#define FIXED_MAX 32 /* limits that are no lists */
#define PIDS_FILE "pids.max"

struct list {
    struct arena *a;
    struct limits *out;
    const char *section; /* of what is added */
};

static struct limit *add(struct list *l, const char *controller, const char *v1, const char *v2)
{
    struct limit *x = &l->out->v[l->out->n++];

    x->section = l->section;
    x->controller = controller;
    x->v1_file = v1;
    x->v2_file = v2;
    return x;
}

static const char *number(struct list *l, int64_t v)
{
    return arena_printf(l->a, "%" PRId64, v);
}

static const char *number_u(struct list *l, uint64_t v)
{
    return arena_printf(l->a, "%" PRIu64, v);
}

static const char *or_max(struct list *l, int64_t v)
{
    return v < 0 ? "max" : number(l, v);
}

static void add_i64(struct list *l, struct oci_i64 v, const char *controller, const char *v1,
                    const char *v2)
{
    struct limit *x = NULL;

    if (!v.set)
        return;
    x = add(l, controller, v1, v2);
    x->v1_value = number(l, v.v);
    x->v2_value = or_max(l, v.v);
}

static void add_u64(struct list *l, struct oci_u64 v, const char *controller, const char *v1,
                    const char *v2)
{
    struct limit *x = NULL;

    if (!v.set)
        return;
    x = add(l, controller, v1, v2);
    x->v1_value = x->v2_value = number_u(l, v.v);
}

/* --- memory ----------------------------------------------------------------------------------- */

/* v1 counts memory and swap together, v2 swap alone. */
static int add_swap(struct list *l, const struct oci_memory *m, struct err *err)
{
    struct limit *x = NULL;

    /* v1 holds memory back that is to have no limit while there is one of both together. */
    if (!m->swap.set && m->limit.set && m->limit.v < 0) {
        x = add(l, "memory", "memory.memsw.limit_in_bytes", "memory.swap.max");
        x->v1_value = "-1";
        x->v2_value = "max";
        x->optional = true;
        return 0;
    }
    /* 0 with a limit of memory is how some say that nothing is said about swap. */
    if (!m->swap.set || (m->swap.v == 0 && m->limit.set))
        return 0;
    if (m->swap.v == 0) { /* no swap at all, which v1 cannot say without a limit of memory */
        x = add(l, "memory", NULL, "memory.swap.max");
        x->v2_value = "0";
        x->optional = true;
        return 0;
    }
    x = add(l, "memory", "memory.memsw.limit_in_bytes", "memory.swap.max");
    x->v1_value = number(l, m->swap.v);
    if (m->swap.v < 0) {
        x->v2_value = "max";
        return 0;
    }
    if (m->limit.set && m->limit.v > m->swap.v)
        return err_set(err, 0,
                       "$.linux.resources.memory.swap: counts memory and swap together, so it must "
                       "not be below $.linux.resources.memory.limit");
    if (!m->limit.set) /* v1 needs none, for it has one already */
        x->v2_lacks = "$.linux.resources.memory.swap: counts memory and swap together, so it needs "
                      "$.linux.resources.memory.limit";
    else /* beside memory without a limit it can only mean swap */
        x->v2_value = number(l, m->limit.v < 0 ? m->swap.v : m->swap.v - m->limit.v);
    return 0;
}

static int add_memory(struct list *l, const struct oci_resources *r, struct err *err)
{
    const struct oci_memory *m = &r->memory;
    size_t from = 0;

    l->section = "memory";
    add_i64(l, m->limit, "memory", "memory.limit_in_bytes", "memory.max");
    add_i64(l, m->reservation, "memory", "memory.soft_limit_in_bytes", "memory.low");
    if (add_swap(l, m, err) < 0)
        return -1;
    from = l->out->n;
    /* Kernels from 6.1 on count kernel memory with the rest and have no limit of its own. */
    add_i64(l, m->kernel, "memory", "memory.kmem.limit_in_bytes", NULL);
    add_i64(l, m->kernel_tcp, "memory", "memory.kmem.tcp.limit_in_bytes", NULL);
    add_u64(l, m->use_hierarchy, "memory", "memory.use_hierarchy", NULL);
    for (size_t i = from; i < l->out->n; i++)
        l->out->v[i].optional = true;
    add_u64(l, m->swappiness, "memory", "memory.swappiness", NULL);
    if (m->disable_oom_killer.set && m->disable_oom_killer.v != 0)
        add_u64(l, m->disable_oom_killer, "memory", "memory.oom_control", NULL);
    return 0;
}

/* --- cpu -------------------------------------------------------------------------------------- */

#define SHARES_MIN 2U
#define SHARES_MAX 262144U

/* 2 .. 262144 shares to 1 .. 10000 of weight, linearly, as all runtimes have agreed to. */
uint64_t limits_cpu_weight(uint64_t shares)
{
    if (shares < SHARES_MIN)
        shares = SHARES_MIN;
    if (shares > SHARES_MAX)
        shares = SHARES_MAX;
    return 1 + (shares - SHARES_MIN) * 9999 / (SHARES_MAX - SHARES_MIN);
}

static void add_quota(struct list *l, const struct oci_cpu *c)
{
    struct limit *x = NULL;
    bool limited = c->quota.set && c->quota.v > 0;

    if (!c->quota.set && !c->period.set)
        return;
    add_u64(l, c->period, "cpu", "cpu.cfs_period_us", NULL);
    if (c->period.set)
        l->out->v[l->out->n - 1].optional = true; /* on v2 it is part of the next */
    x = add(l, "cpu", c->quota.set ? "cpu.cfs_quota_us" : NULL, "cpu.max");
    x->v1_value = limited ? number(l, c->quota.v) : "-1";
    x->optional = !c->quota.set;
    if (!c->period.set)
        x->v2_value = limited ? number(l, c->quota.v) : "max";
    else
        x->v2_value =
            arena_printf(l->a, "%s %" PRIu64, limited ? number(l, c->quota.v) : "max", c->period.v);
}

static void add_cpu(struct list *l, const struct oci_cpu *c)
{
    struct limit *x = NULL;

    l->section = "cpu";
    if (c->shares.set && c->shares.v != 0) {
        x = add(l, "cpu", "cpu.shares", "cpu.weight");
        x->v1_value = number_u(l, c->shares.v);
        x->v2_value = number_u(l, limits_cpu_weight(c->shares.v));
    }
    add_quota(l, c);
    add_u64(l, c->burst, "cpu", "cpu.cfs_burst_us", "cpu.max.burst");
    add_u64(l, c->rt_period, "cpu", "cpu.rt_period_us", NULL);
    add_i64(l, c->rt_runtime, "cpu", "cpu.rt_runtime_us", NULL);
    add_i64(l, c->idle, "cpu", "cpu.idle", "cpu.idle");
    if (c->cpus != NULL && c->cpus[0] != '\0') {
        x = add(l, "cpuset", "cpuset.cpus", "cpuset.cpus");
        x->v1_value = x->v2_value = c->cpus;
    }
    if (c->mems != NULL && c->mems[0] != '\0') {
        x = add(l, "cpuset", "cpuset.mems", "cpuset.mems");
        x->v1_value = x->v2_value = c->mems;
    }
}

/* --- the rest --------------------------------------------------------------------------------- */

/* 0 is a limit, too; and the container's own process is there already, so that 1 says the same and
 * is what systemd can be told. */
int64_t limits_pids(int64_t limit)
{
    return limit == 0 ? 1 : limit;
}

static void add_pids(struct list *l, const struct oci_resources *r)
{
    struct limit *x = NULL;

    if (!r->pids_limit.set)
        return;
    l->section = "pids";
    x = add(l, "pids", PIDS_FILE, PIDS_FILE);
    x->v1_value = x->v2_value = or_max(l, limits_pids(r->pids_limit.v));
}

static bool is_of_pids(const struct limit *l)
{
    return l->v2_file != NULL && strcmp(l->v2_file, PIDS_FILE) == 0;
}

bool limits_has_pids(const struct oci_resources *r)
{
    for (size_t i = 0; i < r->unified.n; i++)
        if (strcmp(r->unified.v[i].key, PIDS_FILE) == 0)
            return true;
    return r->pids_limit.set && r->pids_limit.v >= 0;
}

void limits_keep(struct limits *l, enum limits_part part)
{
    size_t n = 0;

    for (size_t i = 0; i < l->n; i++)
        if (part == LIMITS_ALL || is_of_pids(&l->v[i]) == (part == LIMITS_PIDS))
            l->v[n++] = l->v[i];
    l->n = n;
}

static const struct {
    const char *v1;
    const char *v2_key;
} throttles[OCI_THROTTLES] = {
    [OCI_THROTTLE_READ_BPS] = {"blkio.throttle.read_bps_device", "rbps"},
    [OCI_THROTTLE_WRITE_BPS] = {"blkio.throttle.write_bps_device", "wbps"},
    [OCI_THROTTLE_READ_IOPS] = {"blkio.throttle.read_iops_device", "riops"},
    [OCI_THROTTLE_WRITE_IOPS] = {"blkio.throttle.write_iops_device", "wiops"},
};

/* 10 .. 1000, the range of config.json and of the BFQ scheduler, to 1 .. 10000 of io.weight. */
uint64_t limits_io_weight(uint64_t w)
{
    return w <= 10 ? 1 : 1 + ((w > 1000 ? 1000 : w) - 10) * 9999 / 990;
}

/* Without BFQ another scheduler has the weights. */
static void or_io_weight(struct list *l, const char *v1, const char *v2_value)
{
    struct limit *x = &l->out->v[l->out->n - 1];

    x->v1_other = v1;
    x->v2_other = "io.weight";
    x->v2_other_value = v2_value;
}

static void add_throttle(struct list *l, enum oci_throttle kind, const struct oci_blkio_device *d)
{
    struct limit *x = add(l, "blkio", throttles[kind].v1, "io.max");

    x->v1_value =
        arena_printf(l->a, "%" PRId64 ":%" PRId64 " %" PRIu64, d->major, d->minor, d->rate);
    x->v2_value = d->rate == 0 ? arena_printf(l->a, "%" PRId64 ":%" PRId64 " %s=max", d->major,
                                              d->minor, throttles[kind].v2_key)
                               : arena_printf(l->a, "%" PRId64 ":%" PRId64 " %s=%" PRIu64, d->major,
                                              d->minor, throttles[kind].v2_key, d->rate);
}

static void add_blkio(struct list *l, const struct oci_blkio *b)
{
    l->section = "blockIO";
    /* io.bfq.weight has the range that config.json speaks of. */
    add_u64(l, b->weight, "blkio", "blkio.bfq.weight", "io.bfq.weight");
    if (b->weight.set)
        or_io_weight(l, "blkio.weight", number_u(l, limits_io_weight(b->weight.v)));
    add_u64(l, b->leaf_weight, "blkio", "blkio.leaf_weight", NULL);
    for (size_t i = 0; i < b->weight_devices.n; i++) {
        const struct oci_blkio_device *d = &b->weight_devices.v[i];
        struct limit *x = NULL;

        if (d->leaf_weight.set) {
            x = add(l, "blkio", "blkio.leaf_weight_device", NULL);
            x->v1_value = arena_printf(l->a, "%" PRId64 ":%" PRId64 " %" PRIu64, d->major, d->minor,
                                       d->leaf_weight.v);
        }
        if (!d->weight.set)
            continue;
        x = add(l, "blkio", "blkio.bfq.weight_device", "io.bfq.weight");
        x->v1_value = x->v2_value =
            arena_printf(l->a, "%" PRId64 ":%" PRId64 " %" PRIu64, d->major, d->minor, d->weight.v);
        or_io_weight(l, "blkio.weight_device",
                     arena_printf(l->a, "%" PRId64 ":%" PRId64 " %" PRIu64, d->major, d->minor,
                                  limits_io_weight(d->weight.v)));
    }
    for (int k = 0; k < OCI_THROTTLES; k++)
        for (size_t i = 0; i < b->throttle[k].n; i++)
            add_throttle(l, (enum oci_throttle)k, &b->throttle[k].v[i]);
}

static void add_hugepages(struct list *l, const struct oci_resources *r)
{
    l->section = "hugepageLimits";
    for (size_t i = 0; i < r->hugepages_n; i++) {
        const struct oci_hugepage *h = &r->hugepages[i];
        struct limit *x =
            add(l, "hugetlb", arena_printf(l->a, "hugetlb.%s.limit_in_bytes", h->page_size),
                arena_printf(l->a, "hugetlb.%s.max", h->page_size));

        x->v1_value = x->v2_value = number_u(l, h->limit);
        /* Reserving is limited, too, where the kernel can. */
        x = add(l, "hugetlb", arena_printf(l->a, "hugetlb.%s.rsvd.limit_in_bytes", h->page_size),
                arena_printf(l->a, "hugetlb.%s.rsvd.max", h->page_size));
        x->v1_value = x->v2_value = number_u(l, h->limit);
        x->optional = true;
    }
}

static void add_network(struct list *l, const struct oci_resources *r)
{
    l->section = "network";
    add_u64(l, r->net_class_id, "net_cls", "net_cls.classid", NULL);
    for (size_t i = 0; i < r->net_priorities_n; i++) {
        struct limit *x = add(l, "net_prio", "net_prio.ifpriomap", NULL);

        x->v1_value =
            arena_printf(l->a, "%s %u", r->net_priorities[i].name, r->net_priorities[i].priority);
    }
}

static void add_rdma(struct list *l, const struct oci_resources *r)
{
    l->section = "rdma";
    for (size_t i = 0; i < r->rdma_n; i++) {
        const struct oci_rdma *d = &r->rdma[i];
        const char *handles =
            d->hca_handles.set ? arena_printf(l->a, " hca_handle=%" PRIu64, d->hca_handles.v) : "";
        const char *objects =
            d->hca_objects.set ? arena_printf(l->a, " hca_object=%" PRIu64, d->hca_objects.v) : "";
        struct limit *x = add(l, "rdma", "rdma.max", "rdma.max");

        x->v1_value = x->v2_value = arena_printf(l->a, "%s%s%s", d->name, handles, objects);
    }
}

static int add_unified(struct list *l, const struct oci_resources *r, struct err *err)
{
    l->section = "unified";
    for (size_t i = 0; i < r->unified.n; i++) {
        const struct oci_pair *p = &r->unified.v[i];
        struct limit *x = NULL;

        if (strchr(p->key, '/') != NULL || strchr(p->key, '.') == NULL)
            return err_set(err, 0,
                           "$.linux.resources.unified: the specified key has not the form "
                           "CONTROLLER.VALUE `%s`",
                           p->key);
        x = add(l, "unified", NULL, p->key);
        x->v2_value = p->value;
    }
    return 0;
}

static size_t count(const struct oci_resources *r)
{
    size_t n = FIXED_MAX + 2 * r->blkio.weight_devices.n + 2 * r->hugepages_n +
               r->net_priorities_n + r->rdma_n + r->unified.n;

    for (int k = 0; k < OCI_THROTTLES; k++)
        n += r->blkio.throttle[k].n;
    return n;
}

int limits_make(struct arena *a, const struct oci_resources *r, struct limits *out, struct err *err)
{
    struct list l = {.a = a, .out = out};

    *out = (struct limits){.v = arena_array(a, count(r), sizeof(struct limit))};
    if (out->v == NULL)
        return err_set(err, 0, "$.linux.resources: too many limits");
    if (add_memory(&l, r, err) < 0)
        return -1;
    add_cpu(&l, &r->cpu);
    add_pids(&l, r);
    add_blkio(&l, &r->blkio);
    add_hugepages(&l, r);
    add_network(&l, r);
    add_rdma(&l, r);
    if (add_unified(&l, r, err) < 0)
        return -1;
    return arena_failed(a) ? err_set(err, 0, "$.linux.resources: too many limits") : 0;
}

/* The kernel's period is one second, and 950 ms of it are there for all. */
void limits_add_realtime(const struct oci_resources *r, struct limits *l)
{
    struct list to = {.out = l, .section = "cpu"};
    struct limit *x = NULL;

    if (r->cpu.rt_runtime.set)
        return;
    x = add(&to, "cpu", "cpu.rt_runtime_us", NULL);
    x->v1_value = "100000";
    x->optional = true;
}

static bool blkio_is_empty(const struct oci_blkio *b)
{
    size_t n = b->weight_devices.n;

    for (int k = 0; k < OCI_THROTTLES; k++)
        n += b->throttle[k].n;
    return !b->weight.set && !b->leaf_weight.set && n == 0;
}

bool limits_is_empty(const struct oci_resources *r)
{
    const struct oci_memory *m = &r->memory;
    const struct oci_cpu *c = &r->cpu;

    return !m->limit.set && !m->reservation.set && !m->swap.set && !m->swappiness.set &&
           !m->kernel.set && !m->kernel_tcp.set && m->disable_oom_killer.v == 0 && !c->shares.set &&
           !c->quota.set && !c->period.set && c->burst.v == 0 && !c->rt_runtime.set &&
           !c->rt_period.set && c->idle.v == 0 && c->cpus == NULL && c->mems == NULL &&
           !(r->pids_limit.set && r->pids_limit.v >= 0) && blkio_is_empty(&r->blkio) &&
           r->hugepages_n == 0 && !r->net_class_id.set && r->net_priorities_n == 0 &&
           r->unified.n == 0 && r->rdma_n == 0;
}
