/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The foreground: one poll loop over the signals, the process, and the terminal's two directions.
 * Neither direction may hold it up: a container that does not read its terminal, or fills it while
 * nobody reads what comes out of it, is still to be sent its signals.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/sig.h"
#include "runtime/base/slim.h"
#include "runtime/container/container.h"
#include "runtime/container/notify.h"
#include "runtime/kernel/proc.h"
#include "runtime/kernel/self.h"

/* One direction: what was read and not yet written. */
struct flow {
    int from;
    int to;
    bool open;
    size_t at;
    size_t n;
    char bytes[4096]; /* no more than a pipe that can be written to takes at once */
};

struct attend {
    const struct container_child *child;
    int signal_fd;
    sigset_t before;
    bool raw;
    struct termios terminal;
    struct flow input;
    struct flow output;
    bool notify_open;
    bool settled; /* nothing happened for a while */
    bool early;   /* what is read now came before there was a program */
    int ended_by; /* the signal in whose place SIGKILL was sent, or 0 */
};

#define DRAIN_MS  10000 /* for somebody to take what a container said at last */
#define SETTLE_MS 200   /* a process that lives so long is likely to stay */

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
    raw.c_oflag |= OPOST; /* the container's terminal leaves line ends to this one */
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
    t->input = (struct flow){.from = 0, .to = t->child->console_fd};
    t->output = (struct flow){.from = t->child->console_fd, .to = 1};
    t->input.open = t->output.open = t->child->console_fd >= 0;
    /* The master is ours alone; poll alone does not say how much it takes. */
    if (t->child->console_fd >= 0 && fcntl(t->child->console_fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
        return err_set(err, errno, "prepare the terminal");
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

/* The kernel keeps from the first process of a namespace what it has no handler for, and a program
 * that has just been executed has none yet: who asked for the end of what was being made would not
 * be heard. Where that cannot be found out, it goes the usual way. */
static bool would_be_lost(const struct attend *t, int signo)
{
    struct proc_stat st;
    struct err ignored;

    return t->early && sig_asks_for_the_end(signo) &&
           proc_stat(t->child->pid, &st, &ignored) == 0 && (st.heeds >> (signo - 1) & 1) == 0;
}

static void forward(struct attend *t, int signo)
{
    if (would_be_lost(t, signo)) {
        t->ended_by = signo;
        signo = SIGKILL;
    }
    (void)pidfd_send_signal(t->child->pid_fd, signo, NULL, 0);
}

static void forward_signals(struct attend *t)
{
    struct signalfd_siginfo info;

    while (read(t->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        int signo = (int)info.ssi_signo;

        if (signo == SIGWINCH && t->child->console_fd >= 0)
            follow_size(t);
        else if (!is_ours(signo))
            forward(t, signo);
    }
    t->early = false;
}

static struct pollfd flow_poll(const struct flow *f)
{
    if (f->n > 0)
        return (struct pollfd){.fd = f->to, .events = POLLOUT};
    return (struct pollfd){.fd = f->open ? f->from : -1, .events = POLLIN};
}

/* A terminal whose other side is closed gives EIO, which is its end. */
static void fill(struct flow *f)
{
    ssize_t n = read(f->from, f->bytes, sizeof f->bytes);

    f->open = n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN));
    f->at = 0;
    f->n = n > 0 ? (size_t)n : 0;
}

static void empty(struct flow *f)
{
    ssize_t n = write(f->to, f->bytes + f->at, f->n);

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n < 0) { /* nobody takes it any more */
        f->open = false;
        f->n = 0;
        return;
    }
    f->at += (size_t)n;
    f->n -= (size_t)n;
}

/* What can be done now without waiting. */
static void flow_move(struct flow *f)
{
    struct pollfd to = {.fd = f->to, .events = POLLOUT};

    if (f->n == 0)
        fill(f);
    if (f->n > 0 && poll(&to, 1, 0) > 0)
        empty(f);
}

/* The last words of a container, as long as somebody takes them. */
static void drain(struct attend *t)
{
    struct flow *f = &t->output;

    while (f->open || f->n > 0) {
        struct pollfd fd = flow_poll(f);

        if (poll(&fd, 1, f->n > 0 ? DRAIN_MS : 0) <= 0 || (f->n == 0 && (fd.revents & POLLIN) == 0))
            return;
        flow_move(f);
    }
}

#define END_OF_TRANSMISSION '\004'

static void input(struct attend *t)
{
    struct flow *f = &t->input;

    flow_move(f);
    if (f->open || f->n > 0 || f->from < 0)
        return;
    f->from = -1; /* said once */
    f->bytes[0] = END_OF_TRANSMISSION;
    f->at = 0;
    f->n = 1;
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
        [AT_INPUT] = flow_poll(&t->input),
        [AT_OUTPUT] = flow_poll(&t->output),
        [AT_NOTIFY] = {.fd = t->notify_open ? t->child->notify_fd : -1, .events = POLLIN},
    };

    if (wait_for_news(t, fds) < 0 && errno != EINTR)
        return err_set(err, errno, "poll");
    if (fds[AT_SIGNALS].revents != 0)
        forward_signals(t);
    if (fds[AT_OUTPUT].revents != 0)
        flow_move(&t->output);
    if (fds[AT_INPUT].revents != 0)
        input(t);
    if (fds[AT_NOTIFY].revents != 0)
        notify(t);
    return fds[AT_PROCESS].revents != 0;
}

static int reap(const struct attend *t, int *status, struct err *err)
{
    siginfo_t info = {.si_pid = 0};
    int r = 0;

    do
        r = waitid(P_PIDFD, (id_t)t->child->pid_fd, &info, WEXITED | __WALL);
    while (r < 0 && errno == EINTR);
    if (r < 0)
        return err_set(err, errno, "wait for the container's process");
    *status = info.si_code == CLD_EXITED   ? (info.si_status & 0xff) << 8
              : info.si_code == CLD_DUMPED ? info.si_status | 0x80
                                           : info.si_status;
    if (*status == SIGKILL && t->ended_by != 0)
        *status = t->ended_by;
    return 0;
}

int container_attend(const struct container_child *child, int *status, struct err *err)
{
    struct attend t = {.child = child, .signal_fd = -1, .early = true};
    int r = begin(&t, err);

    if (r == 0)
        forward_signals(&t);
    while (r == 0)
        r = turn(&t, err);
    if (r > 0) {
        drain(&t);
        r = reap(&t, status, err);
    }
    restore(&t);
    return r < 0 ? -1 : 0;
}
