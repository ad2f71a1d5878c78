/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lmtpd/worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/own.h"

#include "mailstack/lmtpd/session.h"

#define YIELD_US 500 /* for each session held, before accepting one more */

struct held {
    struct session *session;
    uint64_t idle_since_ms;
};

struct state {
    const struct worker *w;
    int signal_fd;
    struct held held[WORKER_SESSIONS_MAX];
    size_t held_n;
    bool draining;
};

static int watch_term(struct err *err)
{
    sigset_t set;
    int fd;

    (void)sigemptyset(&set); /* neither can fail with these arguments */
    (void)sigaddset(&set, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return err_set(err, errno, "block SIGTERM");
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return err_set(err, errno, "ignore SIGPIPE");
    fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? err_set(err, errno, "signalfd") : fd;
}

static void accept_one(struct state *st, int listen_fd)
{
    int fd;

    if (st->held_n > 0)
        (void)usleep((useconds_t)(YIELD_US * st->held_n)); /* an idle worker may be quicker */
    fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
            log_warn("lmtp.accept_failed", LOG_I("errno", errno));
        return;
    }
    st->held[st->held_n++] =
        (struct held){session_new(st->w->env, fd), .idle_since_ms = clock_now_ms()};
}

static void drop(struct state *st, size_t i)
{
    session_free(st->held[i].session);
    st->held[i] = st->held[--st->held_n];
}

static size_t fill(const struct state *st, struct pollfd *p)
{
    size_t n = 0;

    p[n++] = (struct pollfd){.fd = st->signal_fd, .events = POLLIN};
    for (size_t i = 0; i < st->held_n; i++)
        p[n++] = (struct pollfd){.fd = session_fd(st->held[i].session), .events = POLLIN};
    for (size_t i = 0; i < st->w->listen_n && st->held_n < WORKER_SESSIONS_MAX; i++)
        p[n++] = (struct pollfd){.fd = st->w->listen_fd[i], .events = POLLIN};
    return n;
}

static void serve_held(struct state *st, const struct pollfd *p)
{
    uint64_t now_ms = clock_now_ms();

    for (size_t i = st->held_n; i-- > 0;) { /* from the end: drop moves the last one down */
        struct held *h = &st->held[i];

        if (p[i].revents != 0) {
            if (!session_serve(h->session)) {
                drop(st, i);
                continue;
            }
            h->idle_since_ms = clock_now_ms();
        } else if (now_ms - h->idle_since_ms > SESSION_IDLE_MS) {
            session_bye(h->session, "idle for too long");
            drop(st, i);
        }
    }
}

static int turn(struct state *st, struct err *err)
{
    struct pollfd p[1 + WORKER_SESSIONS_MAX + WORKER_LISTEN_MAX];
    size_t held_n = st->held_n, n = fill(st, p);

    if (poll(p, n, st->held_n > 0 ? SESSION_IDLE_MS : -1) < 0)
        return errno == EINTR ? 0 : err_set(err, errno, "poll");
    st->draining = p[0].revents != 0;
    serve_held(st, p + 1);
    for (size_t i = 1 + held_n; i < n && !st->draining; i++)
        if (p[i].revents != 0 && st->held_n < WORKER_SESSIONS_MAX)
            accept_one(st, p[i].fd);
    return 0;
}

int worker_run(const struct worker *w, struct err *err)
{
    struct state st = {.w = w, .signal_fd = watch_term(err)};
    int rc = st.signal_fd < 0 ? -1 : 0;

    for (size_t i = 0; rc == 0 && i < w->listen_n; i++)
        rc = fd_set_nonblock(w->listen_fd[i], true, err);
    while (rc == 0 && !st.draining)
        rc = turn(&st, err);
    while (st.held_n > 0) {
        session_bye(st.held[0].session, "shutting down");
        drop(&st, 0);
    }
    own_close_fd(&st.signal_fd);
    return rc;
}
