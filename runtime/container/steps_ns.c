/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/own.h"
#include "runtime/container/handed.h"
#include "runtime/container/init.h"
#include "runtime/container/steps.h"
#include "runtime/container/sync.h"
#include "runtime/kernel/cred.h"
#include "runtime/kernel/lsm.h"
#include "runtime/kernel/netdev.h"
#include "runtime/kernel/proc.h"
#include "runtime/kernel/sys.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

int step_unshare(struct init *in, size_t index, struct err *err)
{
    (void)index;
    return unshare((int)in->plan->begin_flags) < 0 ? err_set(err, errno, "unshare") : 0;
}

int step_cgroup_enter(struct init *in, size_t index, struct err *err)
{
    const enum cgroup_enter what = init_enters(in);

    (void)index;
    /* Made meanwhile, where the maker's word for it is waited for. */
    if (in->plan->side_by_side && (handed_take_groups(in, err) < 0 ||
                                   cgroup_doors_open(in->cgroup, &in->doors, what, err) < 0))
        return -1;
    return cgroup_doors_enter(&in->doors, what, err);
}

/* setns has set root and working directory to the root of the mount namespace, which as a rule is
 * the container's. Not so where the runtime that made it was itself in a chroot, for then the pivot
 * exchanged that, and the host's root is still above it; nor where the container shares the host's
 * mount namespace. Then it is the root of the container's init that counts. */
static int take_root(struct init *in, struct err *err)
{
    own_fd int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct stat of_namespace;
    struct stat of_init;

    if (fd < 0 || fstat(fd, &of_namespace) < 0 || fstat(in->root_fd, &of_init) < 0)
        return err_set(err, errno, "open '/'");
    if ((in->join_flags & CLONE_NEWNS) != 0 && of_namespace.st_dev == of_init.st_dev &&
        of_namespace.st_ino == of_init.st_ino) {
        (void)close(in->root_fd);
        in->root_fd = take_fd(&fd);
        return 0;
    }
    if (fchdir(in->root_fd) < 0 || chroot(".") < 0)
        return err_set(err, errno, "change the root to that of the container's init");
    return 0;
}

static int join(int fd, int flags, struct err *err)
{
    return flags != 0 && setns(fd, flags) < 0 ? err_set(err, errno, "setns") : 0;
}

int join_container(struct init *in, int flags, struct err *err)
{
    if (join(in->join_fd, flags, err) < 0 || take_root(in, err) < 0)
        return -1;
    in->in_container = true;
    in->join_flags &= ~flags;
    return 0;
}

/* index OCI_NS_KINDS: an exec, which joins all of them at once through the pidfd; or what is left
 * of them, if it came to be in the container. */
int step_join(struct init *in, size_t index, struct err *err)
{
    if (index != OCI_NS_KINDS)
        return join(in->ns_fds[index], (int)oci_ns_clone_flag[index], err);
    return in->in_container ? join(in->join_fd, in->join_flags, err)
                            : join_container(in, in->join_flags, err);
}

/* EINVAL: the namespace maps no id 0. Then the set-up goes on as nobody, with full capabilities. */
int step_become_root(struct init *in, size_t index, struct err *err)
{
    (void)index;
    if (in->groups == INIT_GROUPS_SET && sys_setgroups(0, NULL) < 0 && errno != EPERM)
        return err_set(err, errno, "drop the additional groups");
    if (setresgid(0, 0, 0) < 0 && errno != EINVAL)
        return err_set(err, errno, "become group 0");
    if (setresuid(0, 0, 0) < 0 && errno != EINVAL)
        return err_set(err, errno, "become user 0");
    if (prctl(PR_SET_DUMPABLE, 0UL, 0UL, 0UL, 0UL) < 0)
        return err_set(err, errno, "become undumpable");
    return 0;
}

int step_session(struct init *in, size_t index, struct err *err)
{
    (void)in;
    (void)index;
    return setsid() < 0 ? err_set(err, errno, "setsid") : 0;
}

