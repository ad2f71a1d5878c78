/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules that concern more than one section, each a short function in one table, and the sections
 * that this version cannot honour. A rule may assume that each value is sound by itself.
 */
#include <string.h>
#include <sys/mount.h>

#include "runtime/base/err.h"
#include "runtime/spec/oci.h"

static bool has_ns(const struct oci_config *c, enum oci_ns_kind kind)
{
    return c->linux_.ns[kind].mode != OCI_NS_HOST;
}

static int check_uts(const struct oci_config *c, struct err *err)
{
    if (c->hostname != NULL && !has_ns(c, OCI_NS_UTS))
        return err_set(err, 0, "$.hostname: needs a uts namespace in $.linux.namespaces");
    if (c->domainname != NULL && !has_ns(c, OCI_NS_UTS))
        return err_set(err, 0, "$.domainname: needs a uts namespace in $.linux.namespaces");
    return 0;
}

static bool is_private(unsigned long propagation)
{
    return (propagation & ~(unsigned long)MS_REC) == MS_PRIVATE;
}

/* In the runtime's own mount namespace a container has a tree that is attached nowhere: nothing can
 * spread to it or from it, and its making needs a right over that namespace. */
static int check_mount_ns(const struct oci_config *c, struct err *err)
{
    const struct oci_linux *l = &c->linux_;

    if (has_ns(c, OCI_NS_MOUNT))
        return 0;
    if (has_ns(c, OCI_NS_USER))
        return err_set(err, 0, "$.linux.namespaces: a user namespace needs a mount namespace, too");
    if (l->rootfs_propagation != 0 && !is_private(l->rootfs_propagation))
        return err_set(err, 0,
                       "$.linux.rootfsPropagation: needs a mount namespace in $.linux.namespaces");
    for (size_t i = 0; i < c->mounts_n; i++)
        for (size_t k = 0; k < c->mounts[i].propagation_n; k++)
            if (!is_private(c->mounts[i].propagation[k]))
                return err_set(err, 0,
                               "$.mounts[%zu].options: propagation needs a mount namespace in "
                               "$.linux.namespaces",
                               i);
    return 0;
}

static int check_user_ns(const struct oci_config *c, struct err *err)
{
    const struct oci_linux *l = &c->linux_;
    bool maps = l->uid_maps.n > 0 || l->gid_maps.n > 0;

    if (maps && !has_ns(c, OCI_NS_USER))
        return err_set(err, 0, "$.linux.uidMappings: needs a user namespace in $.linux.namespaces");
    /* With neither, the container's root is the caller. */
    if (maps && l->ns[OCI_NS_USER].mode == OCI_NS_NEW && (l->uid_maps.n == 0 || l->gid_maps.n == 0))
        return err_set(err, 0, "$.linux: uidMappings and gidMappings need each other");
    return 0;
}

static int check_time_ns(const struct oci_config *c, struct err *err)
{
    const struct oci_linux *l = &c->linux_;

    if ((l->monotonic.set || l->boottime.set) && l->ns[OCI_NS_TIME].mode != OCI_NS_NEW)
        return err_set(err, 0,
                       "$.linux.timeOffsets: needs a new time namespace in $.linux.namespaces");
    return 0;
}

static int check_net_devices(const struct oci_config *c, struct err *err)
{
    if (c->linux_.net_devices_n > 0 && !has_ns(c, OCI_NS_NETWORK))
        return err_set(err, 0,
                       "$.linux.netDevices: needs a network namespace in $.linux.namespaces");
    return 0;
}

/* --- sysctl: only what belongs to a namespace of the container's own -------------------------- */

#define SYSCTL_MAX 256

/* "net/ipv4/conf/eth0.1/rp_filter" and "net.ipv4.conf.eth0/1.rp_filter" are the same variable:
 * whichever separator comes first is the one between components. */
static const char *dotted(const char *key, char out[SYSCTL_MAX])
{
    size_t first = strcspn(key, "./"), n = strlen(key);

    if (key[first] != '/' || n >= SYSCTL_MAX)
        return key;
    memcpy(out, key, n + 1);
    for (size_t i = 0; i < n; i++) {
        if (key[i] == '/')
            out[i] = '.';
        else if (key[i] == '.')
            out[i] = '/';
    }
    return out;
}

static const struct {
    const char *name; /* ends in '.' for everything beneath */
    enum oci_ns_kind ns;
} sysctls[] = {
    {"kernel.msgmax", OCI_NS_IPC},     {"kernel.msgmnb", OCI_NS_IPC},
    {"kernel.msgmni", OCI_NS_IPC},     {"kernel.sem", OCI_NS_IPC},
    {"kernel.shmall", OCI_NS_IPC},     {"kernel.shmmax", OCI_NS_IPC},
    {"kernel.shmmni", OCI_NS_IPC},     {"kernel.shm_rmid_forced", OCI_NS_IPC},
    {"fs.mqueue.", OCI_NS_IPC},        {"net.", OCI_NS_NETWORK},
    {"kernel.domainname", OCI_NS_UTS}, {"user.", OCI_NS_USER},
};

