/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "runtime/spec/oci.h"

const char *const oci_annotation_names[OCI_ANNOTATIONS] = {
    [OCI_KEEP_GROUPS] = "run.oci.keep_original_groups",
    [OCI_HOOKS_STDOUT] = "run.oci.hooks.stdout",
    [OCI_HOOKS_STDERR] = "run.oci.hooks.stderr",
    [OCI_STRICT_SYSCALLS] = "run.oci.seccomp_fail_unknown_syscall",
    [OCI_HANDLER] = "run.oci.handler",
};

const char *oci_annotation(const struct oci_config *c, enum oci_annotation which)
{
    for (size_t i = 0; i < c->annotations.n; i++)
        if (strcmp(c->annotations.v[i].key, oci_annotation_names[which]) == 0)
            return c->annotations.v[i].value;
    return NULL;
}

bool oci_annotation_is_on(const struct oci_config *c, enum oci_annotation which)
{
    const char *value = oci_annotation(c, which);

    return value != NULL && strcmp(value, "0") != 0;
}
