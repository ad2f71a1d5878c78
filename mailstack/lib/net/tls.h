/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls - TLS contexts for servers and clients (OpenSSL behind it, in tls.c, conn.c and stream.c
 * alone)
 *
 * TLS 1.2 and later, OpenSSL's default ciphers at its security level 2, no renegotiation, no
 * compression. A server context is replaced when the certificate changes; connections keep the one
 * they began with. A process that has had a session ignores SIGPIPE.
 *
 * Tests:     tests/unit/mailstack/lib/net/test_tls.c
 */
#ifndef MR_NET_TLS_H
#define MR_NET_TLS_H

#include "runtime/base/attr.h"

struct err;
struct ssl_ctx_st;
struct tls_ctx;

must_check struct tls_ctx *tls_server_new(const char *cert_file, const char *key_file,
                                          struct err *err);

/* Opportunistic: no verification. Verified: against ca_file and the name. */
enum tls_verify {
    TLS_VERIFY_NONE,
    TLS_VERIFY_NAME
};
must_check struct tls_ctx *tls_client_new(enum tls_verify verify, const char *ca_file,
                                          struct err *err);
struct tls_ctx *tls_ref(struct tls_ctx *t);
void tls_free(struct tls_ctx *t); /* drops one reference; NULL is fine */
struct ssl_ctx_st *tls_ssl_ctx(struct tls_ctx *t);

#endif
