/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The linux.resources section. Numbers are taken as the document has them; what they mean on either
 * cgroup version is the business of the kernel room.
 */
#include <string.h>

#include "runtime/base/path.h"
#include "runtime/spec/oci_field.h"

#define DEV_NUMBER_MAX INT32_MAX

/* --- device rules ----------------------------------------------------------------------------- */

/* Absent or "a": all; -1 is "any" as an absent number is. */
static int load_rule_type(const struct load *ld, const struct jv *value, void *member,
                          struct err *err)
{
    static const struct field_name names[] = {{"a", 'a'}, {"c", 'c'}, {"b", 'b'},
                                              {"u", 'c'}, {"", 'a'},  {NULL, 0}};
    uint64_t type;

    (void)ld;
    if (field_name(value, names, &type, err) < 0)
        return -1;
    *(char *)member = (char)type;
    return 0;
}

static void dump_rule_type(struct jw *w, const char *key, const void *member)
{
    jw_str(w, key, (struct str){member, 1});
}

static int load_access(const struct load *ld, const struct jv *value, void *member, struct err *err)
{
    static const char letters[] = "rwm";
    const char *text;
    unsigned access = 0;

    if (field_text(ld, value, &text, err) < 0)
        return -1;
    for (; *text != '\0'; text++) {
        const char *at = strchr(letters, *text);

        if (at == NULL)
            return jv_err(value, err, "expected the letters r, w and m, found '%c'", *text);
        access |= 1U << (at - letters);
    }
    *(unsigned *)member = access;
    return 0;
}

static void dump_access(struct jw *w, const char *key, const void *member)
{
    unsigned access = *(const unsigned *)member;
    char text[4];
    size_t n = 0;

    if ((access & OCI_DEV_READ) != 0)
        text[n++] = 'r';
    if ((access & OCI_DEV_WRITE) != 0)
        text[n++] = 'w';
    if ((access & OCI_DEV_MKNOD) != 0)
        text[n++] = 'm';
    if (n > 0)
        jw_str(w, key, (struct str){text, n});
}

/* An absent number is "any", so these are no plain rows. Stored is number + 1 while loading, for a
 * zeroed struct must mean absent; check_rule takes it back. */
static int load_dev_number(const struct load *ld, const struct jv *value, void *member,
                           struct err *err)
{
    int64_t v;

    (void)ld;
    if (field_number(value, -1, DEV_NUMBER_MAX, &v, err) < 0)
        return -1;
    *(int64_t *)member = v + 1;
    return 0;
}

static void dump_dev_number(struct jw *w, const char *key, const void *member)
{
    int64_t v = *(const int64_t *)member;

    if (v >= 0)
        jw_int(w, key, v);
}

static int check_rule(const struct load *ld, const struct jv *at, void *obj, struct err *err)
{
    struct oci_device_rule *r = obj;

    (void)ld;
    (void)at;
    (void)err;
    r->major--;
    r->minor--;
    if (r->type == 0)
        r->type = 'a';
    return 0;
}

static const struct field rule_rows[] = {
    F_PLAIN(oci_device_rule, allow, "allow", FIELD_BOOL, FIELD_ALWAYS),
    F_OWN(oci_device_rule, type, "type", load_rule_type, dump_rule_type, 0),
    F_OWN(oci_device_rule, major, "major", load_dev_number, dump_dev_number, 0),
    F_OWN(oci_device_rule, minor, "minor", load_dev_number, dump_dev_number, 0),
    F_OWN(oci_device_rule, access, "access", load_access, dump_access, 0),
};

static const struct fields rule_fields = {FIELDS_OF(rule_rows), sizeof(struct oci_device_rule),
                                          FIELDS_NO_SET, check_rule};

/* --- memory, cpu, pids ------------------------------------------------------------------------ */

/* Go programs write 0 for "not set", and every other runtime takes it so. */
static void zero_is_unset(struct oci_u64 *n)
{
    n->set = n->v != 0;
}

static void zero_is_unset_int(struct oci_i64 *n)
{
    n->set = n->v != 0;
}

#define ROW_BYTES(m, key) F_NUMBER(oci_memory, m, key, FIELD_OPT_INT, 0, -1, INT64_MAX)

static const struct field memory_rows[] = {
    ROW_BYTES(limit, "limit"),
    ROW_BYTES(reservation, "reservation"),
    ROW_BYTES(swap, "swap"),
    ROW_BYTES(kernel, "kernel"),
    ROW_BYTES(kernel_tcp, "kernelTCP"),
    F_NUMBER(oci_memory, swappiness, "swappiness", FIELD_OPT_UINT, 0, 0, UINT64_MAX),
    F_PLAIN(oci_memory, disable_oom_killer, "disableOOMKiller", FIELD_OPT_BOOL, 0),
    F_PLAIN(oci_memory, use_hierarchy, "useHierarchy", FIELD_OPT_BOOL, 0),
    F_PLAIN(oci_memory, check_before_update, "checkBeforeUpdate", FIELD_OPT_BOOL, 0),
};

