/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bare - what a container start costs when nothing but the kernel's work is done
 *
 *     bare run  GROUPS ROOTFS FILTER ID PROGRAM   namespaces, cgroup, mounts, masks, filter, execve
 *     bare exec GROUPS FILTER PID PROGRAM         setns, the same cgroup, filter, execve
 *
 * The yardstick of the benchmark: it makes the same six namespaces, the mounts, devices, links,
 * masked and read-only paths of the configuration that `spec` prints, drops the same capabilities
 * and loads the same filter (already compiled, see mkfilter.c), by the cheapest calls known. It
 * reads no configuration, keeps no state, checks nothing twice, and protects nothing from a hostile
 * root file system: what a runtime does beyond that is the difference. FILTER may be "-".
 *
 * GROUPS is "one", a single group (v1: of the pids controller), or "all", one in every hierarchy,
 * as runtimes must make them on v1. On v2 the two are the same.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/num.h"
#include "runtime/base/str.h"

#define NAMESPACES \
    (CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP)
#define CAPS_KEPT (1U << CAP_KILL | 1U << CAP_NET_BIND_SERVICE | 1U << CAP_AUDIT_WRITE)
#define COUNT(a)  (sizeof(a) / sizeof(a)[0])

struct filter {
    struct sock_filter code[BPF_MAXINSNS];
    unsigned short n;
};

static struct filter filter;

static void must(long result, const char *what)
{
    if (result < 0)
        err(1, "%s", what);
}

/* --- what all of them need -------------------------------------------------------------------- */

static void load_filter(const char *path)
{
    int fd = -1;
    ssize_t n = 0;

    if (strcmp(path, "-") == 0)
        return;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    must(fd, path);
    n = read(fd, filter.code, sizeof filter.code);
    must(n, path);
    filter.n = (unsigned short)((size_t)n / sizeof filter.code[0]);
    (void)close(fd);
}

static const char *const hierarchies[] = {"pids/",   "blkio/",   "freezer/", "devices/", "memory/",
                                          "cpuset/", "cpuacct/", "cpu/",     "unified/"};

static struct {
    char path[300];
    int tasks_fd; /* -1: of v2, which the child is cloned into */
} groups[COUNT(hierarchies)];

static size_t groups_n;
static int v2_fd = -1;

static bool has_v1(void)
{
    return access("/sys/fs/cgroup/pids/tasks", F_OK) == 0;
}

static void add_group(const char *hierarchy, const char *id)
{
    (void)snprintf(groups[groups_n++].path, sizeof groups[0].path, "/sys/fs/cgroup/%s%.200s",
                   hierarchy, id);
}

static void name_groups(const char *how_many, const char *id)
{
    size_t n = strcmp(how_many, "all") == 0 ? COUNT(hierarchies) : 1;

    if (!has_v1())
        add_group("", id);
    for (size_t i = 0; i < n && has_v1(); i++)
        add_group(hierarchies[i], id);
}

static void make_groups(void)
{
    for (size_t i = 0; i < groups_n; i++)
        must(mkdir(groups[i].path, 0755), groups[i].path);
}

static void remove_groups(void)
{
    for (size_t i = 0; i < groups_n; i++)
        must(rmdir(groups[i].path), groups[i].path);
}

/* A new cpuset has no CPU and no memory, and takes nobody before it has. */
static void fill_cpuset(const char *path)
{
    static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};
    char from[400], to[400], text[256];

    for (size_t i = 0; i < COUNT(files); i++) {
        int fd = -1;
        ssize_t n = 0;

        (void)snprintf(from, sizeof from, "/sys/fs/cgroup/cpuset/%s", files[i]);
        (void)snprintf(to, sizeof to, "%.300s/%s", path, files[i]);
        fd = open(from, O_RDONLY | O_CLOEXEC);
        must(fd, from);
        n = read(fd, text, sizeof text);
        must(n, from);
        (void)close(fd);
        fd = open(to, O_WRONLY | O_CLOEXEC);
        must(fd, to);
        must(write(fd, text, (size_t)n), to);
        (void)close(fd);
    }
}

