/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/net/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"

#include "mailstack/lib/net/tls_err.h"

struct tls_ctx {
    SSL_CTX *ssl;
    unsigned refs;
};

int tls_err(struct err *err, const char *what)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;

    ERR_clear_error();
    return err_set(err, EPROTO, "%s: %s", what, reason ? reason : "TLS failed");
}

static struct tls_ctx *new_ctx(const SSL_METHOD *method, struct err *err)
{
    SSL_CTX *ssl = SSL_CTX_new(method);

    if (!ssl) {
        (void)tls_err(err, "make a TLS context");
        return NULL;
    }
    SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION);
    SSL_CTX_set_security_level(ssl, 2);
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    /* Idle connections give their buffers back; writes may go on from where the buffer moved to. */
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    struct tls_ctx *t = mem_type(struct tls_ctx);

    t->ssl = ssl;
    t->refs = 1;
    return t;
}

static int use_files(struct tls_ctx *t, const char *cert_file, const char *key_file,
                     struct err *err)
{
    if (SSL_CTX_use_certificate_chain_file(t->ssl, cert_file) != 1) {
        (void)tls_err(err, "read the certificate");
        return err_wrap(err, "'%s'", cert_file);
    }
    if (SSL_CTX_use_PrivateKey_file(t->ssl, key_file, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(t->ssl) != 1) {
        (void)tls_err(err, "read the key");
        return err_wrap(err, "'%s'", key_file);
    }
    return 0;
}

struct tls_ctx *tls_server_new(const char *cert_file, const char *key_file, struct err *err)
{
    struct tls_ctx *t = new_ctx(TLS_server_method(), err);

    if (t && use_files(t, cert_file, key_file, err) < 0) {
        tls_free(t);
        return NULL;
    }
    return t;
}

struct tls_ctx *tls_client_new(enum tls_verify verify, const char *ca_file, struct err *err)
{
    struct tls_ctx *t = new_ctx(TLS_client_method(), err);

    if (!t || verify == TLS_VERIFY_NONE)
        return t;
    SSL_CTX_set_verify(t->ssl, SSL_VERIFY_PEER, NULL);
    if (ca_file ? SSL_CTX_load_verify_locations(t->ssl, ca_file, NULL) == 1
                : SSL_CTX_set_default_verify_paths(t->ssl) == 1)
        return t;
    (void)tls_err(err, "read the certificate authorities");
    tls_free(t);
    return NULL;
}

struct tls_ctx *tls_ref(struct tls_ctx *t)
{
    t->refs++;
    return t;
}

void tls_free(struct tls_ctx *t)
{
    if (!t || --t->refs > 0)
        return;
    SSL_CTX_free(t->ssl);
    free(t);
}

struct ssl_ctx_st *tls_ssl_ctx(struct tls_ctx *t)
{
    return t->ssl;
}

struct ssl_st *tls_client_session(struct tls_ctx *t, int fd, const char *name, struct err *err)
{
    SSL *ssl = tls_session(t, fd, err);

    if (!ssl)
        return NULL;
    if (name && (SSL_set_tlsext_host_name(ssl, name) != 1 || SSL_set1_host(ssl, name) != 1)) {
        (void)tls_err(err, "name the TLS peer");
        SSL_free(ssl);
        return NULL;
    }
    SSL_set_connect_state(ssl);
    return ssl;
}

struct ssl_st *tls_session(struct tls_ctx *t, int fd, struct err *err)
{
    SSL *ssl = SSL_new(t->ssl);

    if (ssl && SSL_set_fd(ssl, fd) == 1)
        return ssl;
    (void)tls_err(err, "begin TLS");
    SSL_free(ssl);
    return NULL;
}
