/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/container/filter.h"

#include <assert.h>
#include <errno.h>
#include <seccomp.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"
#include "runtime/kernel/seccomp.h"
#include "runtime/kernel/seccomp_cache.h"
#include "runtime/spec/oci.h"

static uint32_t action_of(enum oci_scmp_action action, uint16_t data)
{
    static const uint32_t plain[OCI_SCMP_ACTIONS] = {
        [OCI_SCMP_KILL] = SCMP_ACT_KILL,
        [OCI_SCMP_KILL_PROCESS] = SCMP_ACT_KILL_PROCESS,
        [OCI_SCMP_KILL_THREAD] = SCMP_ACT_KILL_THREAD,
        [OCI_SCMP_TRAP] = SCMP_ACT_TRAP,
        [OCI_SCMP_ALLOW] = SCMP_ACT_ALLOW,
        [OCI_SCMP_LOG] = SCMP_ACT_LOG,
        [OCI_SCMP_NOTIFY] = SCMP_ACT_NOTIFY,
    };

    if (action == OCI_SCMP_ERRNO)
        return SCMP_ACT_ERRNO(data);
    if (action == OCI_SCMP_TRACE)
        return SCMP_ACT_TRACE(data);
    return plain[action];
}

static const enum scmp_compare compares[OCI_SCMP_OPS] = {
    [OCI_SCMP_NE] = SCMP_CMP_NE,
    [OCI_SCMP_LT] = SCMP_CMP_LT,
    [OCI_SCMP_LE] = SCMP_CMP_LE,
    [OCI_SCMP_EQ] = SCMP_CMP_EQ,
    [OCI_SCMP_GE] = SCMP_CMP_GE,
    [OCI_SCMP_GT] = SCMP_CMP_GT,
    [OCI_SCMP_MASKED_EQ] = SCMP_CMP_MASKED_EQ,
};

/* 0: libseccomp of this system has no such architecture, so none of its programs can run either. */
static const uint32_t arches[OCI_ARCHES] = {
    [OCI_ARCH_X86] = SCMP_ARCH_X86,
    [OCI_ARCH_X86_64] = SCMP_ARCH_X86_64,
    [OCI_ARCH_X32] = SCMP_ARCH_X32,
    [OCI_ARCH_ARM] = SCMP_ARCH_ARM,
    [OCI_ARCH_AARCH64] = SCMP_ARCH_AARCH64,
    [OCI_ARCH_MIPS] = SCMP_ARCH_MIPS,
    [OCI_ARCH_MIPS64] = SCMP_ARCH_MIPS64,
    [OCI_ARCH_MIPS64N32] = SCMP_ARCH_MIPS64N32,
    [OCI_ARCH_MIPSEL] = SCMP_ARCH_MIPSEL,
    [OCI_ARCH_MIPSEL64] = SCMP_ARCH_MIPSEL64,
    [OCI_ARCH_MIPSEL64N32] = SCMP_ARCH_MIPSEL64N32,
    [OCI_ARCH_PPC] = SCMP_ARCH_PPC,
    [OCI_ARCH_PPC64] = SCMP_ARCH_PPC64,
    [OCI_ARCH_PPC64LE] = SCMP_ARCH_PPC64LE,
    [OCI_ARCH_S390] = SCMP_ARCH_S390,
    [OCI_ARCH_S390X] = SCMP_ARCH_S390X,
    [OCI_ARCH_PARISC] = SCMP_ARCH_PARISC,
    [OCI_ARCH_PARISC64] = SCMP_ARCH_PARISC64,
    [OCI_ARCH_RISCV64] = SCMP_ARCH_RISCV64,
};

static void convert_rule(const struct oci_scmp_rule *from, struct seccomp_rule *to)
{
    to->names = from->names.v;
    to->names_n = from->names.n;
    to->action = action_of(from->action, from->data);
    to->args_n = from->args_n;
    for (size_t i = 0; i < from->args_n && i < SECCOMP_ARGS_MAX; i++) {
        const struct oci_scmp_arg *a = &from->args[i];

        to->args[i] = (struct scmp_arg_cmp){
            .arg = a->index, .op = compares[a->op], .datum_a = a->value, .datum_b = a->value_two};
    }
}

bool filter_listens(const struct oci_seccomp *s)
{
    return s->set && s->listener_path != NULL && oci_scmp_notifies(s);
}

