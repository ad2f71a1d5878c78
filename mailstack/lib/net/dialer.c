/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/net/dialer.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/dialmsg.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"
#include "runtime/base/rand.h"

/* The supervisor answers at its own time-out; this much later the asker gives up on it. */
#define GRACE_MS 2000
/* Answers taken in one turn. */
#define ANSWERS_MAX 16

struct dialer {
    struct loop *loop;
    int fd; /* -1: connect directly */
    bool lost;
    struct loop_io io;
    struct list calls;
    uint64_t last_id;
};

static void release(struct dialer_call *c)
{
    loop_timer_del(&c->timer);
    loop_io_del(&c->io);
    if (c->fail.pending) { /* its memory may go before the end of this turn */
        list_del(&c->fail.node);
        c->fail.pending = false;
    }
    list_del(&c->node);
    c->dialer = NULL;
}

static void answer(struct dialer_call *c, int fd, const struct err *why)
{
    loop_io_del(&c->io); /* before its descriptor goes */
    own_close_fd(&c->fd);
    c->fd = -1;
    release(c);
    c->fn(c, fd, why);
}

static void answer_failed(struct dialer_call *c, int code, const char *what)
{
    struct err why = {0};

    (void)err_set(&why, code, "%s", what);
    answer(c, -1, &why);
}

static void on_timer(struct loop_timer *t)
{
    answer_failed(container_of(t, struct dialer_call, timer), ETIMEDOUT, "connect");
}

static void on_fail(struct loop_call *call)
{
    struct dialer_call *c = container_of(call, struct dialer_call, fail);

    if (c->dialer)
        answer_failed(c, c->cause, "connect");
}

static void fail_later(struct dialer *d, struct dialer_call *c, int cause)
{
    c->cause = cause;
    loop_defer(d->loop, &c->fail);
}

/* --- directly --------------------------------------------------------------------------------- */

static void on_connected(struct loop_io *io, unsigned events)
{
    struct dialer_call *c = container_of(io, struct dialer_call, io);
    int cause = 0;
    socklen_t n = sizeof(cause);

    (void)events;
    loop_io_del(io);
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &cause, &n) < 0)
        cause = errno;
    if (cause)
        answer_failed(c, cause, "connect");
    else
        answer(c, take_fd(&c->fd), NULL);
}

static void connect_directly(struct dialer *d, struct dialer_call *c,
                             const struct sockaddr_storage *to)
{
    socklen_t n =
        to->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    struct err ignored = {0};

    c->fd = socket(to->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->fd < 0 || (connect(c->fd, (const struct sockaddr *)to, n) < 0 && errno != EINPROGRESS))
        fail_later(d, c, errno);
    else if (loop_io_add(d->loop, &c->io, c->fd, LOOP_WRITE, &ignored) < 0)
        fail_later(d, c, ignored.code);
}

/* --- through the supervisor ------------------------------------------------------------------- */

static struct dialer_call *find(struct dialer *d, uint64_t id)
{
    list_for_each (it, next, &d->calls) {
        struct dialer_call *c = list_of(it, struct dialer_call, node);

        if (c->id == id)
            return c;
    }
    return NULL;
}

static void take_answer(struct dialer *d, struct str message, int *fd)
{
    struct dialmsg_answer a;
    struct err why = {0};
    struct dialer_call *c;

    if (dialmsg_parse_answer(message, &a, &why) < 0)
        return; /* the caller's time-out speaks */
    c = find(d, a.id);
    if (!c)
        return; /* it was cancelled; the descriptor is closed by its owner up the stack */
    if (a.kind == DIALMSG_REFUSED)
        (void)err_set(&why, EACCES, "connect: %.*s", STR_ARG(a.text));
    else if (a.kind == DIALMSG_ERROR)
        (void)err_set(&why, a.code, "connect");
    else if (*fd < 0)
        (void)err_set(&why, EBADMSG, "the supervisor said yes and gave no connection");
    answer(c, a.kind == DIALMSG_OK ? take_fd(fd) : -1, &why);
}

/* The supervisor is gone, and with it, soon, this process. */
static void lose(struct dialer *d)
{
    d->lost = true;
    loop_io_del(&d->io);
    list_for_each (it, next, &d->calls)
        fail_later(d, list_of(it, struct dialer_call, node), EPIPE);
}

static void on_answer(struct loop_io *io, unsigned events)
{
    struct dialer *d = container_of(io, struct dialer, io);

    (void)events;
    for (int i = 0; i < ANSWERS_MAX; i++) {
        char bytes[DIALMSG_MAX];
        own_fd int fd = -1;
        size_t fds_n = 1;
        struct err err = {0};
        ssize_t n = fd_recv(d->fd, bytes, sizeof(bytes), &fd, &fds_n, &err);

        if (n < 0 && (err.code == EAGAIN || err.code == EINTR))
            return;
        if (n <= 0) {
            lose(d);
            return;
        }
        take_answer(d, (struct str){bytes, (size_t)n}, &fd);
    }
}

static void ask_supervisor(struct dialer *d, struct dialer_call *c,
                           const struct sockaddr_storage *to, uint32_t timeout_ms)
{
    struct dialmsg_request r = {.id = c->id, .addr = *to, .timeout_ms = timeout_ms};
    own_buf struct buf text = BUF_INIT(DIALMSG_MAX);
    struct err err = {0};

    dialmsg_format_request(&r, &text);
    if (d->lost)
        fail_later(d, c, EPIPE);
    else if (buf_check(&text, "request to connect", &err) < 0 ||
             fd_send(d->fd, buf_str(&text), NULL, 0, &err) < 0)
        fail_later(d, c, err.code);
}

/* --- the interface ---------------------------------------------------------------------------- */

struct dialer *dialer_new(struct loop *l, int dial_fd, struct err *err)
{
    struct dialer *d = mem_type(struct dialer);

    d->loop = l;
    d->fd = dial_fd;
    d->io.fn = on_answer;
    d->last_id = rand_u64() >> 2; /* not those of a process before this one on the same socket */
    list_init(&d->calls);
    if (dial_fd >= 0 && (fd_set_nonblock(dial_fd, true, err) < 0 ||
                         loop_io_add(l, &d->io, dial_fd, LOOP_READ, err) < 0)) {
        free(d);
        return NULL;
    }
    return d;
}

void dialer_free(struct dialer *d)
{
    if (!d)
        return;
    list_for_each (it, next, &d->calls)
        dialer_cancel(list_of(it, struct dialer_call, node));
    loop_io_del(&d->io);
    free(d);
}

void dialer_call(struct dialer *d, struct dialer_call *c, const struct sockaddr_storage *to,
                 uint32_t timeout_ms)
{
    c->dialer = d;
    c->fd = -1;
    c->id = ++d->last_id;
    c->timer.fn = on_timer;
    c->fail.fn = on_fail;
    c->io.fn = on_connected;
    list_add_tail(&d->calls, &c->node);
    loop_timer_set(d->loop, &c->timer, d->fd < 0 ? timeout_ms : timeout_ms + GRACE_MS);
    if (d->fd < 0)
        connect_directly(d, c, to);
    else
        ask_supervisor(d, c, to, timeout_ms);
}

void dialer_cancel(struct dialer_call *c)
{
    if (!c->dialer)
        return;
    loop_io_del(&c->io); /* before its descriptor goes */
    own_close_fd(&c->fd);
    c->fd = -1;
    release(c);
}
