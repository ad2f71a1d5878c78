/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/container/steps.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/container/init.h"
#include "runtime/container/sync.h"

/* --- steps that speak with the maker ---------------------------------------------------------- */

static int step_hooks_runtime(struct init *in, size_t index, struct err *err)
{
    int ignored = 0;

    (void)index;
    if (sync_send(in->sync_fd, SYNC_HOOKS, 0, -1, err) < 0)
        return -1;
    return sync_wait_go(in->sync_fd, &ignored, err);
}

static int run_hooks(struct init *in, enum oci_hook_kind kind, struct err *err)
{
    struct hook_moment m = {.state = in->hook_state,
                            .status = "created",
                            .pid = getpid(),
                            .dir = in->in_container ? NULL : in->bundle,
                            .files = in->hook_files,
                            .env = in->in_container ? in->env : NULL};

    return hooks_run(in->config, kind, &m, err);
}

/* They are programs of the host, which must not make files that everybody may write to. */
static int step_hooks_container(struct init *in, size_t index, struct err *err)
{
    mode_t before = umask(in->callers_umask);
    int r = run_hooks(in, OCI_HOOK_CREATE_CONTAINER, err);

    (void)index;
    (void)umask(before);
    return r;
}

static int step_hooks_start(struct init *in, size_t index, struct err *err)
{
    (void)index;
    return run_hooks(in, OCI_HOOK_START_CONTAINER, err);
}

static int step_look(struct init *in, size_t index, struct err *err)
{
    (void)index;
    return init_look(in, err);
}

static int step_ready(struct init *in, size_t index, struct err *err)
{
    (void)index;
    return sync_send(in->sync_fd, SYNC_READY, 0, -1, err);
}

/* The maker has gone its way; whoever connects is `start`, and hears of failures from now on. */
static int step_wait(struct init *in, size_t index, struct err *err)
{
    int ignored = 0, fd = -1;

    (void)index;
    do
        fd = accept4(in->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return err_set(err, errno, "accept the start");
    (void)close(in->sync_fd);
    (void)close(in->listen_fd);
    in->sync_fd = fd;
    in->listen_fd = -1;
    if (sync_wait_go(fd, &ignored, err) < 0)
        return -1;
    return sync_send(fd, SYNC_READY, 0, -1, err);
}

static int step_exec(struct init *in, size_t index, struct err *err)
{
    (void)index;
    return init_exec(in, err);
}

static int step_end(struct init *in, size_t index, struct err *err)
{
    (void)in;
    (void)index;
    (void)err;
    _exit(0);
}

init_step *const init_steps[STEP_KINDS] = {
    [STEP_UNSHARE] = step_unshare,
    [STEP_CGROUP_ENTER] = step_cgroup_enter,
    [STEP_JOIN] = step_join,
    [STEP_BECOME_ROOT] = step_become_root,
    [STEP_ENTER_PID] = step_enter_pid,
    [STEP_SESSION] = step_session,
    [STEP_KEYRING] = step_keyring,
    [STEP_UNSHARE_CGROUP] = step_unshare_cgroup,
    [STEP_UNSHARE_TIME] = step_unshare_time,
    [STEP_LOOPBACK] = step_loopback,
    [STEP_NETDEV_SETTLE] = step_netdev_settle,
    [STEP_HOSTNAME] = step_hostname,
    [STEP_DOMAINNAME] = step_domainname,
    [STEP_PROPAGATION] = step_propagation,
    [STEP_ROOT] = step_root,
    [STEP_TAKE_MOUNTS] = step_take_mounts,
    [STEP_MOUNT] = step_mount,
    [STEP_MOUNT_WRITABLE] = step_mount_writable,
    [STEP_MOUNT_READONLY] = step_mount_readonly,
    [STEP_UNMOUNT] = step_unmount,
    [STEP_CHECK_DEV] = step_check_dev,
    [STEP_DEVICE] = step_device,
    [STEP_DEVICE_BIND] = step_device_bind,
    [STEP_LINK] = step_link,
    [STEP_TERMINAL] = step_terminal,
    [STEP_HOOKS_RUNTIME] = step_hooks_runtime,
    [STEP_HOOKS_CONTAINER] = step_hooks_container,
    [STEP_SYSCTL] = step_sysctl,
    [STEP_ROOT_READONLY] = step_root_readonly,
    [STEP_PIVOT] = step_pivot,
    [STEP_MOVE_ROOT] = step_move_root,
    [STEP_MASK] = step_mask,
    [STEP_READONLY] = step_readonly,
    [STEP_ROOT_PROPAGATION] = step_root_propagation,
    [STEP_LEAVE] = step_leave,
    [STEP_CPUS] = step_cpus,
    [STEP_HOME] = step_home,
    [STEP_STDIO] = step_stdio,
    [STEP_RLIMIT] = step_rlimit,
    [STEP_PERSONALITY] = step_personality,
    [STEP_SCHEDULER] = step_scheduler,
    [STEP_IOPRIO] = step_ioprio,
    [STEP_MEMPOLICY] = step_mempolicy,
    [STEP_LABEL] = step_label,
    [STEP_MAKE_CWD] = step_make_cwd,
    [STEP_CWD] = step_cwd,
    [STEP_LOOK] = step_look,
    [STEP_FILTER] = step_filter,
    [STEP_BOUNDING] = step_bounding,
    [STEP_USER] = step_user,
    [STEP_CAPS] = step_caps,
    [STEP_NO_NEW_PRIVS] = step_no_new_privs,
    [STEP_READY] = step_ready,
    [STEP_WAIT] = step_wait,
    [STEP_HOOKS_START] = step_hooks_start,
    [STEP_DESCRIPTORS] = step_descriptors,
    [STEP_EXEC] = step_exec,
    [STEP_END] = step_end,
};