static void open_tasks(void)
{
    char path[400];

    for (size_t i = 0; i < groups_n; i++) {
        bool v2 = !has_v1() || strstr(groups[i].path, "/unified/") != NULL;

        groups[i].tasks_fd = -1;
        if (v2) {
            v2_fd = open(groups[i].path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            must(v2_fd, groups[i].path);
            continue;
        }
        if (strstr(groups[i].path, "/cpuset/") != NULL)
            fill_cpuset(groups[i].path);
        (void)snprintf(path, sizeof path, "%.300s/tasks", groups[i].path);
        groups[i].tasks_fd = open(path, O_WRONLY | O_CLOEXEC);
        must(groups[i].tasks_fd, path);
    }
}

static void enter_groups(void)
{
    for (size_t i = 0; i < groups_n; i++)
        if (groups[i].tasks_fd >= 0)
            must(write(groups[i].tasks_fd, "0", 1), "enter the cgroup");
}

/* To be moved there afterwards would have the kernel wait for all processors. */
static void into_v2(struct clone_args *args)
{
    if (v2_fd < 0)
        return;
    args->flags |= CLONE_INTO_CGROUP;
    args->cgroup = (unsigned)v2_fd;
}

/* --- the child of run ------------------------------------------------------------------------- */

static void loopback(void)
{
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    must(fd, "socket");
    must(ioctl(fd, SIOCSIFFLAGS, &lo), "lo");
    (void)close(fd);
}

static const struct {
    const char *at, *type, *source, *data;
    unsigned long flags;
    mode_t mode; /* of a directory to be made first; 0: it is there */
} mounts[] = {
    {"proc", "proc", "proc", NULL, 0, 0},
    {"dev", "tmpfs", "tmpfs", "mode=755,size=65536k", MS_NOSUID | MS_STRICTATIME, 0},
    {"dev/pts", "devpts", "devpts", "newinstance,ptmxmode=0666,mode=0620,gid=5",
     MS_NOSUID | MS_NOEXEC, 0755},
    {"dev/shm", "tmpfs", "shm", "mode=1777,size=65536k", MS_NOSUID | MS_NOEXEC | MS_NODEV, 0755},
    {"dev/mqueue", "mqueue", "mqueue", NULL, MS_NOSUID | MS_NOEXEC | MS_NODEV, 0755},
    {"sys", "sysfs", "sysfs", NULL, MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RDONLY, 0},
};

/* On v1 a tmpfs with a mount for each hierarchy, as every runtime shows it. */
static void mount_groups(void)
{
    static const char *const v1[] = {"pids",   "blkio",  "freezer", "devices",
                                     "memory", "cpuset", "cpuacct", "cpu"};
    const unsigned long flags = MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RELATIME | MS_RDONLY;
    char path[64];

    if (!has_v1()) {
        must(mount("cgroup", "sys/fs/cgroup", "cgroup2", flags, NULL), "cgroup2");
        return;
    }
    must(mount("tmpfs", "sys/fs/cgroup", "tmpfs", flags & ~(unsigned long)MS_RDONLY, "mode=755"),
         "cgroup");
    for (size_t i = 0; i < COUNT(v1); i++) {
        (void)snprintf(path, sizeof path, "sys/fs/cgroup/%s", v1[i]);
        must(mkdir(path, 0755), path);
        if (mount("cgroup", path, "cgroup", flags, v1[i]) < 0 && errno != EBUSY && errno != EINVAL)
            err(1, "%s", path);
    }
}

static const struct {
    const char *path;
    unsigned major, minor;
} devices[] = {
    {"dev/null", 1, 3},   {"dev/zero", 1, 5},    {"dev/full", 1, 7},
    {"dev/random", 1, 8}, {"dev/urandom", 1, 9}, {"dev/tty", 5, 0},
};

static const char *const links[][2] = {
    {"dev/fd", "/proc/self/fd"},       {"dev/stdin", "/proc/self/fd/0"},
    {"dev/stdout", "/proc/self/fd/1"}, {"dev/stderr", "/proc/self/fd/2"},
    {"dev/core", "/proc/kcore"},       {"dev/ptmx", "pts/ptmx"},
};

static void make_root(const char *rootfs)
{
    must(mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL), "/");
    must(mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL), rootfs);
    must(chdir(rootfs), rootfs);
    for (size_t i = 0; i < COUNT(mounts); i++) {
        if (mounts[i].mode != 0)
            must(mkdir(mounts[i].at, mounts[i].mode), mounts[i].at);
        must(mount(mounts[i].source, mounts[i].at, mounts[i].type, mounts[i].flags, mounts[i].data),
             mounts[i].at);
    }
    mount_groups();
    for (size_t i = 0; i < COUNT(devices); i++)
        must(mknod(devices[i].path, S_IFCHR | 0666, makedev(devices[i].major, devices[i].minor)),
             devices[i].path);
    for (size_t i = 0; i < COUNT(links); i++)
        must(symlink(links[i][1], links[i][0]), links[i][0]);
    must(mount(NULL, ".", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), "read-only root");
    must(syscall(SYS_pivot_root, ".", "."), "pivot_root");
    must(umount2(".", MNT_DETACH), "umount2");
}

