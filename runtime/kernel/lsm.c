/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/kernel/lsm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/own.h"
#include "runtime/kernel/dir.h"
#include "runtime/kernel/proc.h"

#define LABEL_MAX 4096 /* a page is what the kernel takes */

static bool apparmor_is_on(void)
{
    own_fd int fd = open("/sys/module/apparmor/parameters/enabled", O_RDONLY | O_CLOEXEC);
    char yes = 'N';

    return fd >= 0 && read(fd, &yes, 1) == 1 && yes == 'Y';
}

static bool selinux_is_on(void)
{
    own_fd int fd = open("/sys/fs/selinux", O_PATH | O_DIRECTORY | O_CLOEXEC);

    return fd >= 0 && dir_is_on(fd, SELINUX_MAGIC);
}

bool lsm_is_on(enum lsm kind)
{
    return kind == LSM_APPARMOR ? apparmor_is_on() : selinux_is_on();
}

static int set_apparmor(int proc_fd, const char *profile, struct err *err)
{
    char text[LABEL_MAX];

    if (snprintf(text, sizeof text, "exec %s", profile) >= (int)sizeof text)
        return err_set(err, ENAMETOOLONG, "AppArmor profile '%.64s...'", profile);
    if (proc_write(proc_fd, "thread-self/attr/apparmor/exec", text, err) == 0)
        return 0;
    /* Kernels without the stacking of security modules have one set of files for all of them. */
    if (err->code != ENOENT)
        return err_wrap(err, "AppArmor profile '%s'", profile);
    err_reset(err);
    if (proc_write(proc_fd, "thread-self/attr/exec", text, err) == 0)
        return 0;
    return err->code == ENOENT ? err_set(err, 0, "AppArmor profile '%s' is not loaded", profile)
                               : err_wrap(err, "AppArmor profile '%s'", profile);
}

static int set_selinux(int proc_fd, const char *file, const char *label, struct err *err)
{
    return proc_write(proc_fd, file, label, err) < 0 ? err_wrap(err, "SELinux label '%s'", label)
                                                     : 0;
}

int lsm_set_exec(int proc_fd, enum lsm kind, const char *label, struct err *err)
{
    return kind == LSM_APPARMOR ? set_apparmor(proc_fd, label, err)
                                : set_selinux(proc_fd, "thread-self/attr/exec", label, err);
}

int lsm_set_keys(int proc_fd, const char *label, struct err *err)
{
    return set_selinux(proc_fd, "thread-self/attr/keycreate", label, err);
}

int lsm_set_file(int fd, const char *label, struct err *err)
{
    /* As the kernel itself gives it: with the NUL. */
    return fsetxattr(fd, "security.selinux", label, strlen(label) + 1, 0) < 0
               ? err_set(err, errno, "set the SELinux label '%.128s'", label)
               : 0;
}
