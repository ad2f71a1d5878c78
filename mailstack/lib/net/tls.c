/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/net/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdlib.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"

#include "mailstack/lib/net/tls_io.h"

static int tls_err(struct err *err, const char *what)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;

    ERR_clear_error();
    return err_set(err, EPROTO, "%s: %s", what, reason ? reason : "TLS failed");
}

/* --- sessions --------------------------------------------------------------------------------- */

static SSL *session_begin(struct tls_ctx *t, int fd, const char *name, struct err *err)
{
    SSL *s = SSL_new(t->ssl);
    bool named = name && name[0];
    own_free char *host = named ? mem_dup_c(name) : NULL; /* the macro below casts a const away */

    /* OpenSSL writes with write(2); here, and not with the context, since that may have been made
     * before this process was forked. */
    (void)signal(SIGPIPE, SIG_IGN);
    if (s && SSL_set_fd(s, fd) == 1 &&
        (!host || (SSL_set_tlsext_host_name(s, host) == 1 && SSL_set1_host(s, host) == 1))) {
        if (name)
            SSL_set_connect_state(s);
        else
            SSL_set_accept_state(s);
        return s;
    }
    (void)tls_err(err, "begin TLS");
    SSL_free(s);
    return NULL;
}

/* What an SSL call that did not succeed asks for. */
static enum tls_io_result ask(SSL *s, int result, struct err *err)
{
    int e = errno;

    switch (SSL_get_error(s, result)) {
    case SSL_ERROR_WANT_READ:
        return TLS_IO_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return TLS_IO_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_IO_EOF;
    case SSL_ERROR_SYSCALL:
        ERR_clear_error();
        (void)err_set(err, e ? e : ECONNRESET, "TLS");
        return TLS_IO_FAILED;
    default:
        (void)tls_err(err, "TLS");
        return TLS_IO_FAILED;
    }
}

static enum tls_io_result session_shake(SSL *s, struct err *err)
{
    int n = SSL_do_handshake(s);

    return n == 1 ? TLS_IO_DONE : ask(s, n, err);
}

static enum tls_io_result session_read(SSL *s, void *p, size_t n, size_t *done, struct err *err)
{
    int r = SSL_read_ex(s, p, n, done);

    return r == 1 ? TLS_IO_DONE : ask(s, r, err);
}

static enum tls_io_result session_write(SSL *s, const void *p, size_t n, size_t *done,
                                        struct err *err)
{
    int r = SSL_write_ex(s, p, n, done);

    return r == 1 ? TLS_IO_DONE : ask(s, r, err);
}

static bool session_has_pending(SSL *s)
{
    return SSL_pending(s) > 0;
}

static void session_shutdown(SSL *s)
{
    (void)SSL_shutdown(s); /* one way is enough, the peer's answer is not waited for */
    ERR_clear_error();
}

static const char *session_version(SSL *s)
{
    return SSL_get_version(s);
}

static const char *session_cipher(SSL *s)
{
    return SSL_get_cipher_name(s);
}

static const struct tls_io io = {
    .begin = session_begin,
    .shake = session_shake,
    .read = session_read,
    .write = session_write,
    .has_pending = session_has_pending,
    .shutdown = session_shutdown,
    .version = session_version,
    .cipher = session_cipher,
    .end = SSL_free,
    .drop = tls_free,
};

/* --- contexts --------------------------------------------------------------------------------- */

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

    t->io = &io;
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
