/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/stack/profile.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/jv.h"
#include "runtime/spec/oci.h"
#include "runtime/stack/specs.h"

#define NAMES_MAX 512
#define RULES     3

/* Threads and workers, but no namespace: in a user namespace of its own making a process has every
 * capability, and with it all of the kernel that only root reaches otherwise. */
#define CLONE_NAMESPACES                                                                          \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | \
     CLONE_NEWNET)

static int load_names(struct arena *a, const char *text, struct oci_strings *out, struct err *err)
{
    own_json json_t *doc = jv_load_str(str_of(text), "seccomp", err);
    struct jv root = jv_root(doc);
    struct jv list;

    if (!doc || jv_array(&root, "names", &list, err) < 0)
        return -1;
    if (jv_n(&list) + out->n > NAMES_MAX)
        return err_set(err, 0, "more than %d system calls", NAMES_MAX);
    for (size_t i = 0; i < jv_n(&list); i++) {
        struct jv e = jv_elem(&list, i);
        struct str s;

        if (jv_as_str(&e, &s, err) < 0)
            return -1;
        if (!str_eq_c(s, "clone")) /* which has a rule of its own */
            out->v[out->n++] = arena_copy(a, s);
    }
    return 0;
}

static struct oci_scmp_rule clone_rule(struct arena *a)
{
    static const char *names[] = {"clone", NULL};
    struct oci_scmp_arg *arg = arena_array(a, 1, sizeof(*arg));

    *arg = (struct oci_scmp_arg){
        .index = 0, .value = CLONE_NAMESPACES, .value_two = 0, .op = OCI_SCMP_MASKED_EQ};
    return (struct oci_scmp_rule){
        .names = {.v = names, .n = 1}, .action = OCI_SCMP_ALLOW, .args = arg, .args_n = 1};
}

int profile_merge(struct arena *a, unsigned service, struct oci_seccomp *out, struct err *err)
{
    static const char *clone3[] = {"clone3", NULL};
    struct oci_scmp_rule *rules = arena_array(a, RULES, sizeof(*rules));
    struct oci_strings names = {.v = arena_array(a, NAMES_MAX + 1, sizeof(char *))};

    if (load_names(a, specs_get(SPECS_SERVICES)->seccomp, &names, err) < 0 ||
        load_names(a, specs_get(service)->seccomp, &names, err) < 0)
        return err_wrap(err, "specs/seccomp of '%s'", specs_get(service)->name);
    rules[0] = (struct oci_scmp_rule){.names = names, .action = OCI_SCMP_ALLOW};
    rules[1] = (struct oci_scmp_rule){.names = {.v = clone3, .n = 1},
                                      .action = OCI_SCMP_ERRNO,
                                      .data = ENOSYS,
                                      .errno_ret = {.set = true, .v = ENOSYS}};
    rules[2] = clone_rule(a);
    *out = (struct oci_seccomp){.set = true,
                                .default_action = OCI_SCMP_ERRNO,
                                .default_data = EPERM,
                                .default_errno_ret = {.set = true, .v = EPERM},
                                .flags_given = true,
                                .flags = SECCOMP_FILTER_FLAG_LOG,
                                .rules = rules,
                                .rules_n = RULES};
    return 0;
}
