/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The linux.seccomp section: names to enums. What they mean to the kernel is decided by
 * runtime/kernel/seccomp.c.
 */
#include <errno.h>
#include <linux/seccomp.h>

#include "runtime/spec/oci_field.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV 32
#endif

#define ERRNO_MAX 4095

const char *const oci_scmp_action_names[OCI_SCMP_ACTIONS + 1] = {
    [OCI_SCMP_KILL] = "SCMP_ACT_KILL",
    [OCI_SCMP_KILL_PROCESS] = "SCMP_ACT_KILL_PROCESS",
    [OCI_SCMP_KILL_THREAD] = "SCMP_ACT_KILL_THREAD",
    [OCI_SCMP_TRAP] = "SCMP_ACT_TRAP",
    [OCI_SCMP_ERRNO] = "SCMP_ACT_ERRNO",
    [OCI_SCMP_TRACE] = "SCMP_ACT_TRACE",
    [OCI_SCMP_ALLOW] = "SCMP_ACT_ALLOW",
    [OCI_SCMP_LOG] = "SCMP_ACT_LOG",
    [OCI_SCMP_NOTIFY] = "SCMP_ACT_NOTIFY",
};

const char *const oci_scmp_op_names[OCI_SCMP_OPS + 1] = {
    [OCI_SCMP_NE] = "SCMP_CMP_NE",
    [OCI_SCMP_LT] = "SCMP_CMP_LT",
    [OCI_SCMP_LE] = "SCMP_CMP_LE",
    [OCI_SCMP_EQ] = "SCMP_CMP_EQ",
    [OCI_SCMP_GE] = "SCMP_CMP_GE",
    [OCI_SCMP_GT] = "SCMP_CMP_GT",
    [OCI_SCMP_MASKED_EQ] = "SCMP_CMP_MASKED_EQ",
};

const char *const oci_scmp_arch_names[OCI_ARCHES + 1] = {
    [OCI_ARCH_X86] = "SCMP_ARCH_X86",
    [OCI_ARCH_X86_64] = "SCMP_ARCH_X86_64",
    [OCI_ARCH_X32] = "SCMP_ARCH_X32",
    [OCI_ARCH_ARM] = "SCMP_ARCH_ARM",
    [OCI_ARCH_AARCH64] = "SCMP_ARCH_AARCH64",
    [OCI_ARCH_MIPS] = "SCMP_ARCH_MIPS",
    [OCI_ARCH_MIPS64] = "SCMP_ARCH_MIPS64",
    [OCI_ARCH_MIPS64N32] = "SCMP_ARCH_MIPS64N32",
    [OCI_ARCH_MIPSEL] = "SCMP_ARCH_MIPSEL",
    [OCI_ARCH_MIPSEL64] = "SCMP_ARCH_MIPSEL64",
    [OCI_ARCH_MIPSEL64N32] = "SCMP_ARCH_MIPSEL64N32",
    [OCI_ARCH_PPC] = "SCMP_ARCH_PPC",
    [OCI_ARCH_PPC64] = "SCMP_ARCH_PPC64",
    [OCI_ARCH_PPC64LE] = "SCMP_ARCH_PPC64LE",
    [OCI_ARCH_S390] = "SCMP_ARCH_S390",
    [OCI_ARCH_S390X] = "SCMP_ARCH_S390X",
    [OCI_ARCH_PARISC] = "SCMP_ARCH_PARISC",
    [OCI_ARCH_PARISC64] = "SCMP_ARCH_PARISC64",
    [OCI_ARCH_RISCV64] = "SCMP_ARCH_RISCV64",
    [OCI_ARCH_LOONGARCH64] = "SCMP_ARCH_LOONGARCH64",
    [OCI_ARCH_M68K] = "SCMP_ARCH_M68K",
    [OCI_ARCH_SH] = "SCMP_ARCH_SH",
    [OCI_ARCH_SHEB] = "SCMP_ARCH_SHEB",
};

