/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/container/container.h"
#include "runtime/container/filter.h"
#include "runtime/kernel/seccomp.h"
#include "runtime/spec/oci.h"

#define RULES_WORTH 512 /* bytes; fewer are read as fast as they are looked up */

static bool load_known(const struct container_env *env, struct arena *a, struct str text,
                       struct str rules, const char *name, struct container_loaded *out)
{
    struct seccomp_program *filter = arena_alloc(a, sizeof *filter);
    struct oci_config *c = NULL;
    struct err ignored; /* loading all of it will tell */

    if (filter == NULL || oci_load_but_rules(a, text, rules, name, &c, &ignored) < 0 ||
        oci_annotation_is_on(c, OCI_STRICT_SYSCALLS) || /* each name is to be looked at */
        !filter_find(a, env->filters, &c->linux_.seccomp, filter))
        return false;
    *out = (struct container_loaded){c, filter};
    return true;
}

int container_load(const struct container_env *env, struct arena *a, struct str text,
                   const char *name, struct container_loaded *out, struct err *err)
{
    struct str rules = STR_NONE;
    bool worth = env->filters != NULL && oci_find_rules(text, &rules) && rules.n >= RULES_WORTH;
    struct oci_config *c = NULL;

    if (worth && load_known(env, a, text, rules, name, out))
        return 0;
    if (oci_load_str(a, text, name, &c, err) < 0)
        return -1;
    if (worth)
        c->linux_.seccomp.rules_text = rules; /* so that they will be known */
    *out = (struct container_loaded){c, NULL};
    return 0;
}
