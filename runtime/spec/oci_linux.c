/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The linux section: namespaces, id maps, devices and what is left; resources and seccomp have
 * files of their own.
 */
#include <linux/mempolicy.h>
#include <sched.h>
#include <string.h>
#include <sys/personality.h>

#include "runtime/base/path.h"
#include "runtime/spec/oci_field.h"

/* --- namespaces ------------------------------------------------------------------------------- */

const char *const oci_ns_names[OCI_NS_KINDS + 1] = {
    [OCI_NS_USER] = "user",   [OCI_NS_CGROUP] = "cgroup",   [OCI_NS_IPC] = "ipc",
    [OCI_NS_UTS] = "uts",     [OCI_NS_NETWORK] = "network", [OCI_NS_PID] = "pid",
    [OCI_NS_MOUNT] = "mount", [OCI_NS_TIME] = "time",
};

const uint64_t oci_ns_clone_flag[OCI_NS_KINDS] = {
    [OCI_NS_USER] = CLONE_NEWUSER,   [OCI_NS_CGROUP] = CLONE_NEWCGROUP,
    [OCI_NS_IPC] = CLONE_NEWIPC,     [OCI_NS_UTS] = CLONE_NEWUTS,
    [OCI_NS_NETWORK] = CLONE_NEWNET, [OCI_NS_PID] = CLONE_NEWPID,
    [OCI_NS_MOUNT] = CLONE_NEWNS,    [OCI_NS_TIME] = 0x80, /* CLONE_NEWTIME, newer than glibc's */
};

static const struct field_name ns_kind_names[] = {
    {"user", OCI_NS_USER},   {"cgroup", OCI_NS_CGROUP},   {"ipc", OCI_NS_IPC},
    {"uts", OCI_NS_UTS},     {"network", OCI_NS_NETWORK}, {"pid", OCI_NS_PID},
    {"mount", OCI_NS_MOUNT}, {"time", OCI_NS_TIME},       {NULL, 0},
};

struct ns_row {
    int kind;
    const char *path;
};

static const struct field ns_rows[] = {
    F_NAME(ns_row, kind, "type", ns_kind_names, FIELD_REQUIRED),
    F_PLAIN(ns_row, path, "path", FIELD_PATH, 0),
};

static const struct fields ns_fields = {FIELDS_OF(ns_rows), sizeof(struct ns_row), FIELDS_NO_SET,
                                        NULL};

static int load_namespaces(const struct load *ld, const struct jv *value, void *member,
                           struct err *err)
{
    struct oci_namespace *ns = member;
    size_t n;

    if (field_array(value, OCI_NS_KINDS * 2UL, &n, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        struct jv e = jv_elem(value, i);
        struct ns_row row = {0, NULL};

        if (fields_load(ld, &e, &ns_fields, &row, err) < 0)
            return -1;
        if (ns[row.kind].mode != OCI_NS_HOST)
            return jv_err(&e, err, "the namespace '%s' is listed twice", oci_ns_names[row.kind]);
        ns[row.kind].mode = row.path == NULL ? OCI_NS_NEW : OCI_NS_JOIN;
        ns[row.kind].path = row.path;
    }
    return 0;
}

static void dump_namespaces(struct jw *w, const char *key, const void *member)
{
    const struct oci_namespace *ns = member;

    jw_array(w, key);
    for (int i = 0; i < OCI_NS_KINDS; i++) {
        if (ns[i].mode == OCI_NS_HOST)
            continue;
        jw_object(w, NULL);
        jw_c(w, "type", oci_ns_names[i]);
        if (ns[i].path != NULL)
            jw_c(w, "path", ns[i].path);
        jw_end(w);
    }
    jw_end(w);
}

/* --- id maps ---------------------------------------------------------------------------------- */

static int check_idmap(const struct load *ld, const struct jv *at, void *obj, struct err *err)
{
    const struct oci_idmap *m = obj;

    (void)ld;
    if ((uint64_t)m->container_id + m->size > UINT32_MAX ||
        (uint64_t)m->host_id + m->size > UINT32_MAX)
        return jv_err(at, err, "the mapping goes beyond the id 4294967294");
    return 0;
}

static const struct field idmap_rows[] = {
    F_NUMBER(oci_idmap, container_id, "containerID", FIELD_U32, FIELD_REQUIRED, 0, UINT32_MAX - 1),
    F_NUMBER(oci_idmap, host_id, "hostID", FIELD_U32, FIELD_REQUIRED, 0, UINT32_MAX - 1),
    F_NUMBER(oci_idmap, size, "size", FIELD_U32, FIELD_REQUIRED, 1, UINT32_MAX),
};

const struct fields oci_fields_idmap = {FIELDS_OF(idmap_rows), sizeof(struct oci_idmap),
                                        FIELDS_NO_SET, check_idmap};

/* --- devices ---------------------------------------------------------------------------------- */

#define MAJOR_MAX 4095    /* 12 bits in the kernel */
#define MINOR_MAX 1048575 /* 20 bits */

/* "u" is a character device too. */
static int load_device_type(const struct load *ld, const struct jv *value, void *member,
                            struct err *err)
{
    static const struct field_name names[] = {
        {"c", 'c'}, {"b", 'b'}, {"u", 'c'}, {"p", 'p'}, {NULL, 0}};
    uint64_t type;

