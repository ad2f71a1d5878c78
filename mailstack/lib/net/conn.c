/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything a caller asks for is noted and done by `kick`, at the end of the turn: so that no
 * callback comes from within a call, and so that replies to pipelined commands leave in one write.
 * `dead` marks a conn that was freed; its memory goes in the last kick, when nobody up the stack
 * holds it any more.
 */
#include "mailstack/lib/net/conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/loop.h"
#include "runtime/base/mem.h"

#include "mailstack/lib/net/tls_io.h"

#define READ_MAX                                                                    \
    16384 /* bytes taken per turn, so that one busy peer does not starve the others \
           */
#define PRINTF_MAX 4096

enum tls_state {
    TLS_OFF,
    TLS_WAITING,
    TLS_HANDSHAKE,
    TLS_ON
};

struct conn {
    struct loop *loop;
    struct loop_io io;
    struct loop_timer timer;
    struct loop_call kick;
    int fd;
    const struct conn_ops *ops;
    void *ctx;
    struct buf in;
    struct buf out;
    struct ssl_st *ssl;
    struct tls_ctx *tls_ctx;
    char *sni; /* NULL: the server's side */
    enum tls_state tls;
    unsigned
        ssl_wants; /* what the last SSL call needs, LOOP_READ or LOOP_WRITE, beside the usual */
    struct err why;
    bool dead;
    bool paused;
    bool corked;    /* output waits */
    bool disturbed; /* what nobody wants to read has been reported */
    bool unheard;   /* bytes stand in `in` that no `input` has told of */
    bool draining;  /* there was output: tell when it is gone */
    bool eof;       /* the peer sends no more */
    bool hung;      /* the descriptor reports a hang-up */
    bool finishing; /* close when the output is gone */
    bool over;      /* `closed` is due */
    bool told;      /* and was called */
};

static void on_kick(struct loop_call *call);

static void kick(struct conn *c)
{
    loop_defer(c->loop, &c->kick);
}

/* Marks the end, for whatever cause; the first one counts. */
static void end(struct conn *c)
{
    c->over = true;
    kick(c);
}

static void end_with(struct conn *c, int code, const char *what)
{
    if (!c->over)
        (void)err_set(&c->why, code, "%s", what);
    end(c);
}

static size_t room(const struct conn *c)
{
    return buf_room(&c->in);
}

static bool reads(const struct conn *c)
{
    return !c->paused && !c->eof && c->tls != TLS_WAITING && room(c) > 0;
}

/* Not to be told of input any more takes a system call, and most pauses end before any comes: it is
 * made only once input was reported that nobody reads. */
static bool is_near_enough(const struct conn *c, unsigned want)
{
    return want == c->io.events || (!c->disturbed && (want | LOOP_READ) == c->io.events);
}

/* A hang-up is reported whether asked for or not, again and again; while nobody wants to read what
 * stands in front of it, the descriptor is not watched at all. */
static void watch(struct conn *c, unsigned want)
{
    if (c->hung && !want) {
        loop_io_del(&c->io);
        return;
    }
    if (c->io.loop) {
        if (!is_near_enough(c, want))
            loop_io_set(&c->io, want);
        return;
    }
    if (loop_io_add(c->loop, &c->io, c->fd, want, &c->why) < 0)
        end(c);
}

static void set_events(struct conn *c)
{
    unsigned want = c->ssl_wants;

    if (c->over || c->dead) {
        loop_io_del(&c->io);
        return;
    }
    if (reads(c))
        want |= LOOP_READ;
    if (c->out.n && !c->corked && c->tls != TLS_HANDSHAKE)
        want |= LOOP_WRITE;
    watch(c, want);
}

/* --- moving bytes ----------------------------------------------------------------------------- */