/* Some engines write 2^64 - 1 for "leave it as it is". */
static int check_memory(const struct load *ld, const struct jv *at, void *obj, struct err *err)
{
    struct oci_memory *m = obj;

    (void)ld;
    zero_is_unset_int(&m->limit);
    zero_is_unset_int(&m->reservation);
    if (jv_has(at, "limit")) /* without one it can only mean what it says: no swap */
        zero_is_unset_int(&m->swap);
    zero_is_unset_int(&m->kernel);
    zero_is_unset_int(&m->kernel_tcp);
    if (m->swappiness.v == UINT64_MAX)
        m->swappiness = (struct oci_u64){false, 0};
    if (m->swappiness.v > 200)
        return jv_err(at, err, "swappiness goes from 0 to 200");
    if (m->limit.set && m->swap.set && m->limit.v > 0 && m->swap.v > 0 && m->swap.v < m->limit.v)
        return jv_err(at, err, "swap (memory and swap together) is below limit");
    return 0;
}

static const struct fields memory_fields = {FIELDS_OF(memory_rows), sizeof(struct oci_memory),
                                            FIELDS_NO_SET, check_memory};

static const struct field cpu_rows[] = {
    F_NUMBER(oci_cpu, shares, "shares", FIELD_OPT_UINT, 0, 0, UINT64_MAX),
    F_NUMBER(oci_cpu, quota, "quota", FIELD_OPT_INT, 0, -1, INT64_MAX),
    F_NUMBER(oci_cpu, burst, "burst", FIELD_OPT_UINT, 0, 0, UINT64_MAX),
    F_NUMBER(oci_cpu, period, "period", FIELD_OPT_UINT, 0, 0, UINT64_MAX),
    F_NUMBER(oci_cpu, rt_runtime, "realtimeRuntime", FIELD_OPT_INT, 0, -1, INT64_MAX),
    F_NUMBER(oci_cpu, rt_period, "realtimePeriod", FIELD_OPT_UINT, 0, 0, UINT64_MAX),
    F_PLAIN(oci_cpu, cpus, "cpus", FIELD_LISTING, 0),
    F_PLAIN(oci_cpu, mems, "mems", FIELD_LISTING, 0),
    F_NUMBER(oci_cpu, idle, "idle", FIELD_OPT_INT, 0, 0, 1),
};

static int check_cpu(const struct load *ld, const struct jv *at, void *obj, struct err *err)
{
    struct oci_cpu *c = obj;

    (void)ld;
    (void)at;
    (void)err;
    zero_is_unset(&c->shares);
    zero_is_unset_int(&c->quota);
    zero_is_unset(&c->period);
    zero_is_unset_int(&c->rt_runtime);
    zero_is_unset(&c->rt_period);
    return 0;
}

static const struct fields cpu_fields = {FIELDS_OF(cpu_rows), sizeof(struct oci_cpu), FIELDS_NO_SET,
                                         check_cpu};

static const struct field pids_rows[] = {
    F_NUMBER(oci_resources, pids_limit, "limit", FIELD_OPT_INT, 0, -1, INT64_MAX),
};

static const struct fields pids_fields = {FIELDS_OF(pids_rows), 0, FIELDS_NO_SET, NULL};

static int load_pids(const struct load *ld, const struct jv *value, void *member, struct err *err)
{
    return fields_load(ld, value, &pids_fields, member, err);
}

static void dump_pids(struct jw *w, const char *key, const void *member)
{
    const struct oci_resources *r = member;

    if (!r->pids_limit.set)
        return;
    jw_object(w, key);
    fields_dump(w, &pids_fields, r);
    jw_end(w);
}

/* --- blockIO ---------------------------------------------------------------------------------- */

#define BLKIO_DEVICES_MAX     1024

#define ROW_WEIGHT(T, m, key) F_NUMBER(T, m, key, FIELD_OPT_UINT, 0, 0, 1000)

static int check_weight_device(const struct load *ld, const struct jv *at, void *obj,
                               struct err *err)
{
    struct oci_blkio_device *d = obj;

    (void)ld;
    if (!d->weight.set && !d->leaf_weight.set)
        return jv_err(at, err, "expected 'weight' or 'leafWeight', or both");
    zero_is_unset(&d->weight);
    zero_is_unset(&d->leaf_weight);
    return 0;
}

