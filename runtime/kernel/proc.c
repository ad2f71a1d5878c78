/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/kernel/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"
#include "runtime/base/str.h"
#include "runtime/kernel/dir.h"
#include "runtime/kernel/sys.h"

#define PROC_ROOT_INO 1 /* of every procfs */
#define SYSCTL_MAX    512
#define STAT_MAX      1024

/* Fields after the name. */
#define STAT_STATE     1
#define STAT_FLAGS     7
#define STAT_START     20
#define STAT_BLOCKED   30
#define STAT_IGNORED   31
#define STAT_CAUGHT    32
#define STAT_EXIT      50

#define FORKED_NO_EXEC 0x40 /* PF_FORKNOEXEC of the kernel's flags of a process */

int proc_open(struct err *err)
{
    struct stat st;
    own_fd int fd = open("/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) < 0)
        return err_set(err, errno, "open '/proc'");
    if (!dir_is_on(fd, PROC_SUPER_MAGIC) || st.st_ino != PROC_ROOT_INO)
        return err_set(err, ENODEV, "'/proc' is not a procfs");
    return take_fd(&fd);
}

static int write_fd(int fd, const char *path, const char *text, struct err *err)
{
    size_t n = strlen(text);

    if (write(fd, text, n) != (ssize_t)n)
        return err_set(err, errno, "write '%s' to '/proc/%s'", text, path);
    return 0;
}

int proc_write(int proc_fd, const char *path, const char *text, struct err *err)
{
    own_fd int fd = sys_openat2(proc_fd, path, O_WRONLY | O_CLOEXEC, 0,
                                RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS);

    if (fd < 0)
        return err_set(err, errno, "open '/proc/%s'", path);
    return write_fd(fd, path, text, err);
}

/* "net.ipv4.conf.eth0/1" is the file net/ipv4/conf/eth0.1. */
static void swap_separators(char *p)
{
    for (; *p != '\0'; p++)
        if (*p == '.')
            *p = '/';
        else if (*p == '/')
            *p = '.';
}

int proc_sysctl(int proc_fd, const char *key, const char *value, struct err *err)
{
    char path[SYSCTL_MAX];
    size_t first = strcspn(key, "./");
    bool dotted = key[first] == '.';
    int n = snprintf(path, sizeof path, "sys/%s", key);
    own_fd int fd = -1;

    if (n < 0 || (size_t)n >= sizeof path)
        return err_set(err, ENAMETOOLONG, "sysctl '%.64s...'", key);
    if (first == 0 || strstr(key, "..") != NULL)
        return err_set(err, EINVAL, "sysctl '%s'", key);
    if (dotted)
        swap_separators(path + sizeof "sys/" - 1);
    fd = sys_openat2(proc_fd, path, O_WRONLY | O_CLOEXEC, 0,
                     RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS);
    if (fd < 0)
        return err_set(err, errno, "open '/proc/%s'", path);
    return write_fd(fd, path, value, err);
}

/* Field n (1 is the state) of what follows the name in parentheses, which may hold anything. */
int proc_stat_parse(struct str text, struct proc_stat *out, struct err *err)
{
    uint64_t number[STAT_EXIT + 1] = {0};
    struct str field = STR_NONE;
    struct err ignored; /* fields that are no numbers from 0 on are none of ours */
    ptrdiff_t close = str_rfind(text, ')');
    struct str rest = close < 0 ? STR_NONE : str_skip(text, (size_t)close + 2);
    int n = 0;

    while (n < STAT_EXIT && str_next(&rest, ' ', &field) && field.n > 0) {
        n++;
        if (n == STAT_STATE)
            out->state = field.p[0];
        else if (num_parse_u64(str_trim(field), 0, UINT64_MAX, &number[n], &ignored) < 0)
            number[n] = 0;
    }
    if (n < STAT_START)
        return err_set(err, EINVAL, "the kernel's stat of a process has too few fields");
    out->start = number[STAT_START];
    out->executed = (number[STAT_FLAGS] & FORKED_NO_EXEC) == 0;
    out->status = (int)number[STAT_EXIT];
    out->heeds = number[STAT_BLOCKED] | number[STAT_IGNORED] | number[STAT_CAUGHT];
    return 0;
}

int proc_stat(pid_t pid, struct proc_stat *out, struct err *err)
{
    char path[64], text[STAT_MAX];
    ssize_t n = 0;
    own_fd int fd = -1;

    (void)snprintf(path, sizeof path, "/proc/%d/stat", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, errno == ENOENT ? ESRCH : errno, "look at process %d", pid);
    n = read(fd, text, sizeof text);
    if (n < 0)
        return err_set(err, errno, "look at process %d", pid);
    return proc_stat_parse((struct str){text, (size_t)n}, out, err);
}

int proc_alive(pid_t pid, uint64_t start, bool *alive, struct err *err)
{
    struct proc_stat st;

    *alive = false;
    if (pid <= 0)
        return 0;
    if (proc_stat(pid, &st, err) < 0) {
        if (err->code != ESRCH)
            return -1;
        err_reset(err);
        return 0;
    }
    *alive = st.start == start && st.state != 'Z' && st.state != 'X';
    return 0;
}

static int need_alive(pid_t pid, uint64_t start, struct err *err)
{
    bool alive = false;

    if (proc_alive(pid, start, &alive, err) < 0)
        return -1;
    return alive ? 0 : err_set(err, ESRCH, "process %d", pid);
}

int proc_pidfd(pid_t pid, uint64_t start, struct err *err)
{
    own_fd int fd = pid > 0 ? pidfd_open(pid, 0) : -1;

    if (pid <= 0)
        return err_set(err, ESRCH, "process %d", pid);
    if (fd < 0)
        return err_set(err, errno, "open process %d", pid);
    /* Looked at after the pidfd was opened: if it is the right one now, the pidfd is its. */
    if (need_alive(pid, start, err) < 0)
        return -1;
    return take_fd(&fd);
}

int proc_open_root(int proc_fd, pid_t pid, int pid_fd, struct err *err)
{
    char path[64];

    (void)snprintf(path, sizeof path, "%d/root", pid);
    own_fd int fd = openat(proc_fd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return err_set(err, errno, "open '/proc/%s'", path);
    /* Nobody has the number while it is there, were it as a zombie. */
    if (pidfd_send_signal(pid_fd, 0, NULL, 0) < 0 && errno == ESRCH)
        return err_set(err, errno, "process %d", pid);
    return take_fd(&fd);
}

int proc_open_ns(pid_t pid, const char *name, struct err *err)
{
    char path[64];
    int fd = -1;

    (void)snprintf(path, sizeof path, "/proc/%d/ns/%s", pid, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 ? fd : err_set(err, errno, "open '%s'", path);
}

bool proc_is_own_ns(const char *path, const char *name)
{
    char own[64];
    struct stat theirs, ours;

    (void)snprintf(own, sizeof own, "/proc/self/ns/%s", name);
    return stat(path, &theirs) == 0 && stat(own, &ours) == 0 && theirs.st_dev == ours.st_dev &&
           theirs.st_ino == ours.st_ino;
}

bool proc_is_among(pid_t pid, const pid_t *sorted, size_t n)
{
    while (n > 0) {
        size_t half = n / 2;

        if (sorted[half] == pid)
            return true;
        if (sorted[half] < pid) {
            sorted += half + 1;
            n -= half + 1;
        } else {
            n = half;
        }
    }
    return false;
}