static void hide(void)
{
    static const char *const files[] = {"/proc/kcore", "/proc/keys", "/proc/latency_stats",
                                        "/proc/timer_list", "/proc/sched_debug"};
    static const char *const dirs[] = {"/proc/acpi", "/proc/asound", "/sys/firmware", "/proc/scsi"};
    static const char *const readonly[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                           "/proc/sysrq-trigger"};

    for (size_t i = 0; i < COUNT(files); i++)
        if (mount("/dev/null", files[i], NULL, MS_BIND, NULL) < 0 && errno != ENOENT)
            err(1, "%s", files[i]);
    for (size_t i = 0; i < COUNT(dirs); i++)
        if (mount("tmpfs", dirs[i], "tmpfs", MS_RDONLY, "nr_blocks=1,nr_inodes=1") < 0 &&
            errno != ENOENT)
            err(1, "%s", dirs[i]);
    for (size_t i = 0; i < COUNT(readonly); i++)
        if (mount(readonly[i], readonly[i], NULL, MS_BIND | MS_REC, NULL) == 0)
            must(mount(NULL, readonly[i], NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL),
                 readonly[i]);
}

static void drop(void)
{
    struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct d[2] = {{.effective = CAPS_KEPT, .permitted = CAPS_KEPT}};
    struct rlimit files = {1024, 1024};

    must(setrlimit(RLIMIT_NOFILE, &files), "setrlimit");
    for (unsigned cap = 0; cap <= CAP_LAST_CAP; cap++)
        if ((cap >= 32 || (CAPS_KEPT >> cap & 1) == 0) && prctl(PR_CAPBSET_DROP, cap) < 0)
            break;
    must(syscall(SYS_capset, &h, d), "capset");
    must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
}

static void execute(const char *program)
{
    struct sock_fprog prog = {.len = filter.n, .filter = filter.code};
    char path[] = "PATH=/bin", *env[] = {path, NULL}, name[256], *argv[] = {name, NULL, NULL};
    char seconds[] = "1000";

    (void)snprintf(name, sizeof name, "%s", program);
    if (strstr(program, "sleep") != NULL)
        argv[1] = seconds;
    if (filter.n > 0)
        must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog), "seccomp");
    (void)execve(program, argv, env);
    err(1, "%s", program);
}