static bool sysctl_is(const char *key, const char *name)
{
    size_t n = strlen(name);

    return name[n - 1] == '.' ? strncmp(key, name, n) == 0 : strcmp(key, name) == 0;
}

static int check_sysctl(const struct oci_config *c, const char *key, const char *value,
                        struct err *err)
{
    char text[SYSCTL_MAX];
    const char *name = dotted(key, text);

    if (strstr(key, "..") != NULL || strlen(key) >= SYSCTL_MAX)
        return err_set(err, 0, "$.linux.sysctl: '%.64s' is no name of a sysctl", key);
    if (strcmp(name, "kernel.hostname") == 0)
        return err_set(err, 0, "$.linux.sysctl: 'kernel.hostname' belongs into $.hostname");
    if (strcmp(name, "kernel.domainname") == 0 && c->domainname != NULL &&
        strcmp(value, c->domainname) != 0)
        return err_set(err, 0, "$.linux.sysctl: '%s' contradicts $.domainname", key);
    for (size_t i = 0; i < ARRAY_N(sysctls); i++) {
        if (!sysctl_is(name, sysctls[i].name))
            continue;
        if (has_ns(c, sysctls[i].ns))
            return 0;
        return err_set(err, 0, "$.linux.sysctl: '%s' needs %s %s namespace in $.linux.namespaces",
                       key, sysctls[i].ns == OCI_NS_IPC ? "an" : "a", oci_ns_names[sysctls[i].ns]);
    }
    return err_set(err, 0, "$.linux.sysctl: '%s' belongs to no namespace, it would change the host",
                   key);
}

static int check_sysctls(const struct oci_config *c, struct err *err)
{
    for (size_t i = 0; i < c->linux_.sysctl.n; i++)
        if (check_sysctl(c, c->linux_.sysctl.v[i].key, c->linux_.sysctl.v[i].value, err) < 0)
            return -1;
    return 0;
}

static int check_mounts(const struct oci_config *c, struct err *err)
{
    for (size_t i = 0; i < c->mounts_n; i++)
        if (c->mounts[i].idmap != OCI_MOUNT_NO_IDMAP && c->mounts[i].uid_maps.n == 0 &&
            !has_ns(c, OCI_NS_USER))
            return err_set(
                err, 0, "$.mounts[%zu]: idmap needs uidMappings of its own or a user namespace", i);
    return 0;
}

int oci_check_process(const struct oci_process *p, struct err *err)
{
    if (p->args.n == 0)
        return err_set(err, 0, "$.process.args: expected at least one element");
    if (p->args.v[0][0] == '\0')
        return err_set(err, 0, "$.process.args[0]: expected the name of a program, found nothing");
    return 0;
}

/* Who wants a virtual machine must not get less without being told. */
static int check_handler(const struct oci_config *c, struct err *err)
{
    static const char *const others[] = {"krun", "wasm"};
    const char *value = oci_annotation(c, OCI_HANDLER);

    for (size_t i = 0; value != NULL && i < ARRAY_N(others); i++)
        if (strcmp(value, others[i]) == 0)
            return err_set(err, 0,
                           "$.annotations.'%s': '%s' is not available, containers are processes "
                           "here",
                           oci_annotation_names[OCI_HANDLER], value);
    return 0;
}

static int check_annotations(const struct oci_config *c, struct err *err)
{
    for (int k = OCI_HOOKS_STDOUT; k <= OCI_HOOKS_STDERR; k++) {
        const char *path = oci_annotation(c, (enum oci_annotation)k);

        if (path != NULL && path[0] != '/')
            return err_set(err, 0, "$.annotations.'%s': expected an absolute path, found '%.64s'",
                           oci_annotation_names[k], path);
    }
    return check_handler(c, err);
}

static int check_process(const struct oci_config *c, struct err *err)
{
    return c->process.set ? oci_check_process(&c->process, err) : 0;
}

typedef int rule(const struct oci_config *c, struct err *err);

static rule *const rules[] = {
    check_process, check_uts,     check_user_ns, check_mount_ns,    check_annotations,
    check_time_ns, check_sysctls, check_mounts,  check_net_devices,
};

int oci_check(const struct oci_config *c, struct err *err)
{
    for (size_t i = 0; i < ARRAY_N(rules); i++)
        if (rules[i](c, err) < 0)
            return -1;
    return 0;
}