/* A TLS call moved nothing: notes what it needs, or the end. */
static void tls_trouble(struct conn *c, enum tls_io_result r, const struct err *err)
{
    switch (r) {
    case TLS_IO_WANT_READ:
        c->ssl_wants |= LOOP_READ;
        return;
    case TLS_IO_WANT_WRITE:
        c->ssl_wants |= LOOP_WRITE;
        return;
    case TLS_IO_EOF:
        c->eof = true;
        return;
    case TLS_IO_FAILED:
        if (!c->over)
            c->why = *err;
        end(c);
        return;
    case TLS_IO_DONE:
        return;
    }
}

static void plain_trouble(struct conn *c, const char *what)
{
    if (errno != EAGAIN && errno != EINTR)
        end_with(c, errno, what);
}

/* How many bytes of the output went out; 0: none now. */
static size_t write_some(struct conn *c)
{
    struct err err = {0};
    size_t done = 0;

    if (c->ssl) {
        enum tls_io_result r = c->tls_ctx->io->write(c->ssl, c->out.p, c->out.n, &done, &err);

        tls_trouble(c, r, &err);
        return r == TLS_IO_DONE ? done : 0;
    }
    ssize_t n = send(c->fd, c->out.p, c->out.n, MSG_NOSIGNAL);

    if (n < 0)
        plain_trouble(c, "write to the peer");
    return n < 0 ? 0 : (size_t)n;
}

static void flush(struct conn *c)
{
    while (c->out.n && !c->over && !c->corked) {
        size_t n = write_some(c);

        if (n == 0)
            return;
        buf_consume(&c->out, n);
    }
    buf_shrink(&c->out);
}

static size_t read_some(struct conn *c, char *to, size_t n)
{
    struct err err = {0};
    size_t done = 0;

    if (c->ssl) {
        enum tls_io_result r = c->tls_ctx->io->read(c->ssl, to, n, &done, &err);

        tls_trouble(c, r, &err);
        return r == TLS_IO_DONE ? done : 0;
    }
    ssize_t got = recv(c->fd, to, n, 0);

    if (got == 0)
        c->eof = true;
    if (got < 0)
        plain_trouble(c, "read from the peer");
    return got < 0 ? 0 : (size_t)got;
}

/* What OpenSSL holds already makes no descriptor readable. */
static bool holds_more(const struct conn *c)
{
    return c->tls == TLS_ON && c->ssl && c->tls_ctx->io->has_pending(c->ssl);
}

static void fill(struct conn *c)
{
    size_t n = room(c) < READ_MAX ? room(c) : READ_MAX;
    char *to = buf_reserve(&c->in, n);

    if (!to)
        return;
    size_t got = read_some(c, to, n);

    buf_commit(&c->in, got);
    buf_shrink(&c->in);
    if (got)
        c->unheard = true;
    if (holds_more(c))
        kick(c);
}

static void begin_handshake(struct conn *c)
{
    buf_reset(&c->in); /* RFC 3207 section 6: what came in clear does not count */
    buf_shrink(&c->in);
    c->unheard = false;
    c->ssl = c->tls_ctx->io->begin(c->tls_ctx, c->fd, c->sni, &c->why);
    if (!c->ssl) {
        end(c);
        return;
    }
    c->tls = TLS_HANDSHAKE;
}

static void shake(struct conn *c)
{
    struct err err = {0};
    enum tls_io_result r = c->tls_ctx->io->shake(c->ssl, &err);

    if (r == TLS_IO_DONE) {
        c->tls = TLS_ON;
        if (c->ops->tls_ready)
            c->ops->tls_ready(c);
        return;
    }
    if (r == TLS_IO_FAILED)
        (void)err_wrap(&err, "handshake");
    tls_trouble(c, r, &err);
    if (c->eof)
        end_with(c, ECONNRESET, "TLS handshake");
}

/* --- one turn --------------------------------------------------------------------------------- */

static bool has_news(const struct conn *c)
{
    return c->unheard && !c->paused && !c->dead && !c->over;
}

static void tell_input(struct conn *c)
{
    if (has_news(c)) {
        c->unheard = false;
        c->ops->input(c);
    }
}

