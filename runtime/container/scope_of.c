/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/container/scope_of.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/num.h"
#include "runtime/base/str.h"
#include "runtime/container/limits.h"
#include "runtime/kernel/cgroup_devices.h"
#include "runtime/kernel/dbus_value.h"
#include "runtime/kernel/idlist.h"
#include "runtime/spec/oci.h"

#define PERIOD_US 100000 /* the kernel's */
#define SECOND_US 1000000
#define ROUND_US  10000 /* systemd keeps hundredths of a second */

struct list {
    struct arena *a;
    struct scope_properties *out;
    struct err *err;
    bool failed;
    struct scope_property beyond; /* what is filled in where the list is full */
};

/* That it is full is told at the end. */
static struct scope_property *add(struct list *l, const char *name, enum scope_kind kind)
{
    if (l->out->n >= SCOPE_PROPERTIES_MAX) {
        (void)err_set(l->err, E2BIG, "more than %d properties of a unit", SCOPE_PROPERTIES_MAX);
        l->failed = true;
        return &l->beyond;
    }
    l->out->v[l->out->n] = (struct scope_property){.name = name, .kind = kind};
    return &l->out->v[l->out->n++];
}

static struct scope_property *add_number(struct list *l, const char *name, uint64_t number)
{
    struct scope_property *p = add(l, name, SCOPE_U64);

    p->number = number;
    return p;
}

static uint64_t or_infinity(int64_t v)
{
    return v < 0 ? UINT64_MAX : (uint64_t)v;
}

/* --- cpu -------------------------------------------------------------------------------------- */

#define SINCE_PERIOD 242
#define SINCE_CPUS   244
#define SINCE_IDLE   252

static void add_quota(struct list *l, int64_t quota_us, uint64_t period_us)
{
    uint64_t each = UINT64_MAX;

    if (period_us == 0)
        period_us = PERIOD_US;
    if (quota_us > 0 && (uint64_t)quota_us < UINT64_MAX / SECOND_US) {
        each = (uint64_t)quota_us * SECOND_US / period_us;
        each = (each + ROUND_US - 1) / ROUND_US * ROUND_US;
    }
    (void)add_number(l, "CPUQuotaPerSecUSec", each);
}

static void add_period(struct list *l, uint64_t period_us)
{
    add_number(l, "CPUQuotaPeriodUSec", period_us)->since = SINCE_PERIOD;
}

/* A mask, the lowest number in the lowest bit of the first byte. An empty list takes it back. */
static void add_mask(struct list *l, const char *name, const char *text)
{
    struct scope_property *p = NULL;
    struct idlist ids = {0};
    struct err ignored; /* the kernel is the judge of what was written */
    uint8_t *bytes = NULL;
    size_t n = 0;

    if (text == NULL || (text[0] != '\0' && idlist_parse(text, &ids, &ignored) < 0))
        return;
    n = (size_t)(idlist_top(&ids) + 8) / 8;
    bytes = arena_alloc(l->a, n);
    if (bytes == NULL) {
        l->failed = true;
        (void)err_set(l->err, ENOMEM, "a list of cpus");
        return;
    }
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(ids.v[i * 8 / IDLIST_WORD] >> i * 8 % IDLIST_WORD);
    p = add(l, name, SCOPE_BYTES);
    p->since = SINCE_CPUS;
    p->bytes = bytes;
    p->bytes_n = n;
}

static void add_cpu(struct list *l, const struct oci_cpu *c, bool unified)
{
    if (unified && c->idle.set && c->idle.v != 0)
        add_number(l, "CPUWeight", 0)->since = SINCE_IDLE;
    else if (c->shares.set && c->shares.v != 0)
        (void)add_number(l, unified ? "CPUWeight" : "CPUShares",
                         unified ? limits_cpu_weight(c->shares.v) : c->shares.v);
    if (c->quota.set)
        add_quota(l, c->quota.v, c->period.set ? c->period.v : 0);
    if (c->quota.set && c->period.set && c->period.v > 0)
        add_period(l, c->period.v);
    if (unified) {
        add_mask(l, "AllowedCPUs", c->cpus);
        add_mask(l, "AllowedMemoryNodes", c->mems);
    }
}

