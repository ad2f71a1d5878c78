/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plan as text. The names of the steps are also the beginning of the sentence that an error in
 * them ends in.
 */
#include "runtime/base/buf.h"
#include "runtime/container/limits.h"
#include "runtime/container/plan.h"
#include "runtime/kernel/cgroup.h"
#include "runtime/spec/oci.h"

static const char *const names[STEP_KINDS] = {
    [STEP_CGROUP_MAKE] = "make the cgroup",
    [STEP_CGROUP_LIMITS] = "set the limits",
    [STEP_CGROUP_DEVICES] = "set the device rules",
    [STEP_RDT_MAKE] = "make the resctrl group",
    [STEP_OPEN_ROOT] = "open the root",
    [STEP_OPEN_SOURCE] = "open the source of",
    [STEP_DEVICE_NODE] = "make a node for",
    [STEP_COMPILE_FILTER] = "compile the filter",
    [STEP_NETDEV_LOOK] = "look at network device",
    [STEP_CLONE] = "clone",
    [STEP_GO] = "let it begin",
    [STEP_MAKE_MOUNT] = "make the file system of",
    [STEP_HAND_MOUNTS] = "hand it the file systems",
    [STEP_ID_MAPS] = "write the id maps",
    [STEP_CGROUP_ADMIT] = "let it enter the cgroup",
    [STEP_CGROUP_ENTER] = "enter the cgroup",
    [STEP_OOM_SCORE] = "set the oom score",
    [STEP_RAISE_RLIMITS] = "raise hard limits",
    [STEP_IDMAP] = "map the ids of",
    [STEP_NETWORK] = "connect the network",
    [STEP_RDT_ENTER] = "enter the resctrl group",
    [STEP_NETDEV_MOVE] = "move network device",
    [STEP_UNSHARE] = "make namespaces",
    [STEP_JOIN] = "join namespace",
    [STEP_BECOME_ROOT] = "become root of the user namespace",
    [STEP_ENTER_PID] = "enter the pid namespace",
    [STEP_SESSION] = "start a session",
    [STEP_KEYRING] = "join a new keyring",
    [STEP_UNSHARE_CGROUP] = "unshare cgroup",
    [STEP_UNSHARE_TIME] = "unshare time",
    [STEP_LOOPBACK] = "bring up loopback",
    [STEP_NETDEV_SETTLE] = "set up network device",
    [STEP_HOSTNAME] = "set hostname",
    [STEP_DOMAINNAME] = "set domainname",
    [STEP_PROPAGATION] = "keep mounts from spreading",
    [STEP_ROOT] = "mount the root",
    [STEP_TAKE_MOUNTS] = "take the file systems",
    [STEP_MOUNT] = "mount",
    [STEP_MOUNT_WRITABLE] = "mount, writable at first,",
    [STEP_UNMOUNT] = "unmount",
    [STEP_CHECK_DEV] = "look at /dev",
    [STEP_DEVICE] = "make device",
    [STEP_DEVICE_BIND] = "bind device",
    [STEP_LINK] = "link",
    [STEP_TERMINAL] = "open a terminal",
    [STEP_HOOKS_RUNTIME] = "hooks prestart, createRuntime",
    [STEP_HOOKS_CONTAINER] = "hooks createContainer",
    [STEP_SYSCTL] = "set sysctl",
    [STEP_MAKE_CWD] = "make directory",
    [STEP_MOUNT_READONLY] = "make read-only the mount",
    [STEP_ROOT_READONLY] = "make the root read-only",
    [STEP_PIVOT] = "pivot into the root",
    [STEP_MOVE_ROOT] = "change root without pivot",
    [STEP_MASK] = "mask",
    [STEP_READONLY] = "make read-only",
    [STEP_ROOT_PROPAGATION] = "set the root's propagation",
    [STEP_LEAVE] = "return to the runtime's mount namespace",
    [STEP_CPUS] = "take all CPUs of the cgroup",
    [STEP_HOME] = "look up HOME",
    [STEP_STDIO] = "set stdin, stdout, stderr",
    [STEP_RLIMIT] = "limit",
    [STEP_PERSONALITY] = "set personality",
    [STEP_SCHEDULER] = "set the scheduler",
    [STEP_IOPRIO] = "set the I/O priority",
    [STEP_MEMPOLICY] = "set the memory policy",
    [STEP_LABEL] = "set the security label",
    [STEP_CWD] = "enter",
    [STEP_LOOK] = "look for",
    [STEP_FILTER] = "load the filter",
    [STEP_BOUNDING] = "drop from the bounding set",
    [STEP_USER] = "become",
    [STEP_CAPS] = "set capabilities",
    [STEP_NO_NEW_PRIVS] = "set no_new_privs",
    [STEP_READY] = "say ready",
    [STEP_WAIT] = "wait for start",
    [STEP_HOOKS_START] = "hooks startContainer",
    [STEP_DESCRIPTORS] = "close descriptors",
    [STEP_EXEC] = "execute",
    [STEP_END] = "end",
};

