/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OCI features document. Lists come from the tables that the loader works with, so that it says
 * what is true; they are sorted, as other runtimes print them.
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/spec/oci_field.h"

#define NAMES_MAX 128

struct names {
    const char *v[NAMES_MAX];
    size_t n;
};

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add(struct names *l, const char *name)
{
    if (l->n < NAMES_MAX)
        l->v[l->n++] = name;
}

static void print_sorted(struct jw *w, const char *key, struct names *l)
{
    qsort(l->v, l->n, sizeof l->v[0], compare);
    jw_array(w, key);
    for (size_t i = 0; i < l->n; i++)
        jw_c(w, NULL, l->v[i]);
    jw_end(w);
}

static void print_list(struct jw *w, const char *key, const char *const *names)
{
    struct names l = {.n = 0};

    for (; *names != NULL; names++)
        add(&l, *names);
    print_sorted(w, key, &l);
}

static void print_names(struct jw *w, const char *key, const struct field_name *names)
{
    struct names l = {.n = 0};

    for (; names->name != NULL; names++)
        add(&l, names->name);
    print_sorted(w, key, &l);
}

static void print_mount_options(struct jw *w)
{
    struct names l = {.n = 0};
    const char *name;

    for (size_t i = 0; (name = oci_mount_option_name(i)) != NULL; i++)
        add(&l, name);
    print_sorted(w, "mountOptions", &l);
}

static void print_caps(struct jw *w)
{
    jw_array(w, "capabilities");
    for (int cap = 0; oci_cap_name(cap) != NULL; cap++)
        jw_c(w, NULL, oci_cap_name(cap));
    jw_end(w);
}

static void print_enabled(struct jw *w, const char *key)
{
    jw_object(w, key);
    jw_bool(w, "enabled", true);
    jw_end(w);
}

static void print_seccomp(struct jw *w)
{
    jw_object(w, "seccomp");
    jw_bool(w, "enabled", true);
    print_list(w, "actions", oci_scmp_action_names);
    print_list(w, "operators", oci_scmp_op_names);
    print_list(w, "archs", oci_scmp_arch_names);
    print_names(w, "knownFlags", oci_scmp_flag_names);
    print_names(w, "supportedFlags", oci_scmp_flag_names);
    jw_end(w);
}

static void print_memory_policy(struct jw *w)
{
    jw_object(w, "memoryPolicy");
    print_names(w, "modes", oci_mpol_mode_names);
    print_names(w, "flags", oci_mpol_flag_names);
    jw_end(w);
}

static void print_linux(struct jw *w)
{
    jw_object(w, "linux");
    print_list(w, "namespaces", oci_ns_names);
    print_caps(w);
    jw_object(w, "cgroup");
    jw_bool(w, "v1", true);
    jw_bool(w, "v2", true);
    jw_bool(w, "systemd", true);
    jw_bool(w, "systemdUser", true);
    jw_bool(w, "rdma", true);
    jw_end(w);
    print_seccomp(w);
    print_enabled(w, "apparmor");
    print_enabled(w, "selinux");
    print_memory_policy(w);
    jw_object(w, "intelRdt");
    jw_bool(w, "enabled", true);
    jw_bool(w, "schemata", true);
    jw_bool(w, "monitoring", true);
    jw_end(w);
    jw_object(w, "mountExtensions");
    print_enabled(w, "idmap");
    jw_end(w);
    print_enabled(w, "netDevices");
    jw_end(w);
}

void oci_features(struct buf *out)
{
    struct jw w = jw_start(out, JW_INDENT_TWO);

    jw_object(&w, NULL);
    jw_c(&w, "ociVersionMin", "1.0.0");
    jw_c(&w, "ociVersionMax", OCI_VERSION);
    jw_array(&w, "hooks");
    for (size_t i = 0; i < OCI_HOOK_KINDS; i++)
        jw_c(&w, NULL, oci_hook_names[i]);
    jw_end(&w);
    print_mount_options(&w);
    print_linux(&w);
    jw_object(&w, "annotations");
    jw_c(&w, "org.mailbox-run.version", MR_VERSION);
    jw_end(&w);
    jw_array(&w, "potentiallyUnsafeConfigAnnotations");
    for (size_t i = 0; i < OCI_ANNOTATIONS; i++)
        jw_c(&w, NULL, oci_annotation_names[i]);
    jw_c(&w, NULL, "org.systemd.property."); /* with the dot behind: all that begin so */
    jw_end(&w);
    jw_end(&w);
    buf_append_char(out, '\n');
}
