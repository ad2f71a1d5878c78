/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream - a buffered byte stream for sequential code: every call blocks, with a deadline
 *
 * For worker processes that serve one peer at a time (lmtpd, filterd, queued's senders, a user's
 * imapd). Owns its descriptor. Writes are buffered until stream_flush or until a read would block,
 * so pipelining costs one write.
 *
 * Errors:    ETIMEDOUT for the deadline, EPIPE when the peer closed, EMSGSIZE for a limit.
 * Tests:     tests/unit/mailstack/lib/net/test_stream.c
 */
#ifndef MR_NET_STREAM_H
#define MR_NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct err;
struct stream;
struct tls_ctx;

#define STREAM_IN_MAX 65536

must_check struct stream *stream_new(int fd, uint32_t timeout_ms); /* fd is made non-blocking */
must_check struct stream *stream_dial_unix(const char *path, uint32_t timeout_ms, struct err *err);
void stream_free(struct stream *s); /* closes; unflushed output is lost */
int stream_fd(const struct stream *s);
void stream_set_timeout(struct stream *s, uint32_t timeout_ms); /* of each wait */

/* A line that ends in CRLF, without it; the view lives until the next read. A bare CR or LF inside,
 * or a line over max, is an error (EBADMSG, EMSGSIZE). */
must_check int stream_line(struct stream *s, size_t max, struct str *line, struct err *err);
/* At least one byte, at most what is buffered; n == 0 at the end. View until the next read. */
must_check int stream_some(struct stream *s, struct str *bytes, struct err *err);
must_check int stream_exact(struct stream *s, void *p, size_t n, struct err *err);
/* Of the bytes last shown by stream_some, only n are used up (the default is none). */
void stream_consume(struct stream *s, size_t n);
struct str stream_pending(const struct stream *s); /* what is buffered, without reading */
/* Waits for input or for other_fd (-1: none) to become readable: 1 input, 2 other, 0 timeout, -1.
 */
must_check int stream_wait(struct stream *s, int other_fd, uint32_t timeout_ms, struct err *err);

must_check int stream_write(struct stream *s, struct str bytes, struct err *err);
must_check int stream_printf(struct stream *s, struct err *err, const char *fmt, ...)
    fmt_printf(3, 4);
must_check int stream_flush(struct stream *s, struct err *err);

/* name is sent, and checked if ctx verifies; not NULL. */
must_check int stream_start_tls_client(struct stream *s, struct tls_ctx *ctx, const char *name,
                                       struct err *err); /* buffered clear input is an error */
const char *stream_tls_version(const struct stream *s);  /* "" in clear */

#endif
