/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The minder is a fork that executes nothing: it holds the pidfd of the container's first process,
 * that of the helper, the pipe of the helper's standard error, and the state's directory. All
 * signals that can be blocked are: who stops a service by its group wants the container to end in
 * its own time, with its network.
 */
#include "runtime/container/usernet.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/child.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"
#include "runtime/base/slim.h"
#include "runtime/container/slirp.h"
#include "runtime/container/sync.h"
#include "runtime/container/usernet_ports.h"
#include "runtime/kernel/proc.h"
#include "runtime/kernel/sys.h"
#include "runtime/spec/publish.h"

#define TEXT_MAX  1024 /* of the helper's last words; what matters comes last */
#define END_MS    3000
#define KILLED_MS 10000

struct minder {
    const struct usernet_ask *ask;
    char *const *argv;
    int sock;   /* to the maker */
    int net_fd; /* of the network namespace, or -1 */
    int text_fd;
    int ready_fd;
    pid_t helper;
    int helper_fd;
    char text[TEXT_MAX];
    size_t text_n;
};

/* --- finding it ------------------------------------------------------------------------------- */

static bool is_program(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* An empty or relative member of PATH would have what lies in the bundle executed. */
static const char *find(struct arena *a, const char *name)
{
    const char *set = secure_getenv("PATH");
    struct str rest =
        str_of(set != NULL ? set : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin");
    struct str dir;

    while (str_next(&rest, ':', &dir)) {
        const char *path = NULL;

        if (!str_starts(dir, STR("/")))
            continue;
        path = arena_printf(a, "%.*s/%s", STR_ARG(dir), name);
        if (path != NULL && is_program(path))
            return path;
    }
    return NULL;
}

const char *usernet_find(struct arena *a, const struct usernet_kind **kind, struct err *err)
{
    const struct usernet_kind *const any[] = {&usernet_pasta, &usernet_slirp4netns};
    const char *path = NULL;

    if (*kind != NULL) {
        path = find(a, (*kind)->name);
        if (path == NULL)
            (void)err_set(err, 0, "'%s' is not in $PATH: install the package %s", (*kind)->name,
                          (*kind)->package);
        return path;
    }
    for (size_t i = 0; i < ARRAY_N(any); i++) {
        path = find(a, any[i]->name);
        if (path == NULL)
            continue;
        *kind = any[i];
        return path;
    }
    (void)err_set(err, 0,
                  "neither 'pasta' nor 'slirp4netns' is in $PATH: install the package passt or "
                  "slirp4netns");
    return NULL;
}

/* --- what it says ----------------------------------------------------------------------------- */

static bool says_nothing(struct str line)
{
    static const struct str noise[] = {STR_INIT("sent tapfd="), STR_INIT("received tapfd="),
                                       STR_INIT("WARNING: Support for "),
                                       STR_INIT("Don't run as root"), STR_INIT("Failed to send ")};

    for (size_t i = 0; i < ARRAY_N(noise); i++)
        if (str_starts(line, noise[i]))
            return true;
    return line.n == 0;
}

void usernet_words(struct str text, struct buf *out)
{
    size_t before = out->n;
    struct str line;

    while (str_next(&text, '\n', &line)) {
        line = str_trim(line);
        if (says_nothing(line))
            continue;
        buf_append_c(out, out->n > before ? "; " : "");
        buf_append(out, line);
    }
}

/* The newest TEXT_MAX bytes are kept. false at the end. */
static bool collect(struct minder *m)
{
    char part[TEXT_MAX / 2];
    ssize_t n = read(m->text_fd, part, sizeof part);
    size_t more = n > 0 ? (size_t)n : 0, room = sizeof m->text - m->text_n;

    if (n <= 0)
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    if (more > room) {
        memmove(m->text, m->text + (more - room), m->text_n - (more - room));
        m->text_n -= more - room;
    }
    memcpy(m->text + m->text_n, part, more);
    m->text_n += more;
    return true;
}

static void drain(struct minder *m)
{
    struct pollfd fd = {.fd = m->text_fd, .events = POLLIN};

    for (int i = 0; i < 64 && poll(&fd, 1, 0) > 0 && (fd.revents & POLLIN) != 0; i++)
        if (!collect(m))
            return;
}

/* "exited with 1, saying: ...": of a helper that has been ended or has ended. */
static int describe_end(struct minder *m, struct err *err)
{
    own_buf struct buf words = BUF_INIT(2UL * TEXT_MAX);
    char how[CHILD_TEXT_MAX];
    int status = 0;

    while (waitpid(m->helper, &status, 0) < 0 && errno == EINTR)
        continue;
    m->helper = 0;
    drain(m);
    child_describe(status, how);
    usernet_words((struct str){m->text, m->text_n}, &words);
    return err_set(err, 0, "%s%s%s", how, words.n > 0 ? ", saying: " : "", buf_c(&words));
}

/* --- the helper ------------------------------------------------------------------------------- */

struct ends { /* the helper's ends of the pipes */
    int text;
    int ready;
    int exit; /* the minder holds the other one for as long as it lives */
};

/* Numbers above all that are to be filled, then down to their places. */
static int place(const struct minder *m, const struct ends *e)
{
    const int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    int from[USERNET_FD_EXIT + 1] = {m->net_fd >= 0 ? m->net_fd : null_fd, null_fd, e->text,
                                     null_fd, e->exit};
    int high[ARRAY_N(from)];

    from[m->ask->kind->ready_fd] = e->ready;
    for (int i = 0; i < m->ask->kind->fds_n; i++) {
        high[i] = fcntl(from[i], F_DUPFD_CLOEXEC, (int)ARRAY_N(from));
        if (high[i] < 0)
            return -1;
    }
    for (int i = 0; i < m->ask->kind->fds_n; i++)
        if (dup2(high[i], i) != i)
            return -1;
    return 0;
}

static no_return void become_helper(const struct minder *m, const struct ends *e, pid_t parent)
{
    char *const env[] = {NULL};
    sigset_t none;
    struct err ignored; /* what could not be closed is close-on-exec */

    (void)sigemptyset(&none);
    (void)pthread_sigmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    if (prctl(PR_SET_PDEATHSIG, (unsigned long)SIGKILL, 0UL, 0UL, 0UL) < 0 || getppid() != parent)
        _exit(127);
    (void)umask(0);
    if (fchdir(m->ask->dir_fd) == 0 && chdir(USERNET_DIR) == 0 && place(m, e) == 0 &&
        fd_close_from(m->ask->kind->fds_n, &ignored) == 0)
        (void)execve(m->ask->program, m->argv, env);
    dprintf(STDERR_FILENO, "%s", strerrordesc_np(errno));
    _exit(127);
}

static int make_dir(const struct minder *m, struct err *err)
{
    if ((mkdirat(m->ask->dir_fd, USERNET_DIR, 0700) < 0 && errno != EEXIST) ||
        fchmodat(m->ask->dir_fd, USERNET_DIR, 0777, 0) < 0)
        return err_set(err, errno, "make '" USERNET_DIR "' of the state");
    return 0;
}

static int start_helper(struct minder *m, struct err *err)
{
    int text[2] = {-1, -1}, ready[2] = {-1, -1}, life[2] = {-1, -1};
    pid_t me = getpid();
    struct ends ends;

    if (make_dir(m, err) < 0 || fd_pipe(text, err) < 0 || fd_pipe(ready, err) < 0 ||
        fd_pipe(life, err) < 0)
        return -1;
    ends = (struct ends){text[1], ready[1], life[0]};
    /* pasta opens its standard output by name, as whoever it is by then. */
    if (fchmod(ready[1], 0666) < 0)
        return err_set(err, errno, "open a pipe to others");
    m->text_fd = text[0];
    m->ready_fd = ready[0];
    m->helper = fork();
    if (m->helper == 0)
        become_helper(m, &ends, me);
    (void)close(text[1]);
    (void)close(ready[1]);
    (void)close(life[0]);
    if (m->helper < 0)
        return err_set(err, errno, "fork");
    m->helper_fd = pidfd_open(m->helper, 0);
    return m->helper_fd < 0 ? err_set(err, errno, "watch process %d", m->helper) : 0;
}

static void end_helper(struct minder *m)
{
    if (m->helper <= 0)
        return;
    (void)kill(m->helper, SIGKILL);
    while (waitpid(m->helper, NULL, 0) < 0 && errno == EINTR)
        continue;
}

/* --- the minder ------------------------------------------------------------------------------- */

enum {
    AT_CONTAINER,
    AT_HELPER,
    AT_TEXT,
    AT_READY,
    AT_N
};

static bool wrote(int fd)
{
    char c;

    return read(fd, &c, 1) == 1;
}

static int wait_until(struct minder *m, struct pollfd *fds, uint64_t deadline, struct err *err)
{
    while (clock_now_ms() < deadline) {
        int n = poll(fds, AT_N, (int)(deadline - clock_now_ms()) + 1);

        if (n < 0 && errno != EINTR)
            return err_set(err, errno, "wait for it");
        if (n <= 0)
            continue;
        if ((fds[AT_READY].revents & POLLIN) != 0 && wrote(m->ready_fd))
            return 0;
        if (fds[AT_CONTAINER].revents != 0)
            return err_set(err, 0, "the container's process has ended");
        if (fds[AT_HELPER].revents != 0)
            return describe_end(m, err);
        if (fds[AT_READY].revents != 0)
            fds[AT_READY].fd = -1; /* closed without a word: its end will tell more */
        if (fds[AT_TEXT].revents != 0 && !collect(m))
            fds[AT_TEXT].fd = -1;
    }
    (void)kill(m->helper, SIGKILL);
    (void)describe_end(m, err);
    return err_wrap(err, "not ready after %d s", USERNET_READY_MS / 1000);
}

static int wait_ready(struct minder *m, struct err *err)
{
    struct pollfd fds[AT_N] = {{.fd = m->ask->pid_fd, .events = POLLIN},
                               {.fd = m->helper_fd, .events = POLLIN},
                               {.fd = m->text_fd, .events = POLLIN},
                               {.fd = m->ready_fd, .events = POLLIN}};
    int r = wait_until(m, fds, clock_now_ms() + USERNET_READY_MS, err);

    (void)close(m->ready_fd);
    return r;
}

static void leave_words(struct minder *m)
{
    own_buf struct buf line = BUF_INIT(ERR_TEXT_MAX + 64);
    struct err err, ignored; /* there is nobody to tell */

    (void)describe_end(m, &err);
    buf_printf(&line, "%s %s\n", m->ask->kind->name, err.text);
    if (file_put(m->ask->dir_fd, USERNET_LOG, buf_str(&line), 0600, &ignored) < 0)
        return;
}

static void stay(struct minder *m)
{
    struct pollfd fds[AT_READY] = {{.fd = m->ask->pid_fd, .events = POLLIN},
                                   {.fd = m->helper_fd, .events = POLLIN},
                                   {.fd = m->text_fd, .events = POLLIN}};

    for (;;) {
        if (poll(fds, AT_READY, -1) < 0)
            continue;
        if (fds[AT_CONTAINER].revents != 0)
            return;
        if (fds[AT_HELPER].revents != 0) {
            leave_words(m);
            return;
        }
        if (fds[AT_TEXT].revents != 0 && !collect(m))
            fds[AT_TEXT].fd = -1;
    }
}

/* Closes everything from number 3 on that is not among the n. */
static void close_but(const int *keep, size_t n)
{
    int from = 3;

    while (from >= 0) {
        int next = -1;

        for (size_t i = 0; i < n; i++)
            if (keep[i] >= from && (next < 0 || keep[i] < next))
                next = keep[i];
        if (next != from)
            (void)close_range((unsigned)from, next < 0 ? ~0U : (unsigned)next - 1, 0);
        from = next < 0 ? -1 : next + 1;
    }
}

static void let_go_of_the_caller(const struct minder *m)
{
    const int keep[] = {m->sock, m->net_fd, m->ask->pid_fd, m->ask->dir_fd};
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    sigset_t all;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, NULL);
    (void)setsid();
    (void)prctl(PR_SET_NAME, "network");
    for (int i = 0; null_fd >= 0 && i < 3; i++)
        (void)dup2(null_fd, i);
    close_but(keep, ARRAY_N(keep));
    if (chdir("/") < 0)
        _exit(1);
}

static no_return void mind(struct minder *m)
{
    struct err err;

    let_go_of_the_caller(m);
    if (start_helper(m, &err) < 0 || wait_ready(m, &err) < 0) {
        end_helper(m);
        sync_send_error(m->sock, &err);
        _exit(1);
    }
    if (m->net_fd >= 0)
        (void)close(m->net_fd); /* the namespace is to go with the container */
    if (sync_send(m->sock, SYNC_READY, m->helper, -1, &err) == 0) {
        (void)close(m->sock);
        slim_now();
        stay(m);
    }
    end_helper(m);
    _exit(0);
}

/* --- the maker's side ------------------------------------------------------------------------- */

/* As root into a pid namespace, which takes the helper with it. */
static int clone_minder(struct minder *m, int maker_end, bool *own_pid_ns, struct err *err)
{
    struct clone_args args = {.flags = CLONE_NEWPID, .exit_signal = SIGCHLD};
    pid_t pid = m->ask->target.root ? sys_clone3(&args) : -1;

    *own_pid_ns = pid >= 0;
    if (pid < 0)
        pid = fork();
    if (pid == 0) {
        (void)close(maker_end);
        mind(m);
    }
    return pid < 0 ? err_set(err, errno, "fork") : pid;
}

static int note(pid_t pid, struct usernet_process *out, struct err *err)
{
    struct proc_stat st;

    if (proc_stat(pid, &st, err) < 0)
        return -1;
    *out = (struct usernet_process){pid, st.start};
    return 0;
}

/* Its answer: ready, or a sentence. */
static int hear(int sock, bool own_pid_ns, struct usernet *out, struct err *err)
{
    struct sync_msg msg;
    int r = sync_recv(sock, &msg, err);

    if (r < 0)
        return -1;
    if (r == 0)
        return err_set(err, 0, "the process that minds it has ended");
    if (msg.kind != SYNC_READY)
        return err_set(err, 0, "%s", msg.text);
    return own_pid_ns ? 0 : note(msg.number, &out->helper, err);
}

static int ask_for_ports(struct arena *a, const struct usernet_ask *ask, struct err *err)
{
    const char *path = arena_printf(a, "%s/" USERNET_DIR "/" USERNET_SOCKET, ask->dir);

    if (path == NULL)
        return err_set(err, ENOMEM, "the path of '" USERNET_SOCKET "'");
    for (size_t i = 0; ask->kind->by_socket && i < ask->ports_n; i++)
        if (slirp_publish(path, &ask->ports[i], err) < 0)
            return -1;
    return 0;
}

static int start(struct arena *a, struct minder *m, struct usernet *out, struct err *err)
{
    const struct usernet_ask *ask = m->ask;
    own_fd int mine = -1, theirs = -1, net_fd = -1;
    bool own_pid_ns = false;
    pid_t pid = 0;
    int ends[2];

    if (ask->target.root && (net_fd = proc_open_ns(ask->target.pid, "net", err)) < 0)
        return -1;
    if (fd_socketpair(SOCK_SEQPACKET, ends, err) < 0)
        return -1;
    mine = ends[0];
    theirs = ends[1];
    m->sock = theirs;
    m->net_fd = net_fd;
    pid = clone_minder(m, mine, &own_pid_ns, err);
    if (pid < 0)
        return -1;
    (void)close(take_fd(&theirs));
    if (note(pid, &out->minder, err) < 0 || hear(mine, own_pid_ns, out, err) < 0)
        return -1;
    return ask_for_ports(a, ask, err);
}

int usernet_start(struct arena *a, const struct usernet_ask *ask, struct usernet *out,
                  struct err *err)
{
    struct minder m = {.ask = ask, .net_fd = -1, .text_fd = -1, .ready_fd = -1, .helper_fd = -1};

    *out = (struct usernet){.minder = {.pid = 0}};
    m.argv = usernet_args(a, ask->kind, &ask->target, ask->ports, ask->ports_n);
    if (m.argv == NULL)
        return err_set(err, ENOMEM, "its arguments");
    if (usernet_ports_try(ask->ports, ask->ports_n, err) < 0)
        return -1;
    return start(a, &m, out, err) < 0 ? err_wrap(err, "%s", ask->kind->name) : 0;
}

static void end(const struct usernet_process *p, int wait_ms)
{
    struct err ignored; /* it is gone, which is all that is wanted */
    own_fd int fd = p->pid > 0 ? proc_pidfd(p->pid, p->start, &ignored) : -1;
    struct pollfd watch = {.fd = fd, .events = POLLIN};
    siginfo_t info;
    int n = 0;

    if (fd < 0)
        return;
    while ((n = poll(&watch, 1, wait_ms)) < 0 && errno == EINTR)
        continue;
    if (n == 0) {
        (void)pidfd_send_signal(fd, SIGKILL, NULL, 0);
        (void)poll(&watch, 1, KILLED_MS);
    }
    /* Where it is a child of ours it is not left to whoever comes after us. */
    (void)waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG);
}

void usernet_end(const struct usernet *n)
{
    end(&n->minder, END_MS);
    end(&n->helper, 0);
}