static int check_blkio(const struct load *ld, const struct jv *at, void *obj, struct err *err)
{
    struct oci_blkio *b = obj;

    (void)ld;
    (void)at;
    (void)err;
    zero_is_unset(&b->weight);
    zero_is_unset(&b->leaf_weight);
    return 0;
}

static const struct field weight_device_rows[] = {
    F_NUMBER(oci_blkio_device, major, "major", FIELD_I64, FIELD_REQUIRED, 0, DEV_NUMBER_MAX),
    F_NUMBER(oci_blkio_device, minor, "minor", FIELD_I64, FIELD_REQUIRED, 0, DEV_NUMBER_MAX),
    ROW_WEIGHT(oci_blkio_device, weight, "weight"),
    ROW_WEIGHT(oci_blkio_device, leaf_weight, "leafWeight"),
};

static const struct fields weight_device_fields = {FIELDS_OF(weight_device_rows),
                                                   sizeof(struct oci_blkio_device), FIELDS_NO_SET,
                                                   check_weight_device};

static const struct field throttle_rows[] = {
    F_NUMBER(oci_blkio_device, major, "major", FIELD_I64, FIELD_REQUIRED, 0, DEV_NUMBER_MAX),
    F_NUMBER(oci_blkio_device, minor, "minor", FIELD_I64, FIELD_REQUIRED, 0, DEV_NUMBER_MAX),
    F_NUMBER(oci_blkio_device, rate, "rate", FIELD_U64, FIELD_REQUIRED, 0, UINT64_MAX),
};

static const struct fields throttle_fields = {FIELDS_OF(throttle_rows),
                                              sizeof(struct oci_blkio_device), FIELDS_NO_SET, NULL};

#define ROW_THROTTLE(i, key) \
    F_LIST(oci_blkio, throttle[i].v, throttle[i].n, key, throttle_fields, BLKIO_DEVICES_MAX)

static const struct field blkio_rows[] = {
    ROW_WEIGHT(oci_blkio, weight, "weight"),
    ROW_WEIGHT(oci_blkio, leaf_weight, "leafWeight"),
    F_LIST(oci_blkio, weight_devices.v, weight_devices.n, "weightDevice", weight_device_fields,
           BLKIO_DEVICES_MAX),
    ROW_THROTTLE(OCI_THROTTLE_READ_BPS, "throttleReadBpsDevice"),
    ROW_THROTTLE(OCI_THROTTLE_WRITE_BPS, "throttleWriteBpsDevice"),
    ROW_THROTTLE(OCI_THROTTLE_READ_IOPS, "throttleReadIOPSDevice"),
    ROW_THROTTLE(OCI_THROTTLE_WRITE_IOPS, "throttleWriteIOPSDevice"),
};

static const struct fields blkio_fields = {FIELDS_OF(blkio_rows), sizeof(struct oci_blkio),
                                           FIELDS_NO_SET, check_blkio};

/* --- hugepages, network, rdma ----------------------------------------------------------------- */

/* "2MB": a number and B, KB, MB or GB, as the cgroup's file names have it. */
static bool is_page_size(const char *c)
{
    size_t digits = strspn(c, "0123456789");
    const char *unit = c + digits;

    return digits > 0 && digits < 8 && c[0] != '0' &&
           (strcmp(unit, "KB") == 0 || strcmp(unit, "MB") == 0 || strcmp(unit, "GB") == 0);
}

static int check_hugepage(const struct load *ld, const struct jv *at, void *obj, struct err *err)
{
    const struct oci_hugepage *h = obj;

    (void)ld;
    if (!is_page_size(h->page_size))
        return jv_err(at, err, "expected a page size such as '2MB', found '%.32s'", h->page_size);
    return 0;
}

static const struct field hugepage_rows[] = {
    F_PLAIN(oci_hugepage, page_size, "pageSize", FIELD_STR, FIELD_REQUIRED | FIELD_NOT_EMPTY),
    F_NUMBER(oci_hugepage, limit, "limit", FIELD_U64, FIELD_REQUIRED, 0, UINT64_MAX),
};

static const struct fields hugepage_fields = {FIELDS_OF(hugepage_rows), sizeof(struct oci_hugepage),
                                              FIELDS_NO_SET, check_hugepage};

static const struct field priority_rows[] = {
    F_PLAIN(oci_net_priority, name, "name", FIELD_STR, FIELD_REQUIRED | FIELD_NOT_EMPTY),
    F_NUMBER(oci_net_priority, priority, "priority", FIELD_U32, FIELD_REQUIRED, 0, UINT32_MAX),
};

static const struct fields priority_fields = {FIELDS_OF(priority_rows),
                                              sizeof(struct oci_net_priority), FIELDS_NO_SET, NULL};

