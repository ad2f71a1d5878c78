/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process section. Capability and rlimit names are ours, not the library's, so that this room
 * stays pure; the numbers are the kernel's ABI.
 */
#include <inttypes.h>
#include <linux/ioprio.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>

#include "runtime/spec/oci_field.h"

/* --- capabilities ----------------------------------------------------------------------------- */

static const char *const cap_names[] = {
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
};

int oci_cap_parse(struct str name)
{
    if (str_istarts(name, STR("CAP_")))
        name = str_skip(name, 4);
    for (size_t i = 0; i < ARRAY_N(cap_names); i++)
        if (str_ieq_c(name, cap_names[i] + 4))
            return (int)i;
    return -1;
}

const char *oci_cap_name(int cap)
{
    return cap >= 0 && (size_t)cap < ARRAY_N(cap_names) ? cap_names[cap] : NULL;
}

static int keep_unknown(const struct load *ld, const struct jv *value, const char *name,
                        struct oci_strings *unknown, struct err *err)
{
    void *grown;

    for (size_t i = 0; i < unknown->n; i++)
        if (strcmp(unknown->v[i], name) == 0)
            return 0;
    if (field_array_new(ld, value, unknown->n + 2, sizeof(const char *), &grown, err) < 0)
        return -1;
    if (unknown->n > 0)
        memcpy(grown, unknown->v, unknown->n * sizeof(const char *));
    unknown->v = grown;
    unknown->v[unknown->n++] = name;
    field_warn(ld, value, "ignoring the unknown capability", name);
    return 0;
}

#define CAP_LIST_MAX 256 /* names of one set */

static int load_cap_set(const struct load *ld, const struct jv *value, uint64_t *mask,
                        struct oci_strings *unknown, struct err *err)
{
    struct oci_strings names;

    if (field_strings(ld, value, CAP_LIST_MAX, &names, err) < 0)
        return -1;
    for (size_t i = 0; i < names.n; i++) {
        int cap = oci_cap_parse(str_of(names.v[i]));

        if (cap >= 0)
            *mask |= 1ULL << cap;
        else if (keep_unknown(ld, value, names.v[i], unknown, err) < 0)
            return -1;
    }
    return 0;
}

static const char *const cap_set_names[OCI_CAP_SETS] = {"bounding", "effective", "inheritable",
                                                        "permitted", "ambient"};

static int load_caps(const struct load *ld, const struct jv *value, void *member, struct err *err)
{
    struct oci_caps *caps = member;
    size_t n;

    if (field_object(value, SIZE_MAX, &n, err) < 0)
        return -1;
    caps->set = true;
    for (size_t i = 0; i < OCI_CAP_SETS; i++) {
        struct jv set = jv_member(value, cap_set_names[i]);

        if (set.v != NULL && !json_is_null(set.v) &&
            load_cap_set(ld, &set, &caps->mask[i], &caps->unknown, err) < 0)
            return -1;
    }
    return 0;
}

static void dump_caps(struct jw *w, const char *key, const void *member)
{
    const struct oci_caps *caps = member;

    if (!caps->set)
        return;
    jw_object(w, key);
    for (size_t i = 0; i < OCI_CAP_SETS; i++) {
        if (caps->mask[i] == 0)
            continue;
        jw_array(w, cap_set_names[i]);
        for (size_t cap = 0; cap < ARRAY_N(cap_names); cap++)
            if ((caps->mask[i] >> cap & 1) != 0)
                jw_c(w, NULL, cap_names[cap]);
        jw_end(w);
    }
    jw_end(w);
}

/* --- rlimits ---------------------------------------------------------------------------------- */

