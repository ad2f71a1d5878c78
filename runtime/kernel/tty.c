/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/kernel/tty.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/own.h"
#include "runtime/kernel/dir.h"
#include "runtime/kernel/mount.h"

int tty_open(int root_fd, struct tty *out, struct err *err)
{
    own_fd int master_fd = dir_open_beneath(root_fd, "dev/pts/ptmx", O_RDWR | O_NOCTTY, err);
    int slave_fd = -1, unlock = 0;

    if (master_fd < 0)
        return err_wrap(err, "open a terminal");
    if (!dir_is_on(master_fd, DEVPTS_SUPER_MAGIC))
        return err_set(err, ENODEV, "'/dev/pts/ptmx' is not on a devpts");
    if (ioctl(master_fd, TIOCSPTLCK, &unlock) < 0)
        return err_set(err, errno, "unlock the terminal");
    slave_fd = ioctl(master_fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave_fd < 0)
        return err_set(err, errno, "open the terminal's other side");
    *out = (struct tty){.master_fd = take_fd(&master_fd), .slave_fd = slave_fd};
    return 0;
}

int tty_keep_lines(int fd, struct err *err)
{
    struct termios t;

    if (tcgetattr(fd, &t) < 0)
        return err_set(err, errno, "read the terminal's settings");
    t.c_oflag &= ~(tcflag_t)ONLCR;
    return tcsetattr(fd, TCSANOW, &t) < 0 ? err_set(err, errno, "set the terminal's line ends") : 0;
}

int tty_resize(int fd, uint16_t rows, uint16_t cols, struct err *err)
{
    struct winsize size = {.ws_row = rows, .ws_col = cols};

    return ioctl(fd, TIOCSWINSZ, &size) < 0 ? err_set(err, errno, "set the terminal's size") : 0;
}

int tty_adopt(int slave_fd, struct err *err)
{
    if (ioctl(slave_fd, TIOCSCTTY, 0) < 0)
        return err_set(err, errno, "make the terminal the controlling one");
    for (int i = 0; i < 3; i++)
        if (dup3(slave_fd, i, 0) < 0)
            return err_set(err, errno, "make the terminal descriptor %d", i);
    return 0;
}

/* What is bound over /dev/console must not land elsewhere because the image has a link there. */
static int open_console(int root_fd, struct err *err)
{
    struct stat st;
    char name[NAME_MAX + 1];
    own_fd int dir_fd = dir_open_parent(root_fd, "dev/console", name, sizeof name, err);
    own_fd int fd = -1;

    if (dir_fd < 0)
        return -1;
    if (mknodat(dir_fd, name, S_IFREG | 0600, 0) < 0 && errno != EEXIST)
        return err_set(err, errno, "make '/dev/console'");
    fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_set(err, errno, "open '/dev/console'");
    if (S_ISLNK(st.st_mode) || S_ISDIR(st.st_mode))
        return err_set(err, EEXIST, "'/dev/console' of the image is a link or a directory");
    return take_fd(&fd);
}

int tty_bind_console(int root_fd, int slave_fd, struct err *err)
{
    own_fd int target_fd = open_console(root_fd, err);
    own_fd int mount_fd = -1;

    if (target_fd < 0)
        return -1;
    mount_fd = mount_clone(slave_fd, "", MOUNT_ONE, err);
    if (mount_fd < 0 || mount_attach(mount_fd, target_fd, err) < 0)
        return err_wrap(err, "bind the terminal to '/dev/console'");
    return 0;
}