static void tell_drained(struct conn *c)
{
    if (c->dead || c->over || c->out.n || !c->draining)
        return;
    c->draining = false;
    if (c->ops->drained)
        c->ops->drained(c);
}

static void tell_closed(struct conn *c)
{
    if (!c->over || c->told || c->dead)
        return;
    c->told = true;
    loop_timer_del(&c->timer);
    loop_io_del(&c->io);
    c->ops->closed(c, &c->why);
}

static void say_goodbye(struct conn *c)
{
    if (c->tls == TLS_ON)
        c->tls_ctx->io->shutdown(c->ssl);
    (void)shutdown(c->fd, SHUT_WR); /* may fail where the peer is gone already */
    end(c);
}

/* Writing first: STARTTLS begins, and an end is an end, only behind the output. */
static void settle(struct conn *c)
{
    if (c->tls == TLS_WAITING && !c->out.n)
        begin_handshake(c);
    if (c->tls == TLS_HANDSHAKE && !c->over)
        shake(c);
    if (c->dead || c->over || c->out.n)
        return;
    if (c->finishing)
        say_goodbye(c);
    else if (c->eof && !c->unheard)
        end(c);
}

static void turn(struct conn *c, bool readable)
{
    c->ssl_wants = 0;
    if (c->tls != TLS_HANDSHAKE && !c->over && !has_news(c)) /* else: together with the answers */
        flush(c);
    if (readable && c->tls != TLS_HANDSHAKE && !c->over && reads(c))
        fill(c);
    tell_input(c);
    tell_drained(c);
    if (c->out.n && !c->dead && !c->over && c->tls != TLS_HANDSHAKE)
        flush(c);
    settle(c);
    tell_drained(c);
    tell_closed(c);
    if (!c->told)
        set_events(c);
}

static void on_io(struct loop_io *io, unsigned events)
{
    struct conn *c = container_of(io, struct conn, io);

    c->disturbed = (events & LOOP_READ) != 0 && !reads(c);
    /* A hang-up reads too: bytes may stand in front of it. */
    turn(c, (events & (LOOP_READ | LOOP_HANGUP)) != 0 || c->ssl_wants != 0);
    /* A peer that hung up, seen while we do not read: nothing would ever report it again but this
     * event. */
    if (!c->dead && !c->over && (events & LOOP_HANGUP) && !reads(c) && !c->unheard)
        end_with(c, ECONNRESET, "the peer hung up");
}

static void free_now(struct conn *c)
{
    buf_done(&c->in);
    buf_done(&c->out);
    if (c->tls_ctx)
        c->tls_ctx->io->drop(c->tls_ctx);
    free(c->sni);
    free(c);
}

static void on_kick(struct loop_call *call)
{
    struct conn *c = container_of(call, struct conn, kick);

    if (c->dead) {
        free_now(c);
        return;
    }
    turn(c, holds_more(c));
}

static void on_timer(struct loop_timer *t)
{
    end_with(container_of(t, struct conn, timer), ETIMEDOUT, "wait for the peer");
}

/* --- the interface ---------------------------------------------------------------------------- */

/* Output leaves at the end of each turn, as much as there is: nothing is gained by waiting for the
 * peer's acknowledgement first, and 40 ms a reply are lost. */
static void send_at_once(int fd)
{
    int on = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on,
                     sizeof(on)); /* a unix socket has no such thing */
}

struct conn *conn_new(struct loop *l, int fd, const struct conn_ops *ops, void *ctx,
                      struct conn_limits limits, struct err *err)
{
    struct conn *c = mem_type(struct conn);

    c->loop = l;
    c->fd = fd;
    c->ops = ops;
    c->ctx = ctx;
    c->io.fn = on_io;
    c->timer.fn = on_timer;
    c->kick.fn = on_kick;
    buf_init(&c->in, limits.in_max);
    buf_init(&c->out, limits.out_max);
    if (fd_set_nonblock(fd, true, err) < 0 || fd_set_cloexec(fd, err) < 0 ||
        loop_io_add(l, &c->io, fd, LOOP_READ, err) < 0) {
        (void)close(fd); /* the failure is in err */
        free(c);
        return NULL;
    }
    send_at_once(fd);
    return c;
}