/* The keyring gets the label of the process that it is for; execve forgets that it was asked for.
 */
int step_keyring(struct init *in, size_t index, struct err *err)
{
    (void)index;
    if (in->proc_fd >= 0 && in->process->selinux_label != NULL &&
        lsm_set_keys(in->proc_fd, in->process->selinux_label, err) < 0)
        return -1;
    return cred_new_keyring(err);
}

int step_unshare_cgroup(struct init *in, size_t index, struct err *err)
{
    (void)in;
    (void)index;
    return unshare(CLONE_NEWCGROUP) < 0 ? err_set(err, errno, "unshare") : 0;
}

static int set_offset(struct init *in, const char *clock, const struct oci_time_offset *o,
                      struct err *err)
{
    char text[64];

    if (!o->set)
        return 0;
    (void)snprintf(text, sizeof text, "%s %lld %u\n", clock, (long long)o->secs, o->nanosecs);
    return proc_write(in->proc_fd, "self/timens_offsets", text, err);
}

/* unshare makes it for children only, and not every kernel enters it at execve. */
static int enter_time(struct init *in, struct err *err)
{
    own_fd int fd = openat(in->proc_fd, "self/ns/time_for_children", O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return err_set(err, errno, "open the new time namespace");
    return setns(fd, CLONE_NEWTIME) < 0 ? err_set(err, errno, "enter the new time namespace") : 0;
}

/* The files of an undumpable process in a user namespace belong to somebody whom that does not map.
 * While the process is alone in its pid namespace nobody is there who could make use of the moment.
 */
static int set_dumpable(const struct init *in, bool on, struct err *err)
{
    if (!in->plan->user_ns || in->config->linux_.ns[OCI_NS_PID].mode != OCI_NS_NEW)
        return 0;
    return prctl(PR_SET_DUMPABLE, on ? 1UL : 0UL, 0UL, 0UL, 0UL) < 0
               ? err_set(err, errno, "change whether it is dumpable")
               : 0;
}

int step_unshare_time(struct init *in, size_t index, struct err *err)
{
    const struct oci_linux *l = &in->config->linux_;

    (void)index;
    if (unshare(CLONE_NEWTIME) < 0)
        return err_set(err, errno, "unshare");
    if (set_dumpable(in, true, err) < 0 || set_offset(in, "monotonic", &l->monotonic, err) < 0 ||
        set_offset(in, "boottime", &l->boottime, err) < 0 || set_dumpable(in, false, err) < 0)
        return -1;
    return enter_time(in, err);
}

int step_loopback(struct init *in, size_t index, struct err *err)
{
    struct ifreq lo = {.ifr_name = "lo"};
    own_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    (void)in;
    (void)index;
    lo.ifr_flags = IFF_UP | IFF_RUNNING;
    if (fd < 0)
        return err_set(err, errno, "open a socket");
    return ioctl(fd, SIOCSIFFLAGS, &lo) < 0 ? err_set(err, errno, "set 'lo' up") : 0;
}

int step_netdev_settle(struct init *in, size_t index, struct err *err)
{
    const struct oci_net_device *o = &in->config->linux_.net_devices[index];

    return netdev_settle(&in->netdevs[index], o->new_name != NULL ? o->new_name : o->name, err);
}

int step_hostname(struct init *in, size_t index, struct err *err)
{
    (void)index;
    return sethostname(in->config->hostname, strlen(in->config->hostname)) < 0
               ? err_set(err, errno, "sethostname")
               : 0;
}

int step_domainname(struct init *in, size_t index, struct err *err)
{
    (void)index;
    return setdomainname(in->config->domainname, strlen(in->config->domainname)) < 0
               ? err_set(err, errno, "setdomainname")
               : 0;
}

int step_sysctl(struct init *in, size_t index, struct err *err)
{
    const struct oci_pair *p = &in->config->linux_.sysctl.v[index];

    return proc_sysctl(in->proc_fd, p->key, p->value, err);
}
