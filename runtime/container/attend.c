/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The foreground: one poll loop over the signals, the process, and the terminal's two directions.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/own.h"
#include "runtime/base/slim.h"
#include "runtime/container/container.h"
#include "runtime/container/notify.h"
#include "runtime/kernel/self.h"

struct attend {
    const struct container_child *child;
    int signal_fd;
    sigset_t before;
    bool raw;
    struct termios terminal;
    bool input_open;
    bool output_open;
    bool notify_open;
    bool settled; /* nothing happened for a while */
};

#define SETTLE_MS 200 /* a process that lives so long is likely to stay */

enum {
    AT_SIGNALS,
    AT_PROCESS,
    AT_INPUT,
    AT_OUTPUT,
    AT_NOTIFY,
    AT_N
};

int container_protect_self(char *const *argv, struct err *err)
{
    return self_protect(argv, err);
}

static void follow_size(const struct attend *t)
{
    struct winsize size;

    if (t->child->console_fd >= 0 && ioctl(0, TIOCGWINSZ, &size) == 0)
        (void)ioctl(t->child->console_fd, TIOCSWINSZ, &size);
}

static void make_raw(struct attend *t)
{
    struct termios raw;

    if (t->child->console_fd < 0 || tcgetattr(0, &t->terminal) < 0)
        return;
    raw = t->terminal;
    cfmakeraw(&raw);
    t->raw = tcsetattr(0, TCSANOW, &raw) == 0;
    follow_size(t);
}

static void restore(struct attend *t)
{
    if (t->raw)
        (void)tcsetattr(0, TCSANOW, &t->terminal);
    (void)pthread_sigmask(SIG_SETMASK, &t->before, NULL);
    if (t->signal_fd >= 0)
        (void)close(t->signal_fd);
}

void container_hold_signals(void)
{
    sigset_t all;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, NULL); /* cannot fail with these arguments */
}

static int begin(struct attend *t, struct err *err)
{
    sigset_t all;

    (void)sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &t->before) != 0)
        return err_set(err, errno, "block the signals");
    t->signal_fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
    if (t->signal_fd < 0)
        return err_set(err, errno, "make a signalfd");
    t->input_open = t->output_open = t->child->console_fd >= 0;
    t->notify_open = t->child->notify_fd >= 0;
    make_raw(t);
    return 0;
}

/* Signals that say something about this process alone stay here. */
static bool is_ours(int signo)
{
    return signo == SIGCHLD || signo == SIGURG || signo == SIGPIPE || signo == SIGTTIN ||
           signo == SIGTTOU;
}

static void forward_signals(struct attend *t)
{
    struct signalfd_siginfo info;

    while (read(t->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        int signo = (int)info.ssi_signo;

        if (signo == SIGWINCH && t->child->console_fd >= 0)
            follow_size(t);
        else if (!is_ours(signo))
            (void)pidfd_send_signal(t->child->pid_fd, signo, NULL, 0);
    }
}

#define END_OF_TRANSMISSION "\004"

/* Copies what is there; false at the end. A terminal whose other side is closed gives EIO. */
static bool copy(int from, int to)
{
    char bytes[4096];
    ssize_t n = read(from, bytes, sizeof bytes);
    struct err ignored;

    if (n < 0)
        return errno == EINTR || errno == EAGAIN;
    return n > 0 && fd_write_all(to, (struct str){bytes, (size_t)n}, &ignored) == 0;
}

static void drain(struct attend *t)
{
    struct pollfd fd = {.fd = t->child->console_fd, .events = POLLIN};

    while (t->output_open && poll(&fd, 1, 0) > 0 && (fd.revents & POLLIN) != 0)
        t->output_open = copy(t->child->console_fd, 1);
}

static void input(struct attend *t)
{
    struct err ignored;

    t->input_open = copy(0, t->child->console_fd);
    if (!t->input_open &&
        fd_write_all(t->child->console_fd, STR(END_OF_TRANSMISSION), &ignored) < 0)
        t->output_open = false;
}

/* That the service manager cannot be told is no reason to leave the container alone. */
static void notify(struct attend *t)
{
    struct err ignored;

    t->notify_open =
        notify_pass(t->child->notify_fd, t->child->notify_host, t->child->pid, &ignored) == 0;
}

/* Waits; what is to stay for long has little to hold. */
static int wait_for_news(struct attend *t, struct pollfd fds[AT_N])
{
    int n = t->settled ? 0 : poll(fds, AT_N, SETTLE_MS);

    if (n != 0)
        return n;
    if (!t->settled)
        slim_now();
    t->settled = true;
    return poll(fds, AT_N, -1);
}

/* 1 when the process has ended. */
static int turn(struct attend *t, struct err *err)
{
    struct pollfd fds[AT_N] = {
        [AT_SIGNALS] = {.fd = t->signal_fd, .events = POLLIN},
        [AT_PROCESS] = {.fd = t->child->pid_fd, .events = POLLIN},
        [AT_INPUT] = {.fd = t->input_open ? 0 : -1, .events = POLLIN},
        [AT_OUTPUT] = {.fd = t->output_open ? t->child->console_fd : -1, .events = POLLIN},
        [AT_NOTIFY] = {.fd = t->notify_open ? t->child->notify_fd : -1, .events = POLLIN},
    };

    if (wait_for_news(t, fds) < 0 && errno != EINTR)
        return err_set(err, errno, "poll");
    if (fds[AT_SIGNALS].revents != 0)
        forward_signals(t);
    if (fds[AT_OUTPUT].revents != 0)
        t->output_open = copy(t->child->console_fd, 1);
    if (fds[AT_INPUT].revents != 0)
        input(t);
    if (fds[AT_NOTIFY].revents != 0)
        notify(t);
    return fds[AT_PROCESS].revents != 0;
}

static int reap(const struct container_child *child, int *status, struct err *err)
{
    siginfo_t info = {.si_pid = 0};
    int r = 0;

    do
        r = waitid(P_PIDFD, (id_t)child->pid_fd, &info, WEXITED | __WALL);
    while (r < 0 && errno == EINTR);
    if (r < 0)
        return err_set(err, errno, "wait for the container's process");
    *status = info.si_code == CLD_EXITED   ? (info.si_status & 0xff) << 8
              : info.si_code == CLD_DUMPED ? info.si_status | 0x80
                                           : info.si_status;
    return 0;
}

int container_attend(const struct container_child *child, int *status, struct err *err)
{
    struct attend t = {.child = child, .signal_fd = -1};
    int r = begin(&t, err);

    while (r == 0)
        r = turn(&t, err);
    if (r > 0) {
        drain(&t);
        r = reap(child, status, err);
    }
    restore(&t);
    return r < 0 ? -1 : 0;
}
