/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn - a buffered byte stream on the event loop: limits, deadline, optional TLS
 *
 * For daemons that hold many connections in one process (smtpd, frontd). A conn owns its
 * descriptor. Bytes that arrived stand in conn_in() until conn_consume(); reading stops while the
 * buffer is full or paused, so a slow consumer slows its peer. Output is queued up to out_max and
 * written when possible; beyond out_max the connection is failed (closed callback with EMSGSIZE):
 * who may send much looks at conn_out_n() and goes on in `drained`. Buffers are given back while
 * empty, so an idle connection costs a few hundred bytes (and its TLS state).
 *
 * Callbacks come from the loop, never from within a call of this interface. After `closed` no other
 * callback comes; the owner then calls conn_free. conn_free may be called from any callback.
 *
 * STARTTLS:  conn_start_tls discards what was received in clear and not yet consumed (command
 *            injection, RFC 3207 section 6) after the queued output has been written.
 * Limits:    in_max, out_max, deadline; the reason of a close is in the err.
 * Tests:     tests/unit/mailstack/lib/net/test_conn.c
 */
#ifndef MR_NET_CONN_H
#define MR_NET_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct conn;
struct err;
struct loop;
struct tls_ctx;

struct conn_ops {
    void (*input)(struct conn *c);     /* more bytes stand in conn_in */
    void (*drained)(struct conn *c);   /* all output was handed to the kernel; may be NULL */
    void (*tls_ready)(struct conn *c); /* handshake done; may be NULL */
    /* Over: why->code is 0 for an orderly end by the peer, ETIMEDOUT for the deadline, else a
     * cause. */
    void (*closed)(struct conn *c, const struct err *why);
};

struct conn_limits {
    size_t in_max;
    size_t out_max;
};

/* fd becomes the conn's, also on failure; it is made non-blocking. */
must_check struct conn *conn_new(struct loop *l, int fd, const struct conn_ops *ops, void *ctx,
                                 struct conn_limits limits, struct err *err);
/* A unix stream socket. It connects at once or not at all (NULL with err): nothing blocks, and a
 * listener whose backlog is full gives EAGAIN. */
must_check struct conn *conn_dial_unix(struct loop *l, const char *path, const struct conn_ops *ops,
                                       void *ctx, struct conn_limits limits, struct err *err);
void conn_free(struct conn *c); /* closes at once, what is queued is lost; NULL is fine */

void *conn_ctx(const struct conn *c);
void conn_set_ops(struct conn *c, const struct conn_ops *ops, void *ctx);

struct str conn_in(const struct conn *c); /* until the next call on c */
void conn_consume(struct conn *c, size_t n);
void conn_pause(struct conn *c,
                bool paused); /* no `input` while paused; unpausing with bytes waiting calls it */

void conn_write(struct conn *c, struct str s);
void conn_write_c(struct conn *c, const char *s);
void conn_printf(struct conn *c, const char *fmt, ...) fmt_printf(2, 3);
size_t conn_out_n(const struct conn *c); /* bytes not yet handed to the kernel */
/* Output waits while corked: replies to pipelined commands leave together although one of them has
 * to be waited for. Finishing, and TLS, uncork. */
void conn_cork(struct conn *c, bool corked);
/* Writes what is queued, closes the sending side, then reports `closed` (or at the deadline). */
void conn_finish(struct conn *c);

/* `closed` with ETIMEDOUT in ms from now unless moved again; 0 removes it. */
void conn_deadline(struct conn *c, uint64_t ms);

/* Server side: with sni NULL. Client side: the name to send and, where the context verifies, to
 * verify; "" for a server without one (an address). */
void conn_start_tls(struct conn *c, struct tls_ctx *ctx, const char *sni);
bool conn_has_tls(const struct conn *c);
const char *conn_tls_version(const struct conn *c); /* "TLSv1.3"; "" in clear */
const char *conn_tls_cipher(const struct conn *c);

/* Of a plain conn: its descriptor becomes the caller's, unread input is appended to *in; c is
 * freed. */
struct buf;
must_check int conn_take_fd(struct conn *c, struct buf *in);

#endif