    (void)ld;
    if (field_name(value, names, &type, err) < 0)
        return -1;
    *(char *)member = (char)type;
    return 0;
}

static void dump_char(struct jw *w, const char *key, const void *member)
{
    jw_str(w, key, (struct str){member, 1});
}

/* Go programs write the file type into fileMode too; the type of the device says that already. */
static int check_device(const struct load *ld, const struct jv *at, void *obj, struct err *err)
{
    struct oci_device *d = obj;
    size_t n = strlen(d->path);

    if (d->type != 'p' && (jv_member(at, "major").v == NULL || jv_member(at, "minor").v == NULL))
        return jv_err(at, err, "a device of this type needs 'major' and 'minor'");
    while (n > 1 && d->path[n - 1] == '/')
        n--;
    d->mode.v &= 07777;
    d->path = arena_copy(ld->a, (struct str){d->path, n});
    return d->path == NULL ? jv_err(at, err, "out of memory") : 0;
}

static const struct field device_rows[] = {
    F_PLAIN(oci_device, path, "path", FIELD_PATH, FIELD_REQUIRED | FIELD_NOT_EMPTY),
    F_OWN(oci_device, type, "type", load_device_type, dump_char, FIELD_REQUIRED),
    F_NUMBER(oci_device, major, "major", FIELD_I64, FIELD_ALWAYS, 0, MAJOR_MAX),
    F_NUMBER(oci_device, minor, "minor", FIELD_I64, FIELD_ALWAYS, 0, MINOR_MAX),
    F_NUMBER(oci_device, mode, "fileMode", FIELD_OPT_UINT, 0, 0, UINT32_MAX),
    F_NUMBER(oci_device, uid, "uid", FIELD_OPT_UINT, 0, 0, UINT32_MAX - 1),
    F_NUMBER(oci_device, gid, "gid", FIELD_OPT_UINT, 0, 0, UINT32_MAX - 1),
};

static const struct fields device_fields = {FIELDS_OF(device_rows), sizeof(struct oci_device),
                                            FIELDS_NO_SET, check_device};

#define IF_NAME_MAX 15 /* IFNAMSIZ without the NUL */

static bool is_if_name(const char *c)
{
    struct str s = str_of(c);

    return path_is_name(s) && s.n <= IF_NAME_MAX && str_find_any(s, ": \t\r\n\f\v") < 0;
}

/* A name, or one with "%d" in it for which the kernel finds a number. */
static bool is_if_template(const char *c)
{
    const char *at = strchr(c, '%');

    return is_if_name(c) && (at == NULL || (at[1] == 'd' && strchr(at + 1, '%') == NULL));
}

static const struct field net_device_rows[] = {
    F_PLAIN(oci_net_device, new_name, "name", FIELD_STR, 0),
};

static const struct fields net_device_fields = {FIELDS_OF(net_device_rows),
                                                sizeof(struct oci_net_device), FIELDS_NO_SET, NULL};

static int load_net_device(const struct load *ld, const struct jv *m, struct oci_net_device *out,
                           struct err *err)
{
    out->name = arena_copy(ld->a, str_of(m->key));
    if (out->name == NULL || !is_if_name(out->name) || strchr(out->name, '%') != NULL)
        return jv_err(m, err, "this is no name of a network device");
    if (fields_load(ld, m, &net_device_fields, out, err) < 0)
        return -1;
    if (out->new_name != NULL && !is_if_template(out->new_name))
        return jv_err(m, err, "'%.64s' is no name of a network device", out->new_name);
    return 0;
}

static int load_net_devices(const struct load *ld, const struct jv *value, void *member,
                            struct err *err)
{
    struct oci_linux *l = container_of(member, struct oci_linux, net_devices);
    void *it = NULL, *v;
    struct jv m;
    size_t n;