/* --- files of v2 by name ---------------------------------------------------------------------- */

static void file_number(struct list *l, const char *name, struct str value)
{
    uint64_t v = UINT64_MAX;
    struct err ignored; /* the kernel is the judge of what was written */

    if (!str_eq_c(value, "max") && num_parse_u64(value, 0, UINT64_MAX, &v, &ignored) < 0)
        return;
    (void)add_number(l, name, v);
}

/* "max 100000", "50000 100000", "50000" */
static void file_cpu_max(struct list *l, const char *name, struct str value)
{
    struct str quota = value, period = STR_NONE;
    uint64_t quota_us = 0, period_us = PERIOD_US;
    struct err ignored;

    (void)name;
    (void)str_cut(value, ' ', &quota, &period); /* the period may be absent */
    if (!str_eq_c(quota, "max") && num_parse_u64(quota, 1, INT64_MAX, &quota_us, &ignored) < 0)
        return;
    if (period.n > 0 && num_parse_u64(period, 1, UINT32_MAX, &period_us, &ignored) < 0)
        return;
    add_quota(l, (int64_t)quota_us, period_us);
    if (period.n > 0)
        add_period(l, period_us);
}

static void file_mask(struct list *l, const char *name, struct str value)
{
    add_mask(l, name, arena_copy(l->a, value));
}

static const struct {
    const char *file;
    const char *name;
    void (*add)(struct list *l, const char *name, struct str value);
} files[] = {
    {"cpu.max", "CPUQuotaPerSecUSec", file_cpu_max},
    {"cpu.weight", "CPUWeight", file_number},
    {"cpuset.cpus", "AllowedCPUs", file_mask},
    {"cpuset.mems", "AllowedMemoryNodes", file_mask},
    {"memory.high", "MemoryHigh", file_number},
    {"memory.low", "MemoryLow", file_number},
    {"memory.max", "MemoryMax", file_number},
    {"memory.min", "MemoryMin", file_number},
    {"memory.swap.max", "MemorySwapMax", file_number},
    {"pids.max", "TasksMax", file_number},
};

static void add_files(struct list *l, const struct oci_pairs *unified)
{
    for (size_t i = 0; i < unified->n; i++)
        for (size_t k = 0; k < ARRAY_N(files); k++)
            if (strcmp(unified->v[i].key, files[k].file) == 0)
                files[k].add(l, files[k].name, str_trim(str_of(unified->v[i].value)));
}

int scope_of(struct arena *a, const struct oci_resources *r, bool unified,
             struct scope_properties *out, struct err *err)
{
    struct list l = {.a = a, .out = out, .err = err};
    const struct oci_memory *m = &r->memory;

    if (m->limit.set)
        (void)add_number(&l, unified ? "MemoryMax" : "MemoryLimit", or_infinity(m->limit.v));
    if (unified && m->reservation.set)
        (void)add_number(&l, "MemoryLow", or_infinity(m->reservation.v));
    if (unified && m->swap.set && m->limit.set && (m->swap.v < 0 || m->swap.v >= m->limit.v))
        (void)add_number(&l, "MemorySwapMax",
                         m->swap.v < 0    ? UINT64_MAX
                         : m->limit.v < 0 ? (uint64_t)m->swap.v
                                          : (uint64_t)(m->swap.v - m->limit.v));
    if (unified && !m->swap.set && m->limit.set && m->limit.v < 0)
        (void)add_number(&l, "MemorySwapMax", UINT64_MAX);
    if (unified && m->swap.set && m->swap.v == 0 && !m->limit.set)
        (void)add_number(&l, "MemorySwapMax", 0);
    add_cpu(&l, &r->cpu, unified);
    if (r->blkio.weight.set && r->blkio.weight.v != 0)
        (void)add_number(&l, unified ? "IOWeight" : "BlockIOWeight",
                         unified ? limits_io_weight(r->blkio.weight.v) : r->blkio.weight.v);
    if (r->pids_limit.set)
        (void)add_number(&l, "TasksMax",
                         r->pids_limit.v < 0 ? UINT64_MAX : (uint64_t)limits_pids(r->pids_limit.v));
    if (unified)
        add_files(&l, &r->unified);
    return l.failed ? -1 : 0;
}

