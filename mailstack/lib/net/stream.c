/* SPDX-License-Identifier: Apache-2.0 */
/* Invariant: the bytes handed out last stand at the front of `in`; `shown` of them are dropped at
 * the next read, so that views stay valid exactly as long as the header says. */
#include "mailstack/lib/net/stream.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"

#include "mailstack/lib/net/tls_io.h"

#define OUT_FLUSH_AT     32768
#define PRINTF_MAX       8192
#define BACKLOG_RETRY_MS 10

struct stream {
    int fd;
    uint32_t timeout_ms;
    size_t shown; /* bytes at the front of `in` that the caller has had */
    struct buf in;
    struct buf out;
    struct ssl_st *ssl;
    const struct tls_io *tls; /* the calls for ssl */
};

struct stream *stream_new(int fd, uint32_t timeout_ms)
{
    struct stream *s = mem_type(struct stream);
    struct err ignored = {0};

    if (fd_set_nonblock(fd, true, &ignored) < 0)
        err_reset(&ignored); /* only for a bad descriptor, and then the first read says so */
    s->fd = fd;
    s->timeout_ms = timeout_ms;
    buf_init(&s->in, STREAM_IN_MAX);
    buf_init(&s->out, OUT_FLUSH_AT * 2);
    return s;
}

struct stream *stream_dial_unix(const char *path, uint32_t timeout_ms, struct err *err)
{
    uint64_t end = clock_now_ms() + timeout_ms;
    int fd = fd_unix_connect(path, SOCK_STREAM | SOCK_NONBLOCK, err);

    /* A listener whose backlog is full: a blocking connect would wait for it without an end. */
    while (fd < 0 && err->code == EAGAIN && clock_now_ms() < end) {
        (void)poll(NULL, 0, BACKLOG_RETRY_MS);
        fd = fd_unix_connect(path, SOCK_STREAM | SOCK_NONBLOCK, err);
    }
    return fd < 0 ? NULL : stream_new(fd, timeout_ms);
}

void stream_free(struct stream *s)
{
    if (!s)
        return;
    if (s->ssl)
        s->tls->end(s->ssl);
    (void)close(s->fd); /* Linux closes even on an error, and nothing is owed to the peer */
    buf_done(&s->in);
    buf_done(&s->out);
    free(s);
}

int stream_fd(const struct stream *s)
{
    return s->fd;
}

void stream_set_timeout(struct stream *s, uint32_t timeout_ms)
{
    s->timeout_ms = timeout_ms;
}

/* 1 ready, 0 time-out, -1. */
static int wait_for(int fd, short events, uint32_t timeout_ms, struct err *err)
{
    uint64_t end = clock_now_ms() + timeout_ms;

    for (;;) {
        uint64_t now = clock_now_ms();
        struct pollfd p = {.fd = fd, .events = events};
        int n = poll(&p, 1, now >= end ? 0 : (int)(end - now));

        if (n > 0)
            return 1;
        if (n == 0)
            return 0;
        if (errno != EINTR)
            return err_set(err, errno, "wait for the peer");
    }
}

static int need(struct stream *s, short events, struct err *err)
{
    int r = wait_for(s->fd, events, s->timeout_ms, err);

    if (r == 0)
        return err_set(err, ETIMEDOUT, "wait %u ms for the peer", s->timeout_ms);
    return r < 0 ? -1 : 0;
}

/* After a TLS call that moved nothing: waits for what it needs. 0: try again; 1: the peer closed.
 */
static int tls_need(struct stream *s, enum tls_io_result r, struct err *err)
{
    switch (r) {
    case TLS_IO_WANT_READ:
        return need(s, POLLIN, err);
    case TLS_IO_WANT_WRITE:
        return need(s, POLLOUT, err);
    case TLS_IO_EOF:
        return 1;
    case TLS_IO_FAILED:
        return err_wrap(err, "talk to the peer");
    case TLS_IO_DONE:
        break;
    }
    return 0;
}