struct conn *conn_dial_unix(struct loop *l, const char *path, const struct conn_ops *ops, void *ctx,
                            struct conn_limits limits, struct err *err)
{
    int fd = fd_unix_connect(path, SOCK_STREAM | SOCK_NONBLOCK, err);

    return fd < 0 ? NULL : conn_new(l, fd, ops, ctx, limits, err);
}

void conn_free(struct conn *c)
{
    if (!c || c->dead)
        return;
    c->dead = true;
    loop_io_del(&c->io);
    loop_timer_del(&c->timer);
    if (c->ssl)
        c->tls_ctx->io->end(c->ssl);
    c->ssl = NULL;
    if (c->fd >= 0)
        (void)close(c->fd); /* Linux closes even on an error, and nothing is owed to the peer */
    kick(c);
}

void *conn_ctx(const struct conn *c)
{
    return c->ctx;
}

void conn_set_ops(struct conn *c, const struct conn_ops *ops, void *ctx)
{
    c->ops = ops;
    c->ctx = ctx;
}

struct str conn_in(const struct conn *c)
{
    /* What stands behind a STARTTLS in clear is nobody's command. */
    return c->tls == TLS_WAITING ? STR_NONE : buf_str(&c->in);
}

void conn_consume(struct conn *c, size_t n)
{
    buf_consume(&c->in, n);
    buf_shrink(&c->in);
    kick(c);
}

void conn_pause(struct conn *c, bool paused)
{
    if (c->paused && !paused && c->in.n)
        c->unheard = true;
    c->paused = paused;
    kick(c);
}

void conn_write(struct conn *c, struct str s)
{
    if (c->over || c->finishing || s.n == 0)
        return;
    buf_append(&c->out, s);
    if (c->out.failed)
        end_with(c, EMSGSIZE, "more output than the peer takes");
    c->draining = true;
    kick(c);
}

void conn_write_c(struct conn *c, const char *s)
{
    conn_write(c, str_of(s));
}

void conn_printf(struct conn *c, const char *fmt, ...)
{
    char text[PRINTF_MAX];
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);

    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof(text))
        end_with(c, EMSGSIZE, "a formatted line that is too long");
    else
        conn_write(c, (struct str){text, (size_t)n});
}

size_t conn_out_n(const struct conn *c)
{
    return c->out.n;
}

void conn_cork(struct conn *c, bool corked)
{
    c->corked = corked;
    kick(c);
}

void conn_finish(struct conn *c)
{
    c->corked = false;
    c->finishing = true;
    kick(c);
}

void conn_deadline(struct conn *c, uint64_t ms)
{
    if (ms)
        loop_timer_set(c->loop, &c->timer, ms);
    else
        loop_timer_del(&c->timer);
}

void conn_start_tls(struct conn *c, struct tls_ctx *ctx, const char *sni)
{
    if (c->tls != TLS_OFF || c->over)
        return;
    ctx->refs++;
    c->corked = false;
    c->tls_ctx = ctx;
    c->sni = sni ? mem_dup_c(sni) : NULL;
    c->tls = TLS_WAITING;
    kick(c);
}

bool conn_has_tls(const struct conn *c)
{
    return c->tls == TLS_ON;
}

const char *conn_tls_version(const struct conn *c)
{
    return c->tls == TLS_ON ? c->tls_ctx->io->version(c->ssl) : "";
}

const char *conn_tls_cipher(const struct conn *c)
{
    return c->tls == TLS_ON ? c->tls_ctx->io->cipher(c->ssl) : "";
}

int conn_take_fd(struct conn *c, struct buf *in)
{
    int fd = c->fd;

    buf_append(in, buf_str(&c->in));
    c->fd = -1;
    conn_free(c);
    return fd;
}