static int reap(int pid_fd)
{
    siginfo_t info;

    must(waitid(P_PIDFD, (id_t)pid_fd, &info, WEXITED), "waitid");
    return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

/* --- the two verbs ---------------------------------------------------------------------------- */

static int run(char **argv)
{
    struct clone_args args = {.flags = (NAMESPACES & ~CLONE_NEWCGROUP) | CLONE_PIDFD,
                              .exit_signal = SIGCHLD};
    int pid_fd = -1, code = 0;
    long pid = 0;

    load_filter(argv[2]);
    name_groups(argv[0], argv[3]);
    make_groups();
    open_tasks();
    args.pidfd = (uintptr_t)&pid_fd;
    into_v2(&args);
    pid = syscall(SYS_clone3, &args, sizeof args);
    must(pid, "clone3");
    if (pid == 0) {
        enter_groups();
        must(unshare(CLONE_NEWCGROUP), "unshare");
        must(setsid(), "setsid");
        loopback();
        must(sethostname("bare", 4), "sethostname");
        make_root(argv[1]);
        hide();
        drop();
        execute(argv[4]);
    }
    code = reap(pid_fd);
    remove_groups();
    return code;
}

/* Lines are "ID:CONTROLLERS:PATH"; key is ":CONTROLLERS:". */
static void find_group(const char *text, const char *hierarchy, const char *key)
{
    const char *line = strstr(text, key);

    if (line == NULL)
        errx(1, "no cgroup '%s'", key);
    line += strlen(key) + 1;
    (void)snprintf(groups[groups_n++].path, sizeof groups[0].path, "/sys/fs/cgroup/%s%.*s",
                   hierarchy, (int)strcspn(line, "\n"), line);
}

/* The groups of the process that is joined, whoever made them. */
static void find_groups(const char *how_many, const char *pid)
{
    size_t n = strcmp(how_many, "all") == 0 ? COUNT(hierarchies) : 1;
    char path[64], text[4096], key[64];
    int fd = -1;
    ssize_t size = 0;

    (void)snprintf(path, sizeof path, "/proc/%.16s/cgroup", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    must(fd, path);
    size = read(fd, text, sizeof text - 1);
    must(size, path);
    text[size] = '\0';
    (void)close(fd);
    if (!has_v1())
        find_group(text, "", "0::");
    for (size_t i = 0; i < n && has_v1(); i++) {
        (void)snprintf(key, sizeof key, ":%.*s:", (int)strlen(hierarchies[i]) - 1, hierarchies[i]);
        find_group(text, hierarchies[i], strcmp(key, ":unified:") == 0 ? "0::" : key);
    }
}

static int join(char **argv)
{
    int join_fd = -1, pid_fd = -1;
    struct clone_args args = {.flags = CLONE_PIDFD, .exit_signal = SIGCHLD};
    long pid = 0;
    uint32_t joined = 0;
    struct err error;

    must(num_parse_u32(str_of(argv[2]), 1, INT32_MAX, &joined, &error), "PID");
    join_fd = pidfd_open((pid_t)joined, 0);
    must(join_fd, "pidfd_open");
    load_filter(argv[1]);
    find_groups(argv[0], argv[2]);
    open_tasks();
    must(setns(join_fd, CLONE_NEWPID), "setns");
    args.pidfd = (uintptr_t)&pid_fd;
    into_v2(&args);
    pid = syscall(SYS_clone3, &args, sizeof args);
    must(pid, "clone3");
    if (pid == 0) {
        enter_groups();
        must(setns(join_fd, NAMESPACES & ~CLONE_NEWPID), "setns");
        must(setsid(), "setsid");
        drop();
        execute(argv[3]);
    }
    return reap(pid_fd);
}

int main(int argc, char **argv)
{
    if (argc == 7 && strcmp(argv[1], "run") == 0)
        return run(argv + 2);
    if (argc == 6 && strcmp(argv[1], "exec") == 0)
        return join(argv + 2);
    errx(2, "usage: bare run one|all ROOTFS FILTER ID PROGRAM | exec one|all FILTER PID PROGRAM");
}
