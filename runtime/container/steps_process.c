/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"
#include "runtime/base/str.h"
#include "runtime/container/container.h"
#include "runtime/container/init.h"
#include "runtime/container/steps.h"
#include "runtime/container/sync.h"
#include "runtime/kernel/caps.h"
#include "runtime/kernel/cred.h"
#include "runtime/kernel/device.h"
#include "runtime/kernel/dir.h"
#include "runtime/kernel/idlist.h"
#include "runtime/kernel/lsm.h"
#include "runtime/kernel/sched.h"

/* --- terminal and descriptors ----------------------------------------------------------------- */

/* As config.json says; else as large as the caller's, which it follows from now on, so that the
 * process never sees another size. */
static int size_terminal(const struct init *in, struct err *err)
{
    const struct oci_process *p = in->process;
    struct winsize size;

    if (p->console_rows != 0 || p->console_cols != 0)
        return tty_resize(in->tty.master_fd, p->console_rows, p->console_cols, err);
    if (in->io->console_socket != NULL || ioctl(0, TIOCGWINSZ, &size) < 0)
        return 0;
    return tty_resize(in->tty.master_fd, size.ws_row, size.ws_col, err);
}

int step_terminal(struct init *in, size_t index, struct err *err)
{
    int r = 0;

    (void)index;
    if (tty_open(in->root_fd, &in->tty, err) < 0)
        return -1;
    r = size_terminal(in, err);
    if (r == 0 && in->io->console_socket == NULL)
        r = tty_keep_lines(in->tty.slave_fd, err);
    if (r == 0 && in->config != NULL)
        r = tty_bind_console(in->root_fd, in->tty.slave_fd, err);
    if (r == 0)
        r = sync_send(in->sync_fd, SYNC_CONSOLE, 0, in->tty.master_fd, err);
    fd_close(&in->tty.master_fd);
    return r;
}

/* Files are given with the right to write that comes with it only where it was there before;
 * devices other than terminals, /dev/null for one, and directories are the host's. */