static int write_some(struct stream *s, struct str bytes, size_t *done, struct err *err)
{
    if (s->ssl) {
        int r = tls_need(s, s->tls->write(s->ssl, bytes.p, bytes.n, done, err), err);

        return r == 1 ? err_set(err, EPIPE, "write to the peer") : r;
    }
    ssize_t n = send(s->fd, bytes.p, bytes.n, MSG_NOSIGNAL);

    if (n >= 0) {
        *done = (size_t)n;
        return 0;
    }
    if (errno == EINTR)
        return 0;
    if (errno != EAGAIN)
        return err_set(err, errno, "write to the peer");
    return need(s, POLLOUT, err);
}

static int write_through(struct stream *s, struct str bytes, struct err *err)
{
    while (bytes.n) {
        size_t done = 0;

        if (write_some(s, bytes, &done, err) < 0)
            return -1;
        bytes = str_skip(bytes, done);
    }
    return 0;
}

int stream_flush(struct stream *s, struct err *err)
{
    if (write_through(s, buf_str(&s->out), err) < 0)
        return -1;
    buf_reset(&s->out);
    return 0;
}

int stream_write(struct stream *s, struct str bytes, struct err *err)
{
    if (s->out.n + bytes.n > OUT_FLUSH_AT && stream_flush(s, err) < 0)
        return -1;
    if (bytes.n > OUT_FLUSH_AT)
        return write_through(s, bytes, err);
    buf_append(&s->out, bytes);
    return buf_check(&s->out, "output", err);
}

int stream_printf(struct stream *s, struct err *err, const char *fmt, ...)
{
    char text[PRINTF_MAX];
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);

    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof(text))
        return err_set(err, EMSGSIZE, "a formatted line of more than %d bytes", PRINTF_MAX);
    return stream_write(s, (struct str){text, (size_t)n}, err);
}

/* One read: 1 some came (*done), 0 the peer closed, 2 nothing yet, -1. */
static int read_tls(struct stream *s, char *to, size_t room, size_t *done, struct err *err)
{
    enum tls_io_result r = s->tls->read(s->ssl, to, room, done, err);

    if (r == TLS_IO_DONE)
        return 1;
    int n = tls_need(s, r, err);

    return n < 0 ? -1 : n == 1 ? 0 : 2;
}

static int read_plain(struct stream *s, char *to, size_t room, size_t *done, struct err *err)
{
    ssize_t n = recv(s->fd, to, room, 0);

    if (n > 0) {
        *done = (size_t)n;
        return 1;
    }
    if (n == 0)
        return 0;
    if (errno == EINTR)
        return 2;
    if (errno != EAGAIN)
        return err_set(err, errno, "read from the peer");
    return need(s, POLLIN, err) < 0 ? -1 : 2;
}

/* Waits until some bytes came: 1, 0 at the end, -1. */
static int fill_once(struct stream *s, char *to, size_t room, struct err *err)
{
    size_t done = 0;
    int r;

    do {
        r = s->ssl ? read_tls(s, to, room, &done, err) : read_plain(s, to, room, &done, err);
    } while (r == 2);
    if (r == 1)
        buf_commit(&s->in, done);
    return r;
}

static void drop_shown(struct stream *s)
{
    buf_consume(&s->in, s->shown);
    s->shown = 0;
}

static int fill(struct stream *s, struct err *err)
{
    size_t room = buf_room(&s->in);

    if (stream_flush(s, err) < 0)
        return -1;
    if (room == 0)
        return err_set(err, EMSGSIZE, "more than %d bytes from the peer", STREAM_IN_MAX);
    if (room > 16384)
        room = 16384;
    char *to = buf_reserve(&s->in, room);

    if (!to)
        return err_set(err, EMSGSIZE, "more than %d bytes from the peer", STREAM_IN_MAX);
    return fill_once(s, to, room, err);
}