/* --- devices ---------------------------------------------------------------------------------- */

static bool device_words(struct arena *a, const struct cgroup_device *d, struct scope_device *out)
{
    const char *kind = d->type == 'b' ? "block" : "char";

    if (d->type != 'b' && d->type != 'c')
        return false;
    if (d->major < 0 && d->minor >= 0)
        return false;
    if (d->major < 0)
        out->path = arena_printf(a, "%s-*", kind);
    else if (d->minor < 0)
        out->path = arena_printf(a, "%s-%" PRId64, kind, d->major);
    else
        out->path = arena_printf(a, "/dev/%s/%" PRId64 ":%" PRId64, kind, d->major, d->minor);
    out->access = arena_printf(a, "%s%s%s", (d->access & CGROUP_DEVICE_READ) != 0 ? "r" : "",
                               (d->access & CGROUP_DEVICE_WRITE) != 0 ? "w" : "",
                               (d->access & CGROUP_DEVICE_MKNOD) != 0 ? "m" : "");
    return out->path != NULL && out->access != NULL;
}

int scope_of_devices(struct arena *a, const struct cgroup_devices *d, struct scope_properties *out,
                     struct err *err)
{
    struct list l = {.a = a, .out = out, .err = err};
    struct scope_device *devices = arena_array(a, d->n + 1, sizeof *devices);
    bool told = !d->allow;
    struct scope_property *p = NULL;

    if (devices == NULL)
        return err_set(err, ENOMEM, "device rules");
    for (size_t i = 0; told && i < d->n; i++)
        told = device_words(a, &d->v[i], &devices[i]);
    add(&l, "DevicePolicy", SCOPE_TEXT)->text = told ? "strict" : "auto";
    p = add(&l, "DeviceAllow", SCOPE_DEVICES);
    p->devices = devices;
    p->devices_n = told ? d->n : 0;
    return l.failed ? -1 : 0;
}

/* --- annotations ------------------------------------------------------------------------------ */

#define PREFIX "org.systemd.property."

static bool is_property(struct str name)
{
    for (size_t i = 0; i < name.n; i++)
        if (!ascii_is_alpha(name.p[i]))
            return false;
    return name.n > 2;
}

/* "TimeoutStopSec" is "TimeoutStopUSec" on the bus, in millionths, and so on. */
static int to_usec(struct list *l, struct scope_property *p, struct str name)
{
    const struct dbus_value *v = p->value;

    if (!str_ends(name, STR("Sec")) || str_ends(name, STR("USec")) || name.n < 4)
        return 0;
    if (v->kind != 'i' || v->negative || v->number > UINT64_MAX / SECOND_US)
        return err_set(l->err, EINVAL, "expected seconds");
    p->name = arena_printf(l->a, "%.*sUSec", STR_ARG(str_head(name, name.n - 3)));
    p->kind = SCOPE_U64;
    p->number = v->number * SECOND_US;
    return p->name == NULL ? err_set(l->err, ENOMEM, "a property") : 0;
}

static int add_annotation(struct list *l, struct str name, const char *text)
{
    struct scope_property *p = NULL;

    if (!is_property(name))
        return err_set(l->err, EINVAL, "no name of a property");
    p = add(l, name.p, SCOPE_VALUE);
    if (l->failed)
        return -1;
    p->value = dbus_value_parse(l->a, str_of(text), l->err);
    return p->value == NULL ? -1 : to_usec(l, p, name);
}

int scope_of_annotations(struct arena *a, const struct oci_pairs *annotations,
                         struct scope_properties *out, struct err *err)
{
    struct list l = {.a = a, .out = out, .err = err};

    for (size_t i = 0; i < annotations->n; i++) {
        struct str key = str_of(annotations->v[i].key);

        if (str_starts(key, STR(PREFIX)) &&
            add_annotation(&l, str_skip(key, sizeof PREFIX - 1), annotations->v[i].value) < 0)
            return err_wrap(err, "$.annotations['%.*s']", STR_ARG(str_head(key, 128)));
    }
    return 0;
}