static const struct field network_rows[] = {
    F_NUMBER(oci_resources, net_class_id, "classID", FIELD_OPT_UINT, 0, 0, UINT32_MAX),
    F_LIST(oci_resources, net_priorities, net_priorities_n, "priorities", priority_fields, 1024),
};

static const struct fields network_fields = {FIELDS_OF(network_rows), 0, FIELDS_NO_SET, NULL};

static int load_network(const struct load *ld, const struct jv *value, void *member,
                        struct err *err)
{
    return fields_load(ld, value, &network_fields, member, err);
}

static void dump_network(struct jw *w, const char *key, const void *member)
{
    const struct oci_resources *r = member;

    if (!r->net_class_id.set && r->net_priorities_n == 0)
        return;
    jw_object(w, key);
    fields_dump(w, &network_fields, r);
    jw_end(w);
}

static int check_rdma(const struct load *ld, const struct jv *at, void *obj, struct err *err)
{
    const struct oci_rdma *r = obj;

    (void)ld;
    if (!r->hca_handles.set && !r->hca_objects.set)
        return jv_err(at, err, "expected 'hcaHandles' or 'hcaObjects', or both");
    return 0;
}

static const struct field rdma_rows[] = {
    F_NUMBER(oci_rdma, hca_handles, "hcaHandles", FIELD_OPT_UINT, 0, 0, UINT32_MAX),
    F_NUMBER(oci_rdma, hca_objects, "hcaObjects", FIELD_OPT_UINT, 0, 0, UINT32_MAX),
};

static const struct fields rdma_fields = {FIELDS_OF(rdma_rows), sizeof(struct oci_rdma),
                                          FIELDS_NO_SET, check_rdma};

static int load_rdma(const struct load *ld, const struct jv *value, void *member, struct err *err)
{
    struct oci_resources *r = container_of(member, struct oci_resources, rdma);
    void *it = NULL, *v;
    struct jv m;
    size_t n;

    if (field_object(value, OCI_PAIRS_MAX, &n, err) < 0 ||
        field_array_new(ld, value, n, sizeof(struct oci_rdma), &v, err) < 0)
        return -1;
    r->rdma = v;
    while (jv_next(value, &it, &m)) {
        struct oci_rdma *out = &r->rdma[r->rdma_n++];

        out->name = arena_copy(ld->a, str_of(m.key));
        if (out->name == NULL || !path_is_name(str_of(m.key)) || strchr(m.key, ' ') != NULL)
            return jv_err(&m, err, "this is no name of a device");
        if (fields_load(ld, &m, &rdma_fields, out, err) < 0)
            return -1;
    }
    return 0;
}

static void dump_rdma(struct jw *w, const char *key, const void *member)
{
    const struct oci_resources *r =
        (const void *)((const char *)member - offsetof(struct oci_resources, rdma));

    if (r->rdma_n == 0)
        return;
    jw_object(w, key);
    for (size_t i = 0; i < r->rdma_n; i++) {
        jw_object(w, r->rdma[i].name);
        fields_dump(w, &rdma_fields, &r->rdma[i]);
        jw_end(w);
    }
    jw_end(w);
}

/* --- the whole -------------------------------------------------------------------------------- */

static int check_resources(const struct load *ld, const struct jv *at, void *obj, struct err *err)
{
    const struct oci_resources *r = obj;

    (void)ld;
    for (size_t i = 0; i < r->unified.n; i++)
        if (!path_is_name(str_of(r->unified.v[i].key)))
            return jv_err(at, err, "unified: '%.64s' is no name of a file", r->unified.v[i].key);
    return 0;
}

static const struct field resources_rows[] = {
    F_LIST(oci_resources, devices, devices_n, "devices", rule_fields, OCI_DEVICES_MAX),
    F_OBJECT(oci_resources, memory, "memory", memory_fields),
    F_OBJECT(oci_resources, cpu, "cpu", cpu_fields),
    {.key = "pids", .kind = FIELD_OWN, .load = load_pids, .dump = dump_pids},
    F_OBJECT(oci_resources, blkio, "blockIO", blkio_fields),
    F_LIST(oci_resources, hugepages, hugepages_n, "hugepageLimits", hugepage_fields, 64),
    {.key = "network", .kind = FIELD_OWN, .load = load_network, .dump = dump_network},
    F_OWN(oci_resources, rdma, "rdma", load_rdma, dump_rdma, 0),
    F_STRINGS(oci_resources, unified, "unified", FIELD_PAIRS, 0, OCI_PAIRS_MAX),
};

const struct fields oci_fields_resources = {FIELDS_OF(resources_rows), sizeof(struct oci_resources),
                                            FIELDS_NO_SET, check_resources};