int stream_line(struct stream *s, size_t max, struct str *line, struct err *err)
{
    size_t looked = 0;

    drop_shown(s);
    for (;;) {
        struct str in = buf_str(&s->in);
        ptrdiff_t lf = str_find(str_skip(in, looked), '\n');

        if (lf >= 0) {
            size_t end = looked + (size_t)lf;
            struct str got = str_head(in, end ? end - 1 : 0);

            if (end == 0 || in.p[end - 1] != '\r' || str_find(got, '\r') >= 0)
                return err_set(err, EBADMSG, "a bare CR or LF in a line");
            if (end + 1 > max)
                return err_set(err, EMSGSIZE, "a line of more than %zu bytes", max);
            s->shown = end + 1;
            *line = got;
            return 0;
        }
        looked = in.n;
        if (in.n >= max)
            return err_set(err, EMSGSIZE, "a line of more than %zu bytes", max);
        int r = fill(s, err);

        if (r < 0)
            return -1;
        if (r == 0)
            return err_set(err, EPIPE, "the peer closed the connection");
    }
}

int stream_some(struct stream *s, struct str *bytes, struct err *err)
{
    drop_shown(s);
    int r = s->in.n ? 1 : fill(s, err);

    if (r < 0)
        return -1;
    *bytes = buf_str(&s->in);
    return 0;
}

void stream_consume(struct stream *s, size_t n)
{
    s->shown = n < s->in.n ? n : s->in.n;
}

struct str stream_pending(const struct stream *s)
{
    return str_skip(buf_str(&s->in), s->shown);
}

int stream_exact(struct stream *s, void *p, size_t n, struct err *err)
{
    char *to = p;

    drop_shown(s);
    while (n) {
        size_t take = s->in.n < n ? s->in.n : n;

        if (take) {
            memcpy(to, s->in.p, take);
            buf_consume(&s->in, take);
            to += take;
            n -= take;
            continue;
        }
        int r = fill(s, err);

        if (r < 0)
            return -1;
        if (r == 0)
            return err_set(err, EPIPE, "the peer closed the connection");
    }
    return 0;
}

int stream_wait(struct stream *s, int other_fd, uint32_t timeout_ms, struct err *err)
{
    if (stream_flush(s, err) < 0)
        return -1;
    if (stream_pending(s).n || (s->ssl && s->tls->has_pending(s->ssl)))
        return 1;
    struct pollfd p[2] = {{.fd = s->fd, .events = POLLIN}, {.fd = other_fd, .events = POLLIN}};
    int n = poll(p, other_fd < 0 ? 1 : 2, (int)timeout_ms);

    if (n < 0)
        return errno == EINTR ? 0 : err_set(err, errno, "wait for the peer");
    if (n == 0)
        return 0;
    return p[0].revents ? 1 : 2;
}

int stream_start_tls_client(struct stream *s, struct tls_ctx *ctx, const char *name,
                            struct err *err)
{
    assert(name != NULL); /* it would make this side the server */
    if (stream_flush(s, err) < 0)
        return -1;
    drop_shown(s);
    if (s->in.n)
        return err_set(err, EBADMSG, "bytes in clear behind the answer to STARTTLS");
    s->tls = ctx->io;
    s->ssl = s->tls->begin(ctx, s->fd, name, err);
    if (!s->ssl)
        return -1;
    for (;;) {
        enum tls_io_result t = s->tls->shake(s->ssl, err);

        if (t == TLS_IO_DONE)
            return 0;
        int r = tls_need(s, t, err);

        if (r == 1)
            return err_set(err, EPIPE, "the peer closed during the TLS handshake");
        if (r < 0)
            return err_wrap(err, "TLS handshake");
    }
}

const char *stream_tls_version(const struct stream *s)
{
    return s->ssl ? s->tls->version(s->ssl) : "";
}
