/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything a caller asks for is noted and done by `kick`, at the end of the turn: so that no
 * callback comes from within a call, and so that replies to pipelined commands leave in one write.
 * `dead` marks a conn that was freed; its memory goes in the last kick, when nobody up the stack
 * holds it any more.
 */
#include "mailstack/lib/net/conn.h"

#include <errno.h>
#include <openssl/ssl.h>
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

#include "mailstack/lib/net/tls.h"
#include "mailstack/lib/net/tls_err.h"

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
    SSL *ssl;
    struct tls_ctx *tls_ctx;
    char *sni; /* NULL: the server's side */
    enum tls_state tls;
    unsigned
        ssl_wants; /* what the last SSL call needs, LOOP_READ or LOOP_WRITE, beside the usual */
    struct err why;
    bool dead;
    bool paused;
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

/* A hang-up is reported whether asked for or not, again and again; while nobody wants to read what
 * stands in front of it, the descriptor is not watched at all. */
static void watch(struct conn *c, unsigned want)
{
    if (c->hung && !want) {
        loop_io_del(&c->io);
        return;
    }
    if (c->io.loop) {
        if (want != c->io.events)
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
    if (c->out.n && c->tls != TLS_HANDSHAKE)
        want |= LOOP_WRITE;
    watch(c, want);
}

/* --- moving bytes ----------------------------------------------------------------------------- */

/* After an SSL call that did not succeed. */
static void ssl_trouble(struct conn *c, int result, const char *what)
{
    int e = errno;

    switch (SSL_get_error(c->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        c->ssl_wants |= LOOP_READ;
        return;
    case SSL_ERROR_WANT_WRITE:
        c->ssl_wants |= LOOP_WRITE;
        return;
    case SSL_ERROR_ZERO_RETURN:
        c->eof = true;
        return;
    case SSL_ERROR_SYSCALL:
        end_with(c, e ? e : ECONNRESET, what);
        return;
    default:
        if (!c->over)
            (void)tls_err(&c->why, what);
        end(c);
    }
}

static void plain_trouble(struct conn *c, const char *what)
{
    if (errno != EAGAIN && errno != EINTR)
        end_with(c, errno, what);
}

static void flush(struct conn *c)
{
    while (c->out.n && !c->over) {
        ssize_t n = c->ssl ? SSL_write(c->ssl, c->out.p, (int)c->out.n)
                           : send(c->fd, c->out.p, c->out.n, MSG_NOSIGNAL);

        if (n <= 0) {
            if (c->ssl)
                ssl_trouble(c, (int)n, "write to the peer");
            else
                plain_trouble(c, "write to the peer");
            return;
        }
        buf_consume(&c->out, (size_t)n);
    }
    buf_shrink(&c->out);
}

static void fill(struct conn *c)
{
    size_t n = room(c) < READ_MAX ? room(c) : READ_MAX;
    char *to = buf_reserve(&c->in, n);

    if (!to)
        return;
    ssize_t got = c->ssl ? SSL_read(c->ssl, to, (int)n) : recv(c->fd, to, n, 0);

    if (got > 0) {
        buf_commit(&c->in, (size_t)got);
        c->unheard = true;
    } else if (c->ssl) {
        ssl_trouble(c, (int)got, "read from the peer");
    } else if (got == 0) {
        c->eof = true;
    } else {
        plain_trouble(c, "read from the peer");
    }
    buf_shrink(&c->in);
    /* What OpenSSL holds already makes no descriptor readable. */
    if (c->ssl && got > 0 && SSL_pending(c->ssl) > 0)
        kick(c);
}

static void begin_handshake(struct conn *c)
{
    buf_reset(&c->in); /* RFC 3207 section 6: what came in clear does not count */
    buf_shrink(&c->in);
    c->unheard = false;
    c->ssl = c->sni ? tls_client_session(c->tls_ctx, c->fd, c->sni, &c->why)
                    : tls_session(c->tls_ctx, c->fd, &c->why);
    if (!c->ssl) {
        end(c);
        return;
    }
    if (!c->sni)
        SSL_set_accept_state(c->ssl);
    c->tls = TLS_HANDSHAKE;
}

static void shake(struct conn *c)
{
    int n = SSL_do_handshake(c->ssl);

    if (n == 1) {
        c->tls = TLS_ON;
        if (c->ops->tls_ready)
            c->ops->tls_ready(c);
        return;
    }
    ssl_trouble(c, n, "TLS handshake");
    if (c->eof)
        end_with(c, ECONNRESET, "TLS handshake");
}

/* --- one turn --------------------------------------------------------------------------------- */

static void tell_input(struct conn *c)
{
    if (c->unheard && !c->paused && !c->dead && !c->over) {
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
        (void)SSL_shutdown(c->ssl); /* one way is enough, the peer's answer is not waited for */
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
    if (c->tls != TLS_HANDSHAKE && !c->over)
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
    tls_free(c->tls_ctx);
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
    turn(c, c->ssl != NULL && c->tls == TLS_ON && SSL_pending(c->ssl) > 0);
}

static void on_timer(struct loop_timer *t)
{
    end_with(container_of(t, struct conn, timer), ETIMEDOUT, "wait for the peer");
}

/* --- the interface ---------------------------------------------------------------------------- */

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
    if (fd_set_nonblock(fd, true, err) < 0 || fd_set_cloexec(fd, true, err) < 0 ||
        loop_io_add(l, &c->io, fd, LOOP_READ, err) < 0) {
        (void)close(fd); /* the failure is in err */
        free(c);
        return NULL;
    }
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
    SSL_free(c->ssl);
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
    return buf_str(&c->in);
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

void conn_finish(struct conn *c)
{
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
    c->tls_ctx = tls_ref(ctx);
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
    return c->tls == TLS_ON ? SSL_get_version(c->ssl) : "";
}

const char *conn_tls_cipher(const struct conn *c)
{
    return c->tls == TLS_ON ? SSL_get_cipher_name(c->ssl) : "";
}

int conn_take_fd(struct conn *c, struct buf *in)
{
    int fd = c->fd;

    buf_append(in, buf_str(&c->in));
    c->fd = -1;
    conn_free(c);
    return fd;
}