int filter_check_names(const struct oci_config *c, struct err *err)
{
    const struct oci_seccomp *s = &c->linux_.seccomp;

    if (!oci_annotation_is_on(c, OCI_STRICT_SYSCALLS))
        return 0;
    assert(!s->rules_skipped);
    for (size_t i = 0; i < s->rules_n; i++)
        for (size_t k = 0; k < s->rules[i].names.n; k++)
            if (!seccomp_knows(s->rules[i].names.v[k]))
                return err_set(err, 0,
                               "$.linux.seccomp.syscalls[%zu].names[%zu]: system call '%s' is not "
                               "known here, and annotation '%s' is set",
                               i, k, s->rules[i].names.v[k],
                               oci_annotation_names[OCI_STRICT_SYSCALLS]);
    return 0;
}

/* What a program follows from, but for the rules. */
static int convert(struct arena *a, const struct oci_seccomp *s, struct seccomp_rules *out)
{
    uint32_t *tokens = arena_array(a, s->arches_n + 1, sizeof *tokens);

    *out = (struct seccomp_rules){.default_action = action_of(s->default_action, s->default_data),
                                  .arches = tokens};
    for (size_t i = 0; tokens != NULL && i < s->arches_n; i++)
        if (arches[s->arches[i]] != 0)
            tokens[out->arches_n++] = arches[s->arches[i]];
    return tokens == NULL ? -1 : 0;
}

/* --- the cache -------------------------------------------------------------------------------- */

/* No key of rules begins so, and none of them is a prefix of another. */
static void text_key(const struct seccomp_rules *r, struct str text, struct buf *out)
{
    struct seccomp_rules none = *r;

    none.n = 0;
    buf_append_c(out, "text of rules\n");
    seccomp_key(&none, out);
    buf_append(out, text);
}

static void keep_text(int cache_fd, const struct oci_seccomp *s, const struct seccomp_rules *r,
                      const struct seccomp_program *p)
{
    own_buf struct buf key = BUF_INIT(SECCOMP_KEY_MAX);

    /* With a listener the rules may say what they may not say without. */
    if (s->rules_text.n == 0 || s->listener_path != NULL)
        return;
    text_key(r, s->rules_text, &key);
    if (!key.failed)
        seccomp_cache_keep(cache_fd, buf_str(&key), p);
}

bool filter_find(struct arena *a, const char *cache, const struct oci_seccomp *s,
                 struct seccomp_program *out)
{
    own_buf struct buf key = BUF_INIT(SECCOMP_KEY_MAX);
    own_fd int cache_fd = seccomp_cache_open(cache);
    struct seccomp_program found = {.code = NULL};
    struct seccomp_rules r;

    if (cache_fd < 0 || s->listener_path != NULL || convert(a, s, &r) < 0)
        return false;
    text_key(&r, s->rules_text, &key);
    if (key.failed || !seccomp_cache_find(cache_fd, buf_str(&key), &found))
        return false;
    *out =
        (struct seccomp_program){.n = found.n, .code = arena_array(a, found.n, sizeof *out->code)};
    if (out->code != NULL)
        memcpy(out->code, found.code, found.n * sizeof *out->code);
    seccomp_done(&found);
    return out->code != NULL;
}

/* --- making ----------------------------------------------------------------------------------- */

static int compile(int cache_fd, const struct seccomp_rules *r, struct seccomp_program *out,
                   struct err *err)
{
    own_buf struct buf key = BUF_INIT(SECCOMP_KEY_MAX);

    seccomp_key(r, &key);
    if (cache_fd < 0 || key.failed)
        return seccomp_compile(r, out, err);
    if (seccomp_cache_find(cache_fd, buf_str(&key), out))
        return 0;
    if (seccomp_compile(r, out, err) < 0)
        return -1;
    seccomp_cache_keep(cache_fd, buf_str(&key), out);
    return 0;
}

int filter_make(struct arena *a, const char *cache, const struct oci_seccomp *s,
                struct seccomp_program *out, struct err *err)
{
    own_fd int cache_fd = cache == NULL ? -1 : seccomp_cache_open(cache);
    struct seccomp_rule *rules = arena_array(a, s->rules_n + 1, sizeof *rules);
    struct seccomp_rules r;

    assert(!s->rules_skipped);
    if (convert(a, s, &r) < 0 || rules == NULL)
        return err_set(err, ENOMEM, "$.linux.seccomp");
    for (size_t i = 0; i < s->rules_n; i++)
        convert_rule(&s->rules[i], &rules[i]);
    r.v = rules;
    r.n = s->rules_n;
    if (compile(cache_fd, &r, out, err) < 0)
        return err_wrap(err, "$.linux.seccomp");
    keep_text(cache_fd, s, &r, out);
    return 0;
}
