/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who the process is and what it may do: label, system call filter, user, capabilities.
 */
#include <errno.h>
#include <sys/stat.h>

#include "runtime/base/err.h"
#include "runtime/container/init.h"
#include "runtime/container/steps.h"
#include "runtime/container/sync.h"
#include "runtime/kernel/caps.h"
#include "runtime/kernel/cred.h"
#include "runtime/kernel/lsm.h"

/* Through the host's procfs, as long as it is open. It takes effect at execve. */
int step_label(struct init *in, size_t index, struct err *err)
{
    const struct oci_process *p = in->process;

    (void)index;
    if (in->labelled)
        return 0;
    in->labelled = true;
    if (p->apparmor_profile != NULL && lsm_is_on(LSM_APPARMOR) &&
        lsm_set_exec(in->proc_fd, LSM_APPARMOR, p->apparmor_profile, err) < 0)
        return -1;
    if (p->selinux_label == NULL)
        return 0;
    if (lsm_set_keys(in->proc_fd, p->selinux_label, err) < 0)
        return -1;
    return lsm_set_exec(in->proc_fd, LSM_SELINUX, p->selinux_label, err);
}

static int hand_listener(void *ctx, int listener_fd, struct err *err)
{
    const struct init *in = ctx;
    int ignored = 0;

    if (sync_send(in->sync_fd, SYNC_LISTENER, 0, listener_fd, err) < 0)
        return -1;
    return sync_wait_go(in->sync_fd, &ignored, err);
}

int step_filter(struct init *in, size_t index, struct err *err)
{
    struct seccomp_hand hand = {hand_listener, in};

    (void)index;
    if (in->filter_listens)
        return seccomp_apply_listen(&in->filter, in->filter_flags, &hand, err);
    return seccomp_apply(&in->filter, in->filter_flags, err) < 0 ? -1 : 0;
}

int step_bounding(struct init *in, size_t index, struct err *err)
{
    (void)index;
    return caps_limit(in->process->caps.mask[OCI_CAP_BOUNDING], err);
}

int step_user(struct init *in, size_t index, struct err *err)
{
    const struct oci_user *u = &in->process->user;
    struct cred c = {.uid = u->uid, .gid = u->gid, .groups = u->gids, .groups_n = u->gids_n};

    (void)index;
    if (in->groups == INIT_GROUPS_DENIED && u->gids_n > 0)
        return err_set(err, EPERM,
                       "additional groups cannot be set by an unprivileged user without newgidmap");
    if (cred_become(&c, in->groups == INIT_GROUPS_SET ? CRED_GROUPS_SET : CRED_GROUPS_KEEP, err) <
        0)
        return -1;
    (void)umask(u->umask.set ? (mode_t)u->umask.v : 0022);
    return enter_cwd_as_user(in, err);
}

int step_caps(struct init *in, size_t index, struct err *err)
{
    const uint64_t *m = in->process->caps.mask;
    struct caps c = {.bounding = m[OCI_CAP_BOUNDING],
                     .effective = m[OCI_CAP_EFFECTIVE],
                     .inheritable = m[OCI_CAP_INHERITABLE],
                     .permitted = m[OCI_CAP_PERMITTED],
                     .ambient = m[OCI_CAP_AMBIENT]};

    (void)index;
    return caps_apply(&c, err);
}

int step_no_new_privs(struct init *in, size_t index, struct err *err)
{
    (void)in;
    (void)index;
    return cred_no_new_privs(err);
}