const struct field_name oci_scmp_flag_names[] = {
    {"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
    {"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
    {"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV},
    {"SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC},
    {NULL, 0},
};

/* The three enums as rows: load by name, dump by index. */
static int load_enum(const struct jv *value, const char *const *names, void *member,
                     struct err *err)
{
    size_t i;

    if (jv_enum(value, names, &i, err) < 0)
        return -1;
    *(unsigned *)member = (unsigned)i;
    return 0;
}

static int load_action(const struct load *ld, const struct jv *value, void *member, struct err *err)
{
    (void)ld;
    return load_enum(value, oci_scmp_action_names, member, err);
}

static void dump_action(struct jw *w, const char *key, const void *member)
{
    jw_c(w, key, oci_scmp_action_names[*(const enum oci_scmp_action *)member]);
}

static int load_op(const struct load *ld, const struct jv *value, void *member, struct err *err)
{
    (void)ld;
    return load_enum(value, oci_scmp_op_names, member, err);
}

static void dump_op(struct jw *w, const char *key, const void *member)
{
    jw_c(w, key, oci_scmp_op_names[*(const enum oci_scmp_op *)member]);
}

static int load_arches(const struct load *ld, const struct jv *value, void *member, struct err *err)
{
    struct oci_seccomp *s = container_of(member, struct oci_seccomp, arches);
    void *v;
    size_t n;

    if (field_array(value, (size_t)OCI_ARCHES * 2, &n, err) < 0 ||
        field_array_new(ld, value, n, sizeof(enum oci_scmp_arch), &v, err) < 0)
        return -1;
    s->arches = v;
    for (size_t i = 0; i < n; i++) {
        struct jv e = jv_elem(value, i);

        if (load_enum(&e, oci_scmp_arch_names, &s->arches[i], err) < 0)
            return -1;
    }
    s->arches_n = n;
    return 0;
}

static void dump_arches(struct jw *w, const char *key, const void *member)
{
    const struct oci_seccomp *s =
        (const void *)((const char *)member - offsetof(struct oci_seccomp, arches));

    if (s->arches_n == 0)
        return;
    jw_array(w, key);
    for (size_t i = 0; i < s->arches_n; i++)
        jw_c(w, NULL, oci_scmp_arch_names[s->arches[i]]);
    jw_end(w);
}

/* "flags": [] asks for none, an absent key leaves the choice to the runtime. */
static int load_flags(const struct load *ld, const struct jv *value, void *member, struct err *err)
{
    struct oci_seccomp *s = container_of(member, struct oci_seccomp, flags);
    uint64_t bit;
    size_t n;

    (void)ld;
    if (field_array(value, 64, &n, err) < 0)
        return -1;
    s->flags_given = true;
    for (size_t i = 0; i < n; i++) {
        struct jv e = jv_elem(value, i);

        if (field_name(&e, oci_scmp_flag_names, &bit, err) < 0)
            return -1;
        s->flags |= (unsigned)bit;
    }
    return 0;
}

static void dump_flags(struct jw *w, const char *key, const void *member)
{
    const struct oci_seccomp *s =
        (const void *)((const char *)member - offsetof(struct oci_seccomp, flags));

    if (!s->flags_given)
        return;
    jw_array(w, key);
    for (const struct field_name *m = oci_scmp_flag_names; m->name != NULL; m++)
        if ((s->flags & m->value) != 0)
            jw_c(w, NULL, m->name);
    jw_end(w);
}

static const struct field arg_rows[] = {
    F_NUMBER(oci_scmp_arg, index, "index", FIELD_U32, FIELD_ALWAYS, 0, OCI_SCMP_ARGS_MAX - 1),
    F_NUMBER(oci_scmp_arg, value, "value", FIELD_U64, FIELD_ALWAYS, 0, UINT64_MAX),
    F_NUMBER(oci_scmp_arg, value_two, "valueTwo", FIELD_U64, 0, 0, UINT64_MAX),
    F_OWN(oci_scmp_arg, op, "op", load_op, dump_op, FIELD_REQUIRED),
};

static const struct fields arg_fields = {FIELDS_OF(arg_rows), sizeof(struct oci_scmp_arg),
                                         FIELDS_NO_SET, NULL};

/* The number that goes with the action; an error number with an action that has none is an error.
 */
static int resolve_data(const struct jv *at, enum oci_scmp_action action,
                        const struct oci_u64 *errno_ret, uint16_t *out, struct err *err)
{
    bool takes_number = action == OCI_SCMP_ERRNO || action == OCI_SCMP_TRACE;

    if (errno_ret->set && errno_ret->v != 0 && !takes_number)
        return jv_err(at, err, "the action %s takes no errno", oci_scmp_action_names[action]);
    *out = takes_number ? (uint16_t)(errno_ret->set ? errno_ret->v : EPERM) : 0;
    return 0;
}

static int check_scmp_rule(const struct load *ld, const struct jv *at, void *obj, struct err *err)
{
    struct oci_scmp_rule *r = obj;

    (void)ld;
    return resolve_data(at, r->action, &r->errno_ret, &r->data, err);
}

/* The same argument twice is allowed: all comparisons must hold. */
#define ARGS_ROWS_MAX 16

static const struct field scmp_rule_rows[] = {
    F_STRINGS(oci_scmp_rule, names, "names", FIELD_STRINGS, FIELD_REQUIRED | FIELD_NOT_EMPTY,
              OCI_STRINGS_MAX),
    F_OWN(oci_scmp_rule, action, "action", load_action, dump_action, FIELD_REQUIRED),
    F_NUMBER(oci_scmp_rule, errno_ret, "errnoRet", FIELD_OPT_UINT, 0, 0, ERRNO_MAX),
    F_LIST(oci_scmp_rule, args, args_n, "args", arg_fields, ARGS_ROWS_MAX),
};

static const struct fields scmp_rule_fields = {
    FIELDS_OF(scmp_rule_rows), sizeof(struct oci_scmp_rule), FIELDS_NO_SET, check_scmp_rule};

/* Of rules that were not read, the text tells: a name that could hide has an escape in it. */
bool oci_scmp_notifies(const struct oci_seccomp *s)
{
    if (s->rules_skipped)
        return str_find_str(s->rules_text, STR("NOTIFY")) >= 0 ||
               str_find(s->rules_text, '\\') >= 0;
    for (size_t i = 0; i < s->rules_n; i++)
        if (s->rules[i].action == OCI_SCMP_NOTIFY)
            return true;
    return false;
}

static int check_seccomp(const struct load *ld, const struct jv *at, void *obj, struct err *err)
{
    struct oci_seccomp *s = obj;

    (void)ld;
    if (s->default_action == OCI_SCMP_NOTIFY)
        return jv_err(at, err, "SCMP_ACT_NOTIFY cannot be the default action");
    if (oci_scmp_notifies(s) && s->listener_path == NULL)
        return jv_err(at, err, "SCMP_ACT_NOTIFY needs a listenerPath");
    if (s->listener_metadata != NULL && s->listener_path == NULL)
        return jv_err(at, err, "listenerMetadata needs a listenerPath");
    return resolve_data(at, s->default_action, &s->default_errno_ret, &s->default_data, err);
}

/* Beside the list: the same key when it was not read. */
static int load_rules_text(const struct load *ld, const struct jv *value, void *member,
                           struct err *err)
{
    (void)ld;
    (void)value;
    (void)member;
    (void)err;
    return 0;
}

static void dump_rules_text(struct jw *w, const char *key, const void *member)
{
    const struct oci_seccomp *s =
        (const void *)((const char *)member - offsetof(struct oci_seccomp, rules_text));

    if (s->rules_skipped)
        jw_raw(w, key, s->rules_text);
}

static const struct field seccomp_rows[] = {
    F_OWN(oci_seccomp, default_action, "defaultAction", load_action, dump_action, FIELD_REQUIRED),
    F_NUMBER(oci_seccomp, default_errno_ret, "defaultErrnoRet", FIELD_OPT_UINT, 0, 0, ERRNO_MAX),
    F_OWN(oci_seccomp, arches, "architectures", load_arches, dump_arches, 0),
    F_OWN(oci_seccomp, flags, "flags", load_flags, dump_flags, 0),
    F_PLAIN(oci_seccomp, listener_path, "listenerPath", FIELD_PATH, 0),
    F_PLAIN(oci_seccomp, listener_metadata, "listenerMetadata", FIELD_STR, 0),
    F_LIST(oci_seccomp, rules, rules_n, "syscalls", scmp_rule_fields, OCI_RULES_MAX),
    F_OWN(oci_seccomp, rules_text, "syscalls", load_rules_text, dump_rules_text, 0),
};

const struct fields oci_fields_seccomp = {FIELDS_OF(seccomp_rows), sizeof(struct oci_seccomp),
                                          offsetof(struct oci_seccomp, set), check_seccomp};
