/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_io - TLS as conn.c and stream.c see it: a table of calls, found through the context
 *
 * Through the table, and not by name, so that a daemon that never makes a TLS context (imapd,
 * pop3d, authd, lmtpd) links no TLS library although it uses conn and stream. Not for anyone else.
 *
 * Tests:     tests/unit/mailstack/lib/net/test_tls.c
 */
#ifndef MR_NET_TLS_IO_H
#define MR_NET_TLS_IO_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/attr.h"

struct err;
struct ssl_ctx_st;
struct ssl_st;

enum tls_io_result {
    TLS_IO_DONE,       /* *done bytes were moved, or the handshake is over */
    TLS_IO_WANT_READ,  /* call again once the descriptor is readable */
    TLS_IO_WANT_WRITE, /* or writable */
    TLS_IO_EOF,        /* the peer closed, in order */
    TLS_IO_FAILED,     /* err says why */
};

struct tls_ctx;

struct tls_io {
    /* A session on fd; name NULL: the server's side. NULL with err. */
    struct ssl_st *(*begin)(struct tls_ctx *t, int fd, const char *name, struct err *err);
    enum tls_io_result (*shake)(struct ssl_st *s, struct err *err);
    enum tls_io_result (*read)(struct ssl_st *s, void *p, size_t n, size_t *done, struct err *err);
    enum tls_io_result (*write)(struct ssl_st *s, const void *p, size_t n, size_t *done,
                                struct err *err);
    bool (*has_pending)(struct ssl_st *s); /* bytes that make no descriptor readable */
    void (*shutdown)(struct ssl_st *s);    /* says that we send no more; does not wait */
    const char *(*version)(struct ssl_st *s);
    const char *(*cipher)(struct ssl_st *s);
    void (*end)(struct ssl_st *s);
    void (*drop)(struct tls_ctx *t); /* one reference of the context */
};

struct tls_ctx {
    const struct tls_io *io;
    struct ssl_ctx_st *ssl;
    unsigned refs;
};

#endif