static const char *device_path(const struct oci_config *c, size_t i)
{
    return i < PLAN_DEVICES ? plan_devices[i].path : c->linux_.devices[i - PLAN_DEVICES].path;
}

static void print_mount(const struct oci_mount *m, struct buf *out)
{
    buf_printf(out, " %s (%s)", m->destination, oci_mount_is_bind(m) ? "bind" : m->type);
}

static void print_of_config(const struct oci_config *c, const struct step *s, struct buf *out)
{
    if (s->kind == STEP_MOUNT || s->kind == STEP_MOUNT_WRITABLE || s->kind == STEP_MOUNT_READONLY ||
        s->kind == STEP_UNMOUNT || s->kind == STEP_OPEN_SOURCE || s->kind == STEP_IDMAP ||
        s->kind == STEP_MAKE_MOUNT)
        print_mount(&c->mounts[s->index], out);
    else if (s->kind == STEP_MAKE_CWD)
        buf_printf(out, " %s", c->process.cwd);
    else if (s->kind == STEP_DEVICE_NODE)
        buf_printf(out, " %s", c->linux_.devices[s->index].path);
    else if (s->kind == STEP_DEVICE || s->kind == STEP_DEVICE_BIND)
        buf_printf(out, " %s", device_path(c, s->index));
    else if (s->kind == STEP_NETDEV_LOOK || s->kind == STEP_NETDEV_MOVE ||
             s->kind == STEP_NETDEV_SETTLE)
        buf_printf(out, " %s", c->linux_.net_devices[s->index].name);
    else if (s->kind == STEP_LINK)
        buf_printf(out, " %s", plan_links[s->index].path);
    else if (s->kind == STEP_JOIN && s->index < OCI_NS_KINDS)
        buf_printf(out, " %s '%s'", oci_ns_names[s->index], c->linux_.ns[s->index].path);
    else if (s->kind == STEP_SYSCTL)
        buf_printf(out, " %s", c->linux_.sysctl.v[s->index].key);
    else if (s->kind == STEP_MASK)
        buf_printf(out, " %s", c->linux_.masked_paths.v[s->index]);
    else if (s->kind == STEP_READONLY)
        buf_printf(out, " %s", c->linux_.readonly_paths.v[s->index]);
    else if (s->kind == STEP_CGROUP_MAKE && s->index != CGROUP_ALL)
        buf_append_c(out, s->index == CGROUP_V1 ? " (v1)" : " (v2)");
    else if (s->kind == STEP_CGROUP_LIMITS && s->index != LIMITS_ALL)
        buf_append_c(out, s->index == LIMITS_PIDS ? " (of processes)" : " (but of processes)");
    else if (s->kind == STEP_HOSTNAME)
        buf_printf(out, " %s", c->hostname);
    else if (s->kind == STEP_DOMAINNAME)
        buf_printf(out, " %s", c->domainname);
}

static void print_of_process(const struct oci_process *p, const struct step *s, struct buf *out)
{
    if (s->kind == STEP_RLIMIT)
        buf_printf(out, " %s", p->rlimits[s->index].name);
    else if (s->kind == STEP_CWD)
        buf_printf(out, " %s", p->cwd);
    else if (s->kind == STEP_USER)
        buf_printf(out, " %u:%u", p->user.uid, p->user.gid);
    else if ((s->kind == STEP_EXEC || s->kind == STEP_LOOK) && p->args.n > 0)
        buf_printf(out, " %s", p->args.v[0]);
}

void plan_print_step(const struct oci_config *c, const struct oci_process *p,
                     const struct step *step, struct buf *out)
{
    buf_append_c(out, names[step->kind]);
    if (c != NULL)
        print_of_config(c, step, out);
    if (p != NULL)
        print_of_process(p, step, out);
}

static void print_flags(uint64_t flags, struct buf *out)
{
    for (int i = 0; i < OCI_NS_KINDS; i++)
        if ((flags & oci_ns_clone_flag[i]) != 0)
            buf_printf(out, " %s", oci_ns_names[i]);
}

void plan_print(const struct oci_config *c, const struct oci_process *p, const struct plan *plan,
                struct buf *out)
{
    for (size_t i = 0; i < plan->maker_n; i++) {
        buf_append_c(out, "maker: ");
        plan_print_step(c, p, &plan->maker[i], out);
        if (plan->maker[i].kind == STEP_CLONE)
            print_flags(plan->clone_flags, out);
        buf_append_char(out, '\n');
    }
    for (size_t i = 0; i < plan->child_n; i++) {
        buf_append_c(out, "child: ");
        plan_print_step(c, p, &plan->child[i], out);
        if (plan->child[i].kind == STEP_UNSHARE)
            print_flags(plan->begin_flags, out);
        buf_append_char(out, '\n');
    }
    for (size_t i = 0; i < plan->entered_n; i++) {
        buf_append_c(out, "maker, of who has entered: ");
        plan_print_step(c, p, &plan->entered[i], out);
        buf_append_char(out, '\n');
    }
}