    if (field_object(value, OCI_PAIRS_MAX, &n, err) < 0 ||
        field_array_new(ld, value, n, sizeof(struct oci_net_device), &v, err) < 0)
        return -1;
    l->net_devices = v;
    while (jv_next(value, &it, &m))
        if (load_net_device(ld, &m, &l->net_devices[l->net_devices_n++], err) < 0)
            return -1;
    return 0;
}

static void dump_net_devices(struct jw *w, const char *key, const void *member)
{
    const struct oci_linux *l =
        (const void *)((const char *)member - offsetof(struct oci_linux, net_devices));

    if (l->net_devices_n == 0)
        return;
    jw_object(w, key);
    for (size_t i = 0; i < l->net_devices_n; i++) {
        jw_object(w, l->net_devices[i].name);
        fields_dump(w, &net_device_fields, &l->net_devices[i]);
        jw_end(w);
    }
    jw_end(w);
}

/* --- the small sections ----------------------------------------------------------------------- */

static const struct field offset_rows[] = {
    F_NUMBER(oci_time_offset, secs, "secs", FIELD_I64, FIELD_ALWAYS, INT64_MIN, INT64_MAX),
    F_NUMBER(oci_time_offset, nanosecs, "nanosecs", FIELD_U32, 0, 0, 999999999),
};

static const struct fields offset_fields = {FIELDS_OF(offset_rows), sizeof(struct oci_time_offset),
                                            offsetof(struct oci_time_offset, set), NULL};

static const struct field offsets_rows[] = {
    F_OBJECT(oci_linux, monotonic, "monotonic", offset_fields),
    F_OBJECT(oci_linux, boottime, "boottime", offset_fields),
};

static const struct fields offsets_fields = {FIELDS_OF(offsets_rows), 0, FIELDS_NO_SET, NULL};

/* The keys are clock names: a clock that cannot be moved is an error, not an extension. */
static int load_offsets(const struct load *ld, const struct jv *value, void *member,
                        struct err *err)
{
    static const char *const clocks[] = {"monotonic", "boottime", NULL};

