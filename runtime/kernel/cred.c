/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/kernel/cred.h"

#include <errno.h>
#include <linux/keyctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/kernel/caps.h"
#include "runtime/kernel/sys.h"

_Static_assert(sizeof(gid_t) == sizeof(uint32_t), "groups are given to the kernel as they are");

int cred_become(const struct cred *c, enum cred_groups how, struct err *err)
{
    if (prctl(PR_SET_KEEPCAPS, 1UL, 0UL, 0UL, 0UL) < 0)
        return err_set(err, errno, "keep the capabilities");
    if (how == CRED_GROUPS_SET && sys_setgroups(c->groups_n, c->groups) < 0)
        return err_set(err, errno, "set %zu additional groups", c->groups_n);
    if (setresgid(c->gid, c->gid, c->gid) < 0)
        return err_set(err, errno, "become group %u", c->gid);
    if (setresuid(c->uid, c->uid, c->uid) < 0)
        return err_set(err, errno, "become user %u", c->uid);
    if (prctl(PR_SET_KEEPCAPS, 0UL, 0UL, 0UL, 0UL) < 0)
        return err_set(err, errno, "stop keeping the capabilities");
    /* A change of user makes the process dumpable or not, as fs.suid_dumpable has it; before execve
     * it must not be (its memory and descriptors are the runtime's). */
    if (prctl(PR_SET_DUMPABLE, 0UL, 0UL, 0UL, 0UL) < 0)
        return err_set(err, errno, "become undumpable");
    return caps_raise(err);
}

int cred_no_new_privs(struct err *err)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL) < 0)
        return err_set(err, errno, "set no_new_privs");
    return 0;
}

int cred_new_keyring(struct err *err)
{
    if (sys_keyctl(KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS && errno != EPERM)
        return err_set(err, errno, "join a new session keyring");
    return 0;
}