static const struct field_name rlimit_names[] = {
    {"RLIMIT_AS", RLIMIT_AS},
    {"RLIMIT_CORE", RLIMIT_CORE},
    {"RLIMIT_CPU", RLIMIT_CPU},
    {"RLIMIT_DATA", RLIMIT_DATA},
    {"RLIMIT_FSIZE", RLIMIT_FSIZE},
    {"RLIMIT_LOCKS", RLIMIT_LOCKS},
    {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
    {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
    {"RLIMIT_NICE", RLIMIT_NICE},
    {"RLIMIT_NOFILE", RLIMIT_NOFILE},
    {"RLIMIT_NPROC", RLIMIT_NPROC},
    {"RLIMIT_RSS", RLIMIT_RSS},
    {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
    {"RLIMIT_RTTIME", RLIMIT_RTTIME},
    {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
    {"RLIMIT_STACK", RLIMIT_STACK},
    {NULL, 0},
};

static int check_rlimit(const struct load *ld, const struct jv *at, void *obj, struct err *err)
{
    struct oci_rlimit *r = obj;

    (void)ld;
    r->name = field_name_of(rlimit_names, (uint64_t)r->resource);
    if (r->soft > r->hard)
        return jv_err(at, err, "the soft limit %llu is above the hard limit %llu",
                      (unsigned long long)r->soft, (unsigned long long)r->hard);
    return 0;
}

static const struct field rlimit_rows[] = {
    F_NAME(oci_rlimit, resource, "type", rlimit_names, FIELD_REQUIRED),
    F_NUMBER(oci_rlimit, hard, "hard", FIELD_U64, FIELD_REQUIRED, 0, UINT64_MAX),
    F_NUMBER(oci_rlimit, soft, "soft", FIELD_U64, FIELD_REQUIRED, 0, UINT64_MAX),
};

static const struct fields rlimit_fields = {FIELDS_OF(rlimit_rows), sizeof(struct oci_rlimit),
                                            FIELDS_NO_SET, check_rlimit};

/* --- user ------------------------------------------------------------------------------------- */

/* The id 2^32 - 1 means "unchanged" to setuid and its like: it is nobody's. */
#define ID_MAX (UINT32_MAX - 1)

static int load_gids(const struct load *ld, const struct jv *value, void *member, struct err *err)
{
    struct oci_user *user = container_of(member, struct oci_user, gids);
    void *v;
    size_t n;

    if (field_array(value, OCI_GROUPS_MAX, &n, err) < 0 ||
        field_array_new(ld, value, n, sizeof(uint32_t), &v, err) < 0)
        return -1;
    user->gids = v;
    for (size_t i = 0; i < n; i++) {
        struct jv e = jv_elem(value, i);
        int64_t gid;

        if (field_number(&e, 0, ID_MAX, &gid, err) < 0)
            return -1;
        user->gids[i] = (uint32_t)gid;
    }
    user->gids_n = n;
    return 0;
}

static void dump_gids(struct jw *w, const char *key, const void *member)
{
    const struct oci_user *user =
        (const void *)((const char *)member - offsetof(struct oci_user, gids));

    if (user->gids_n == 0)
        return;
    jw_array(w, key);
    for (size_t i = 0; i < user->gids_n; i++)
        jw_uint(w, NULL, user->gids[i]);
    jw_end(w);
}

static const struct field user_rows[] = {
    F_NUMBER(oci_user, uid, "uid", FIELD_U32, FIELD_ALWAYS, 0, ID_MAX),
    F_NUMBER(oci_user, gid, "gid", FIELD_U32, FIELD_ALWAYS, 0, ID_MAX),
    F_NUMBER(oci_user, umask, "umask", FIELD_OPT_UINT, 0, 0, 0777),
    F_OWN(oci_user, gids, "additionalGids", load_gids, dump_gids, 0),
};

static const struct fields user_fields = {FIELDS_OF(user_rows), sizeof(struct oci_user),
                                          FIELDS_NO_SET, NULL};

/* --- scheduling ------------------------------------------------------------------------------- */

/* linux/sched.h collides with sched.h of glibc; these are its values. */
#define SCHED_ISO_      4
#define SCHED_DEADLINE_ 6

static const struct field_name policy_names[] = {
    {"SCHED_OTHER", SCHED_OTHER},
    {"SCHED_FIFO", SCHED_FIFO},
    {"SCHED_RR", SCHED_RR},
    {"SCHED_BATCH", SCHED_BATCH},
    {"SCHED_ISO", SCHED_ISO_},
    {"SCHED_IDLE", SCHED_IDLE},
    {"SCHED_DEADLINE", SCHED_DEADLINE_},
    {NULL, 0},
};

static const struct field_name sched_flag_names[] = {
    {"SCHED_FLAG_RESET_ON_FORK", 0x01},  {"SCHED_FLAG_RECLAIM", 0x02},
    {"SCHED_FLAG_DL_OVERRUN", 0x04},     {"SCHED_FLAG_KEEP_POLICY", 0x08},
    {"SCHED_FLAG_KEEP_PARAMS", 0x10},    {"SCHED_FLAG_UTIL_CLAMP_MIN", 0x20},
    {"SCHED_FLAG_UTIL_CLAMP_MAX", 0x40}, {NULL, 0},
};

#define DEADLINE_LEAST 1024 /* nanoseconds; the kernel counts in 1024ths of them */

/* What sched_setattr would refuse with a bare EINVAL; a period of 0 is the deadline. */
static int check_deadline(const struct jv *at, const struct oci_scheduler *s, struct err *err)
{
    static const char *const needed[] = {"runtime", "deadline"};

    for (size_t i = 0; i < ARRAY_N(needed); i++)
        if (!jv_has(at, needed[i]))
            return jv_err(at, err, "sched_setattr: `SCHED_DEADLINE` requires `%s`", needed[i]);
    if (s->runtime == 0)
        return jv_err(at, err, "sched_setattr: `SCHED_DEADLINE` runtime must be greater than 0 ns");
    if (s->runtime < DEADLINE_LEAST || s->runtime > INT64_MAX)
        return jv_err(at, err,
                      "sched_setattr: `SCHED_DEADLINE` runtime of %" PRIu64
                      " ns must be between %d and %" PRId64,
                      s->runtime, DEADLINE_LEAST, INT64_MAX);
    if (s->runtime > s->deadline)
        return jv_err(at, err,
                      "sched_setattr: `SCHED_DEADLINE` runtime of %" PRIu64
                      " ns must be <= the deadline of %" PRIu64 " ns",
                      s->runtime, s->deadline);
    if (s->period != 0 && s->deadline > s->period)
        return jv_err(at, err,
                      "sched_setattr: `SCHED_DEADLINE` deadline of %" PRIu64
                      " ns must be <= the period of %" PRIu64 " ns",
                      s->deadline, s->period);
    return 0;
}

static int check_scheduler(const struct load *ld, const struct jv *at, void *obj, struct err *err)
{
    const struct oci_scheduler *s = obj;
    bool rt = s->policy == SCHED_FIFO || s->policy == SCHED_RR;

    (void)ld;
    if (s->priority != 0 && !rt)
        return jv_err(at, err, "a priority needs the policy SCHED_FIFO or SCHED_RR");
    if (s->policy == SCHED_DEADLINE_)
        return check_deadline(at, s, err);
    if (s->runtime != 0 || s->deadline != 0 || s->period != 0)
        return jv_err(at, err, "runtime, deadline and period need the policy SCHED_DEADLINE");
    return 0;
}

static const struct field scheduler_rows[] = {
    F_NAME(oci_scheduler, policy, "policy", policy_names, FIELD_REQUIRED),
    F_NUMBER(oci_scheduler, nice, "nice", FIELD_I32, 0, -20, 19),
    F_NUMBER(oci_scheduler, priority, "priority", FIELD_U32, 0, 0, 99),
    F_MASK(oci_scheduler, flags, "flags", sched_flag_names),
    F_NUMBER(oci_scheduler, runtime, "runtime", FIELD_U64, 0, 0, UINT64_MAX),
    F_NUMBER(oci_scheduler, deadline, "deadline", FIELD_U64, 0, 0, UINT64_MAX),
    F_NUMBER(oci_scheduler, period, "period", FIELD_U64, 0, 0, UINT64_MAX),
};

static const struct fields scheduler_fields = {
    FIELDS_OF(scheduler_rows), sizeof(struct oci_scheduler), offsetof(struct oci_scheduler, set),
    check_scheduler};

static const struct field_name ioprio_names[] = {
    {"IOPRIO_CLASS_RT", IOPRIO_CLASS_RT},
    {"IOPRIO_CLASS_BE", IOPRIO_CLASS_BE},
    {"IOPRIO_CLASS_IDLE", IOPRIO_CLASS_IDLE},
    {NULL, 0},
};

static const struct field ioprio_rows[] = {
    F_NAME(oci_ioprio, class, "class", ioprio_names, FIELD_REQUIRED),
    F_NUMBER(oci_ioprio, priority, "priority", FIELD_I32, FIELD_ALWAYS, 0, 7),
};

static const struct fields ioprio_fields = {FIELDS_OF(ioprio_rows), sizeof(struct oci_ioprio),
                                            offsetof(struct oci_ioprio, set), NULL};

/* --- consoleSize and execCPUAffinity: objects whose members lie in struct oci_process --------- */

static const struct field console_rows[] = {
    F_NUMBER(oci_process, console_rows, "height", FIELD_U16, FIELD_REQUIRED, 0, UINT16_MAX),
    F_NUMBER(oci_process, console_cols, "width", FIELD_U16, FIELD_REQUIRED, 0, UINT16_MAX),
};

static const struct fields console_fields = {FIELDS_OF(console_rows), 0, FIELDS_NO_SET, NULL};

static const struct field affinity_rows[] = {
    F_PLAIN(oci_process, cpus_initial, "initial", FIELD_LISTING, 0),
    F_PLAIN(oci_process, cpus_final, "final", FIELD_LISTING, 0),
};

static const struct fields affinity_fields = {FIELDS_OF(affinity_rows), 0, FIELDS_NO_SET, NULL};

static void dump_console(struct jw *w, const char *key, const void *member)
{
    const struct oci_process *p = member;

    if (p->console_rows == 0 && p->console_cols == 0)
        return;
    jw_object(w, key);
    fields_dump(w, &console_fields, p);
    jw_end(w);
}

static int load_console(const struct load *ld, const struct jv *value, void *member,
                        struct err *err)
{
    const struct oci_process *p = member;

    /* Without a terminal it is to be ignored, whatever it says. "terminal" is an earlier row. */
    return p->terminal ? fields_load(ld, value, &console_fields, member, err) : 0;
}

static void dump_affinity(struct jw *w, const char *key, const void *member)
{
    const struct oci_process *p = member;

    if (p->cpus_initial == NULL && p->cpus_final == NULL)
        return;
    jw_object(w, key);
    fields_dump(w, &affinity_fields, p);
    jw_end(w);
}

static int load_affinity(const struct load *ld, const struct jv *value, void *member,
                         struct err *err)
{
    return fields_load(ld, value, &affinity_fields, member, err);
}

/* --- the whole -------------------------------------------------------------------------------- */

static int check_process(const struct load *ld, const struct jv *at, void *obj, struct err *err)
{
    const struct oci_process *p = obj;
    uint64_t seen = 0;

    (void)ld;
    for (size_t i = 0; i < p->rlimits_n; i++) {
        uint64_t bit = 1ULL << p->rlimits[i].resource;

        if ((seen & bit) != 0)
            return jv_err(at, err, "rlimits has '%s' twice", p->rlimits[i].name);
        seen |= bit;
    }
    return 0;
}

static const struct field process_rows[] = {
    F_PLAIN(oci_process, terminal, "terminal", FIELD_BOOL, 0),
    {.key = "consoleSize", .kind = FIELD_OWN, .load = load_console, .dump = dump_console},
    {.key = "user",
     .kind = FIELD_OBJECT,
     .flags = FIELD_ALWAYS,
     .offset = offsetof(struct oci_process, user),
     .sub = &user_fields},
    F_STRINGS(oci_process, args, "args", FIELD_STRINGS, 0, OCI_STRINGS_MAX),
    F_STRINGS(oci_process, env, "env", FIELD_STRINGS, 0, OCI_STRINGS_MAX),
    F_PLAIN(oci_process, cwd, "cwd", FIELD_PATH, FIELD_REQUIRED | FIELD_NOT_EMPTY),
    F_OWN(oci_process, caps, "capabilities", load_caps, dump_caps, 0),
    F_LIST(oci_process, rlimits, rlimits_n, "rlimits", rlimit_fields, OCI_RLIMITS_MAX),
    F_PLAIN(oci_process, no_new_privs, "noNewPrivileges", FIELD_BOOL, 0),
    F_PLAIN(oci_process, apparmor_profile, "apparmorProfile", FIELD_STR, 0),
    F_NUMBER(oci_process, oom_score_adj, "oomScoreAdj", FIELD_OPT_INT, 0, -1000, 1000),
    F_OBJECT(oci_process, scheduler, "scheduler", scheduler_fields),
    F_PLAIN(oci_process, selinux_label, "selinuxLabel", FIELD_STR, 0),
    F_OBJECT(oci_process, ioprio, "ioPriority", ioprio_fields),
    {.key = "execCPUAffinity", .kind = FIELD_OWN, .load = load_affinity, .dump = dump_affinity},
};

const struct fields oci_fields_process = {FIELDS_OF(process_rows), sizeof(struct oci_process),
                                          offsetof(struct oci_process, set), check_process};