    if (jv_is_object(value, err) < 0 || jv_only(value, clocks, err) < 0)
        return -1;
    return fields_load(ld, value, &offsets_fields, member, err);
}

static void dump_offsets(struct jw *w, const char *key, const void *member)
{
    const struct oci_linux *l = member;

    if (!l->monotonic.set && !l->boottime.set)
        return;
    jw_object(w, key);
    fields_dump(w, &offsets_fields, l);
    jw_end(w);
}

/* One line of a file: what follows a newline would be a line of its own. */
static int check_line(const struct jv *at, const char *key, const char *line, struct err *err)
{
    if (line == NULL || strchr(line, '\n') == NULL)
        return 0;
    return jv_err(at, err, "%s: expected one line", key);
}

static int check_rdt(const struct load *ld, const struct jv *at, void *obj, struct err *err)
{
    const struct oci_rdt *r = obj;

    (void)ld;
    if (r->clos_id != NULL && strcmp(r->clos_id, "/") != 0 && !path_is_name(str_of(r->clos_id)))
        return jv_err(at, err, "the closID '%.64s' is no name of a directory", r->clos_id);
    if (r->mem_bw_schema != NULL && strncmp(r->mem_bw_schema, "MB:", 3) != 0)
        return jv_err(at, err, "memBwSchema: expected 'MB:...', found '%.64s'", r->mem_bw_schema);
    for (size_t i = 0; i < r->schemata.n; i++)
        if (check_line(at, "schemata", r->schemata.v[i], err) < 0)
            return -1;
    return check_line(at, "memBwSchema", r->mem_bw_schema, err);
}

static const struct field rdt_rows[] = {
    F_PLAIN(oci_rdt, clos_id, "closID", FIELD_STR, 0),
    F_STRINGS(oci_rdt, schemata, "schemata", FIELD_STRINGS, 0, 1024),
    F_PLAIN(oci_rdt, l3_cache_schema, "l3CacheSchema", FIELD_STR, 0),
    F_PLAIN(oci_rdt, mem_bw_schema, "memBwSchema", FIELD_STR, 0),
    F_PLAIN(oci_rdt, enable_monitoring, "enableMonitoring", FIELD_BOOL, 0),
};

static const struct fields rdt_fields = {FIELDS_OF(rdt_rows), sizeof(struct oci_rdt),
                                         offsetof(struct oci_rdt, set), check_rdt};

/* Newer than the kernel headers this is built with. */
#define MPOL_PREFERRED_MANY_      5
#define MPOL_WEIGHTED_INTERLEAVE_ 6
#define MPOL_F_NUMA_BALANCING_    (1 << 13)

const struct field_name oci_mpol_mode_names[] = {
    {"MPOL_DEFAULT", MPOL_DEFAULT},       {"MPOL_BIND", MPOL_BIND},
    {"MPOL_INTERLEAVE", MPOL_INTERLEAVE}, {"MPOL_WEIGHTED_INTERLEAVE", MPOL_WEIGHTED_INTERLEAVE_},
    {"MPOL_PREFERRED", MPOL_PREFERRED},   {"MPOL_PREFERRED_MANY", MPOL_PREFERRED_MANY_},
    {"MPOL_LOCAL", MPOL_LOCAL},           {NULL, 0},
};

const struct field_name oci_mpol_flag_names[] = {
    {"MPOL_F_NUMA_BALANCING", MPOL_F_NUMA_BALANCING_},
    {"MPOL_F_RELATIVE_NODES", MPOL_F_RELATIVE_NODES},
    {"MPOL_F_STATIC_NODES", MPOL_F_STATIC_NODES},
    {NULL, 0},
};

static const struct field mempolicy_rows[] = {
    F_NAME(oci_memory_policy, mode, "mode", oci_mpol_mode_names, FIELD_REQUIRED),
    F_PLAIN(oci_memory_policy, nodes, "nodes", FIELD_LISTING, 0),
    F_MASK(oci_memory_policy, flags, "flags", oci_mpol_flag_names),
};

static const struct fields mempolicy_fields = {FIELDS_OF(mempolicy_rows),
                                               sizeof(struct oci_memory_policy),
                                               offsetof(struct oci_memory_policy, set), NULL};

static const struct field_name personality_names[] = {
    {"LINUX", PER_LINUX}, {"LINUX32", PER_LINUX32}, {NULL, 0}};

static int load_personality(const struct load *ld, const struct jv *value, void *member,
                            struct err *err)
{
    struct oci_linux *l = container_of(member, struct oci_linux, personality);
    struct jv domain, flags;
    uint64_t v;