static bool may_be_given(int fd, const struct stat *st)
{
    if (S_ISREG(st->st_mode))
        return (fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY;
    return S_ISFIFO(st->st_mode) || S_ISSOCK(st->st_mode) ||
           (S_ISCHR(st->st_mode) && isatty(fd) == 1);
}

/* The process must be able to open its own /dev/stdout again, so it is given what it writes to;
 * what cannot be given stays as it is. */
static void own_stdio(int fd, const struct oci_user *u)
{
    struct stat st;

    if (fstat(fd, &st) < 0 || !may_be_given(fd, &st))
        return;
    /* A terminal keeps its group, which decides over messages to it. */
    if (fchown(fd, u->uid, S_ISCHR(st.st_mode) ? (gid_t)-1 : u->gid) < 0)
        return;
}

/* The host's /dev/null becomes that of the container, so that no descriptor leads to a mount of the
 * host. */
static int reopen_null(const struct init *in, int fd, struct err *err)
{
    own_fd int own_null = -1;

    if (!device_is_null(fd))
        return 0;
    own_null = device_open_null(in->root_fd);
    if (own_null < 0) /* it has none: the host's is as good */
        return 0;
    return dup3(own_null, fd, 0) < 0 ? err_set(err, errno, "make descriptor %d", fd) : 0;
}

int step_stdio(struct init *in, size_t index, struct err *err)
{
    (void)index;
    if (in->process->terminal) {
        if (tty_adopt(in->tty.slave_fd, err) < 0)
            return -1;
    } else {
        for (int i = 0; i < 3; i++)
            if (in->io->stdio[i] >= 0 && in->io->stdio[i] != i && dup3(in->io->stdio[i], i, 0) < 0)
                return err_set(err, errno, "make descriptor %d", i);
    }
    for (int i = 0; i < 3; i++)
        if (reopen_null(in, i, err) < 0)
            return -1;
    for (int i = 0; i < 3; i++) {
        if (!in->process->terminal && fcntl(i, F_SETFD, 0) < 0 && errno != EBADF)
            return err_set(err, errno, "keep descriptor %d", i);
        if (in->process->user.uid != 0)
            own_stdio(i, &in->process->user);
    }
    return 0;
}

static bool is_preserved(const struct init *in, int fd)
{
    unsigned i = (unsigned)fd - 3;

    return fd >= 3 && i < in->io->preserve_fds && i < INIT_KEEP_MAX &&
           (in->keep[i / 8] >> i % 8 & 1) != 0;
}

static int highest(const struct container_io *io)
{
    int top = 2 + (int)io->preserve_fds;

    for (size_t i = 0; i < io->fds_n; i++)
        if (io->fds[i].at > top)
            top = io->fds[i].at;
    return top;
}

static bool is_kept(const struct init *in, int fd)
{
    if (is_preserved(in, fd))
        return true;
    for (size_t i = 0; i < in->io->fds_n; i++)
        if (in->io->fds[i].at == fd)
            return true;
    return false;
}

/* The descriptors are first moved out of each other's way, above all targets, then put in place. */
static int place_fds(struct init *in, int base, struct err *err)
{
    int moved[CONTAINER_FDS_MAX];

    for (size_t i = 0; i < in->io->fds_n; i++) {
        moved[i] = fcntl(in->io->fds[i].fd, F_DUPFD_CLOEXEC, base);
        if (moved[i] < 0)
            return err_set(err, errno, "move descriptor %d", in->io->fds[i].fd);
    }
    for (size_t i = 0; i < in->io->fds_n; i++)
        if (dup3(moved[i], in->io->fds[i].at, 0) < 0)
            return err_set(err, errno, "make descriptor %d", in->io->fds[i].at);
    for (int fd = 3; fd < 3 + (int)in->io->preserve_fds; fd++)
        if (is_preserved(in, fd) && fcntl(fd, F_SETFD, 0) < 0)
            return err_set(err, errno, "keep descriptor %d", fd);
    return 0;
}

static int move_up(int *fd, int base, const char *what, struct err *err)
{
    int moved = -1;

    if (*fd < 0 || *fd >= base)
        return 0;
    moved = fcntl(*fd, F_DUPFD_CLOEXEC, base);
    if (moved < 0)
        return err_set(err, errno, "move %s", what);
    *fd = moved;
    return 0;
}

/* The marks take effect at execve, so this may come at any time after the last descriptor that must
 * not be there was opened without one; those that are still needed are moved out of the way. */
int step_descriptors(struct init *in, size_t index, struct err *err)
{
    int base = highest(in->io) + 1;

    (void)index;
    if (move_up(&in->sync_fd, base, "the socket to the runtime", err) < 0 ||
        move_up(&in->listen_fd, base, "the socket for start", err) < 0 ||
        (in->hook_files != NULL &&
         (move_up(&in->hook_files->out_fd, base, "the hooks' output", err) < 0 ||
          move_up(&in->hook_files->err_fd, base, "the hooks' output", err) < 0)) ||
        place_fds(in, base, err) < 0)
        return -1;
    /* Whatever else is open goes at execve, whatever its own mark said. */
    for (int fd = 3; fd < base; fd++)
        if (!is_kept(in, fd))
            (void)close_range((unsigned)fd, (unsigned)fd, CLOSE_RANGE_CLOEXEC);
    if (close_range((unsigned)base, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
        return err_set(err, errno, "close_range");
    return 0;
}

/* --- environment ------------------------------------------------------------------------------ */

/* Its place, or one after the last. */
static size_t find_env(const struct init *in, const char *name_eq)
{
    size_t i = 0;

    while (i < in->env_n && strncmp(in->env[i], name_eq, strlen(name_eq)) != 0)
        i++;
    return i;
}

/* "name:password:uid:gid:gecos:home:shell": the home, if the uid is that one. */
static bool home_of_line(struct str line, uid_t uid, struct str *home)
{
    struct str field[6] = {STR_NONE};
    struct err ignored;
    uint32_t v = 0;

    for (size_t i = 0; i < ARRAY_N(field); i++)
        if (!str_next(&line, ':', &field[i]))
            return false;
    if (num_parse_u32(field[2], 0, UINT32_MAX, &v, &ignored) < 0 || v != uid || field[5].n == 0 ||
        field[5].n >= PATH_MAX)
        return false;
    *home = field[5];
    return true;
}

#define PASSWD_MAX  65536 /* bytes looked at */
#define PASSWD_LINE 1024  /* a longer line is nobody's */

/* Takes the whole lines off the front of the text: true if one of them was the user's. */
static bool search_lines(struct str *text, uid_t uid, struct str *home)
{
    ptrdiff_t end = 0;

    while ((end = str_find(*text, '\n')) >= 0) {
        struct str line = str_head(*text, (size_t)end);

        *text = str_skip(*text, (size_t)end + 1);
        if (home_of_line(line, uid, home))
            return true;
    }
    return false;
}

/* Line by line through a small window: stack is touched for the first time here, and each page of
 * it costs as much as a system call. */
static bool search_passwd(int fd, uid_t uid, char window[PASSWD_LINE], struct str *home)
{
    size_t n = 0;

    for (size_t seen = 0; seen < PASSWD_MAX;) {
        ssize_t got = read(fd, window + n, PASSWD_LINE - n);
        struct str text = {window, n + (got > 0 ? (size_t)got : 0)};

        if (search_lines(&text, uid, home))
            return true;
        if (got <= 0)
            return home_of_line(text, uid, home); /* a last line without an end */
        seen += (size_t)got;
        n = text.n < PASSWD_LINE ? text.n : 0;
        memmove(window, text.p, n);
    }
    return false;
}

/* Whatever is no file is not even opened: a terminal would become that of the new session, and with
 * some devices it is an order. */
static int open_passwd(const struct init *in)
{
    static const char path[] = "etc/passwd";
    own_fd int seen_fd = dir_try_beneath(in->root_fd, path, O_PATH);
    struct stat st;

    if (seen_fd < 0 || fstat(seen_fd, &st) < 0 || !S_ISREG(st.st_mode))
        return -1;
    return dir_try_beneath(in->root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
}

static void look_up_home(struct init *in)
{
    char window[PASSWD_LINE];
    own_fd int fd = open_passwd(in);
    struct str home = STR_NONE;

    if (fd < 0 || !search_passwd(fd, in->process->user.uid, window, &home))
        home = STR("/");
    (void)snprintf(in->home, sizeof in->home, "HOME=%.*s", STR_ARG(home));
}

int step_home(struct init *in, size_t index, struct err *err)
{
    size_t home = find_env(in, "HOME=");

    (void)index;
    (void)err;
    if (home == in->env_n || strcmp(in->env[home], "HOME=") == 0) {
        look_up_home(in);
        in->env[home] = in->home;
        in->env_n += home == in->env_n;
    }
    if (in->listen_pid) {
        (void)snprintf(in->listen_text, sizeof in->listen_text, "LISTEN_PID=%d", getpid());
        in->env[in->env_n++] = in->listen_text;
    }
    in->env[in->env_n] = NULL;
    return 0;
}

/* --- limits, directory ------------------------------------------------------------------------ */

/* A limit above what this process may grant is an error, save for locked memory: engines ask for
 * "unlimited" there by habit, and a lower limit hurts nobody who does not lock memory. */
static int lower_memlock(const struct oci_rlimit *r, struct err *err)
{
    struct rlimit now;

    if (r->resource != RLIMIT_MEMLOCK || getrlimit(RLIMIT_MEMLOCK, &now) < 0)
        return err_set(err, EPERM, "above the limit of the runtime itself");
    now.rlim_cur = now.rlim_max;
    return setrlimit(RLIMIT_MEMLOCK, &now) < 0 ? err_set(err, errno, "setrlimit") : 0;
}

int step_rlimit(struct init *in, size_t index, struct err *err)
{
    const struct oci_rlimit *r = &in->process->rlimits[index];
    struct rlimit to = {.rlim_cur = r->soft, .rlim_max = r->hard};

    if (setrlimit((__rlimit_resource_t)r->resource, &to) == 0)
        return 0;
    return errno == EPERM ? lower_memlock(r, err) : err_set(err, errno, "setrlimit");
}

int step_personality(struct init *in, size_t index, struct err *err)
{
    (void)index;
    return personality(in->personality) < 0 ? err_set(err, errno, "personality") : 0;
}

/* A service manager may have bound an engine to some CPUs; its containers have their own say in
 * that, by $.linux.resources.cpu.cpus. What the kernel does not give stays as it was. */
int step_cpus(struct init *in, size_t index, struct err *err)
{
    struct idlist all;
    struct err ignored;

    (void)in;
    (void)index;
    (void)err;
    idlist_fill(&all);
    if (sched_cpus_set(0, &all, &ignored) < 0)
        err_reset(&ignored); /* so be it */
    return 0;
}

int step_scheduler(struct init *in, size_t index, struct err *err)
{
    const struct oci_scheduler *o = &in->process->scheduler;
    struct sched s = {.policy = (uint32_t)o->policy,
                      .flags = o->flags,
                      .nice = o->nice,
                      .priority = o->priority,
                      .runtime = o->runtime,
                      .deadline = o->deadline,
                      .period = o->period};

    (void)index;
    return sched_apply(&s, err);
}

int step_ioprio(struct init *in, size_t index, struct err *err)
{
    (void)index;
    return sched_ioprio(in->process->ioprio.class, in->process->ioprio.priority, err);
}

int step_mempolicy(struct init *in, size_t index, struct err *err)
{
    const struct oci_memory_policy *p = in->memory_policy;

    (void)index;
    return sched_mempolicy(p->mode, p->flags, p->nodes, err);
}

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

static int make_cwd(const struct init *in, struct err *err)
{
    own_fd int fd = dir_make_beneath(in->root_fd, in->process->cwd, DIR_DIRECTORY, err);

    if (fd < 0)
        return -1;
    return fchdir(fd) < 0 ? err_set(err, errno, "chdir") : 0;
}

/* While the root can be written to. What cannot be made here is told when it is entered. */
int step_make_cwd(struct init *in, size_t index, struct err *err)
{
    struct err ignored;
    int fd = dir_make_beneath(in->root_fd, in->process->cwd, DIR_DIRECTORY, &ignored);

    (void)index;
    (void)err;
    own_close_fd(&fd);
    return 0;
}

/* A path like /proc/self/fd/7 leads out of the root if a descriptor of the host is open: all of
 * them are closed by now, and the kernel is asked whether the directory is beneath the root. */
static int check_cwd(struct err *err)
{
    char path[PATH_MAX];
    long n = syscall(SYS_getcwd, path, sizeof path);

    if (n < 0)
        return err_set(err, errno, "getcwd");
    return path[0] == '/' ? 0 : err_set(err, EXDEV, "it is outside of the root");
}

static void close_host(struct init *in)
{
    int *fds[] = {&in->proc_fd, &in->join_fd, &in->dev_fd, &in->mask_fd, &in->null_fd};

    for (size_t i = 0; i < ARRAY_N(fds); i++)
        fd_close(fds[i]);
}

int step_cwd(struct init *in, size_t index, struct err *err)
{
    int r = 0;

    (void)index;
    close_host(in);
    r = chdir(in->process->cwd);
    /* A directory that only its owner may enter: tried again as the user. */
    in->cwd_later = r < 0 && errno == EACCES;
    if (in->cwd_later)
        return 0;
    if (r < 0 && errno == ENOENT && in->config != NULL)
        return make_cwd(in, err) < 0 ? -1 : check_cwd(err);
    return r < 0 ? err_set(err, errno, "chdir") : check_cwd(err);
}

/* --- who it is -------------------------------------------------------------------------------- */

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
    if (in->cwd_later && chdir(in->process->cwd) < 0)
        return err_set(err, errno, "enter '%s'", in->process->cwd);
    (void)umask(u->umask.set ? (mode_t)u->umask.v : 0022);
    return in->cwd_later ? check_cwd(err) : 0;
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
