/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/kernel/self.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"
#include "runtime/base/str.h"
#include "runtime/kernel/dir.h"
#include "runtime/kernel/mount.h"

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define CHUNK (1 << 20)

/* Every file of a tmpfs has a seal, that there be no others: of one that was executed from a
 * read-only mount that says nothing. */
static bool is_protected(int exe_fd)
{
    struct statvfs fs;
    int seals = fcntl(exe_fd, F_GET_SEALS);

    if (seals >= 0 && (seals & SEALS) == SEALS)
        return true;
    return fstatvfs(exe_fd, &fs) == 0 && (fs.f_flag & ST_RDONLY) != 0;
}

/* Who neither owns the file nor may write it could not change it from a container either. */
static bool is_mine(int exe_fd)
{
    struct stat st;

    if (geteuid() == 0 || fstat(exe_fd, &st) < 0 || st.st_uid == geteuid())
        return true;
    return faccessat(AT_FDCWD, "/proc/self/exe", W_OK, AT_EACCESS) == 0;
}

static int open_readonly_mount(struct err *err)
{
    struct mount_change ro = {.set = MOUNT_ATTR_RDONLY};
    own_fd int mount_fd = mount_clone(AT_FDCWD, "/proc/self/exe", MOUNT_ONE, err);

    if (mount_fd < 0 || mount_set(mount_fd, MOUNT_ONE, &ro, err) < 0)
        return -1;
    return take_fd(&mount_fd);
}

static int open_sealed_copy(int exe_fd, struct err *err)
{
    own_fd int fd = memfd_create("mailbox-run", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    ssize_t n = 0;

    if (fd < 0)
        return err_set(err, errno, "make a memory file");
    do
        n = sendfile(fd, exe_fd, NULL, CHUNK);
    while (n > 0);
    if (n < 0)
        return err_set(err, errno, "copy the program");
    if (fchmod(fd, 0555) < 0 || fcntl(fd, F_ADD_SEALS, SEALS) < 0)
        return err_set(err, errno, "seal the copy of the program");
    return take_fd(&fd);
}

/* Through which the program was executed, if it is open still; else -1. State of the process, as
 * the descriptor is: each child has its own. */
static int origin_fd = -1;

/* The kernel tells a program that was executed by its descriptor so; whether that is open still, it
 * does not. Asked once, since later the number may be another file's. */
static void note_origin(int exe_fd)
{
    const char *name = (const char *)getauxval(AT_EXECFN); /* NOLINT(performance-no-int-to-ptr) */
    const struct str front = STR("/dev/fd/");
    struct err ignored;
    uint32_t fd = 0;

    if (name != NULL && str_starts(str_of(name), front) &&
        num_parse_u32(str_skip(str_of(name), front.n), 3, INT32_MAX, &fd, &ignored) == 0 &&
        (int)fd != exe_fd && dir_is_same((int)fd, exe_fd))
        origin_fd = (int)fd;
}

int self_protect(char *const *argv, struct err *err)
{
    own_fd int exe_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    own_fd int safe_fd = -1;

    if (exe_fd < 0)
        return err_set(err, errno, "open '/proc/self/exe'");
    if (is_protected(exe_fd)) {
        note_origin(exe_fd);
        return 0;
    }
    if (!is_mine(exe_fd))
        return 0;
    safe_fd = open_readonly_mount(err);
    if (safe_fd < 0)
        safe_fd = open_sealed_copy(exe_fd, err);
    if (safe_fd < 0)
        return err_wrap(err, "protect the runtime's own file");
    (void)execveat(safe_fd, "", argv, environ, AT_EMPTY_PATH);
    return err_set(err, errno, "execute the protected program");
}

void self_release(void)
{
    fd_close(&origin_fd);
}
