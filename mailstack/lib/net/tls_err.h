/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_err - what conn.c and stream.c share of OpenSSL: sessions, and its errors as ours
 *
 * Not for anyone else: all others see TLS through conn.h and stream.h.
 *
 * Tests:     tests/unit/mailstack/lib/net/test_tls.c
 */
#ifndef MR_NET_TLS_ERR_H
#define MR_NET_TLS_ERR_H

#include "runtime/base/attr.h"

struct err;
struct ssl_st;
struct tls_ctx;

/* err_set with OpenSSL's reason, whose queue is emptied. Returns -1. */
int tls_err(struct err *err, const char *what);
/* A session on fd, without a side yet; SSL_free it. NULL with err. */
must_check struct ssl_st *tls_session(struct tls_ctx *t, int fd, struct err *err);
/* The client's side of one; name is sent as SNI and, where the context verifies, checked. */
must_check struct ssl_st *tls_client_session(struct tls_ctx *t, int fd, const char *name,
                                             struct err *err);

#endif