    (void)ld;
    if (jv_is_object(value, err) < 0)
        return -1;
    domain = jv_member(value, "domain");
    flags = jv_member(value, "flags");
    if (domain.v == NULL)
        return jv_err(value, err, "the key 'domain' is missing");
    if (field_name(&domain, personality_names, &v, err) < 0)
        return -1;
    if (jv_n(&flags) > 0)
        return jv_err(&flags, err, "the specification defines no flags yet");
    l->personality_set = true;
    l->personality = v;
    return 0;
}

static void dump_personality(struct jw *w, const char *key, const void *member)
{
    const struct oci_linux *l =
        (const void *)((const char *)member - offsetof(struct oci_linux, personality));

    if (!l->personality_set)
        return;
    jw_object(w, key);
    jw_c(w, "domain", field_name_of(personality_names, l->personality));
    jw_end(w);
}

/* --- the whole -------------------------------------------------------------------------------- */

/* Two ranges of one map must not overlap on either side: the kernel would say just EINVAL. */
static int check_maps(const struct jv *at, const struct oci_idmaps *maps, const char *key,
                      struct err *err)
{
    for (size_t i = 0; i < maps->n; i++)
        for (size_t j = 0; j < i; j++) {
            const struct oci_idmap *a = &maps->v[i], *b = &maps->v[j];
            bool inside = a->container_id < b->container_id + b->size &&
                          b->container_id < a->container_id + a->size;
            bool outside = a->host_id < b->host_id + b->size && b->host_id < a->host_id + a->size;

            if (inside || outside)
                return jv_err(at, err, "%s[%zu] overlaps %s[%zu]", key, i, key, j);
        }
    return 0;
}

int oci_map_root(struct arena *a, uint32_t id, struct oci_idmaps *maps, struct err *err)
{
    maps->v = arena_array(a, 1, sizeof *maps->v);
    if (maps->v == NULL)
        return err_set(err, ENOMEM, "the mappings of ids");
    maps->v[0] = (struct oci_idmap){.container_id = 0, .host_id = id, .size = 1};
    maps->n = 1;
    return 0;
}

static int check_linux(const struct load *ld, const struct jv *at, void *obj, struct err *err)
{
    const struct oci_linux *l = obj;

    (void)ld;
    if (check_maps(at, &l->uid_maps, "uidMappings", err) < 0)
        return -1;
    return check_maps(at, &l->gid_maps, "gidMappings", err);
}

static const struct field linux_rows[] = {
    F_LIST(oci_linux, uid_maps.v, uid_maps.n, "uidMappings", oci_fields_idmap, OCI_IDMAP_MAX),
    F_LIST(oci_linux, gid_maps.v, gid_maps.n, "gidMappings", oci_fields_idmap, OCI_IDMAP_MAX),
    F_STRINGS(oci_linux, sysctl, "sysctl", FIELD_PAIRS, 0, OCI_PAIRS_MAX),
    F_OBJECT(oci_linux, resources, "resources", oci_fields_resources),
    F_PLAIN(oci_linux, cgroups_path, "cgroupsPath", FIELD_STR, 0),
    F_OWN(oci_linux, ns, "namespaces", load_namespaces, dump_namespaces, 0),
    F_LIST(oci_linux, devices, devices_n, "devices", device_fields, OCI_DEVICES_MAX),
    F_OWN(oci_linux, net_devices, "netDevices", load_net_devices, dump_net_devices, 0),
    F_OBJECT(oci_linux, seccomp, "seccomp", oci_fields_seccomp),
    F_NAME(oci_linux, rootfs_propagation, "rootfsPropagation", oci_propagation_names, 0),
    F_STRINGS(oci_linux, masked_paths, "maskedPaths", FIELD_PATHS, 0, OCI_MOUNTS_MAX),
    F_STRINGS(oci_linux, readonly_paths, "readonlyPaths", FIELD_PATHS, 0, OCI_MOUNTS_MAX),
    F_PLAIN(oci_linux, mount_label, "mountLabel", FIELD_STR, 0),
    F_OBJECT(oci_linux, rdt, "intelRdt", rdt_fields),
    F_OBJECT(oci_linux, memory_policy, "memoryPolicy", mempolicy_fields),
    F_OWN(oci_linux, personality, "personality", load_personality, dump_personality, 0),
    {.key = "timeOffsets", .kind = FIELD_OWN, .load = load_offsets, .dump = dump_offsets},
};

const struct fields oci_fields_linux = {FIELDS_OF(linux_rows), sizeof(struct oci_linux),
                                        FIELDS_NO_SET, check_linux};
