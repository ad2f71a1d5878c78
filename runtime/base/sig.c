/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/sig.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"
#include "runtime/base/str.h"

#define SIG_MAX 64 /* the kernel's highest; real-time signals begin at 34 with glibc */

static void on_readable(struct loop_io *io, unsigned events)
{
    struct sig_watch *w = container_of(io, struct sig_watch, io);
    struct signalfd_siginfo info;

    (void)events;
    /* One a turn: fn may end the watch, and signals are level triggered. */
    if (read(io->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        w->fn(w, (int)info.ssi_signo);
}

int sig_watch(struct loop *l, struct sig_watch *w, const int *signals, struct err *err)
{
    own_fd int fd = -1;
    sigset_t set;

    (void)sigemptyset(&set);
    for (; *signals != 0; signals++) {
        if (sigaddset(&set, *signals) < 0)
            return err_set(err, errno, "watch signal %d", *signals);
    }
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return err_set(err, errno, "block signals");
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return err_set(err, errno, "ignore SIGPIPE");
    fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return err_set(err, errno, "make a signal descriptor");
    w->io = (struct loop_io){.fn = on_readable};
    if (loop_io_add(l, &w->io, fd, LOOP_READ, err) < 0)
        return -1;
    (void)take_fd(&fd); /* w->io.fd has it */
    return 0;
}

void sig_unwatch(struct sig_watch *w)
{
    if (w->io.loop == NULL)
        return;
    loop_io_del(&w->io);
    own_close_fd(&w->io.fd);
}

void sig_reset(void)
{
    sigset_t none;

    (void)sigemptyset(&none);
    (void)signal(SIGPIPE, SIG_DFL); /* neither can fail with these arguments */
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* --- names ----------------------------------------------------------------------------------- */

#define RT(n) [34 + (n)] = "SIGRTMIN+" #n

static const char *const names[SIG_MAX + 1] = {
    [SIGHUP] = "SIGHUP",
    [SIGINT] = "SIGINT",
    [SIGQUIT] = "SIGQUIT",
    [SIGILL] = "SIGILL",
    [SIGTRAP] = "SIGTRAP",
    [SIGABRT] = "SIGABRT",
    [SIGBUS] = "SIGBUS",
    [SIGFPE] = "SIGFPE",
    [SIGKILL] = "SIGKILL",
    [SIGUSR1] = "SIGUSR1",
    [SIGSEGV] = "SIGSEGV",
    [SIGUSR2] = "SIGUSR2",
    [SIGPIPE] = "SIGPIPE",
    [SIGALRM] = "SIGALRM",
    [SIGTERM] = "SIGTERM",
    [SIGSTKFLT] = "SIGSTKFLT",
    [SIGCHLD] = "SIGCHLD",
    [SIGCONT] = "SIGCONT",
    [SIGSTOP] = "SIGSTOP",
    [SIGTSTP] = "SIGTSTP",
    [SIGTTIN] = "SIGTTIN",
    [SIGTTOU] = "SIGTTOU",
    [SIGURG] = "SIGURG",
    [SIGXCPU] = "SIGXCPU",
    [SIGXFSZ] = "SIGXFSZ",
    [SIGVTALRM] = "SIGVTALRM",
    [SIGPROF] = "SIGPROF",
    [SIGWINCH] = "SIGWINCH",
    [SIGIO] = "SIGIO",
    [SIGPWR] = "SIGPWR",
    [SIGSYS] = "SIGSYS",
    [34] = "SIGRTMIN",
    RT(1),
    RT(2),
    RT(3),
    RT(4),
    RT(5),
    RT(6),
    RT(7),
    RT(8),
    RT(9),
    RT(10),
    RT(11),
    RT(12),
    RT(13),
    RT(14),
    RT(15),
    RT(16),
    RT(17),
    RT(18),
    RT(19),
    RT(20),
    RT(21),
    RT(22),
    RT(23),
    RT(24),
    RT(25),
    RT(26),
    RT(27),
    RT(28),
    RT(29),
    [SIG_MAX] = "SIGRTMAX",
};

/* Other names of the same signals. */
static const struct {
    const char *name;
    int signo;
} aliases[] = {{"POLL", SIGIO}, {"CLD", SIGCHLD}, {"IOT", SIGABRT}};

const char *sig_name(int signo)
{
    if (signo <= 0 || signo > SIG_MAX || names[signo] == NULL)
        return "an unknown signal";
    return names[signo];
}

/* RTMAX-n counts down from the highest. */
static int parse_from_max(struct str s)
{
    const struct str prefix = STR("RTMAX-");
    uint64_t n;
    struct err ignored;

    if (!str_istarts(s, prefix) ||
        num_parse_u64(str_skip(s, prefix.n), 0, SIG_MAX - 34, &n, &ignored) < 0)
        return -1;
    return SIG_MAX - (int)n;
}

static int find(struct str s)
{
    for (int i = 1; i <= SIG_MAX; i++) {
        if (names[i] != NULL && str_ieq_c(s, names[i] + 3)) /* behind "SIG" */
            return i;
    }
    for (size_t i = 0; i < ARRAY_N(aliases); i++) {
        if (str_ieq_c(s, aliases[i].name))
            return aliases[i].signo;
    }
    return parse_from_max(s);
}

int sig_parse(const char *name, struct err *err)
{
    struct str s = str_of(name);
    uint64_t n;
    int signo;

    if (num_parse_u64(s, 1, SIG_MAX, &n, err) == 0)
        return (int)n;
    signo = find(str_istarts(s, STR("SIG")) ? str_skip(s, 3) : s);
    return signo < 0 ? err_set(err, EINVAL, "signal '%s'", name) : signo;
}

bool sig_asks_for_the_end(int signo)
{
    return signo == SIGTERM || signo == SIGINT || signo == SIGHUP || signo == SIGQUIT;
}
