/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/stack/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"
#include "runtime/base/rand.h"

#define RSA_BITS   2048
#define RECORD_MAX 8192
#define TXT_MAX    255 /* one character-string of a TXT record */

static void free_pkey(EVP_PKEY **p)
{
    EVP_PKEY_free(*p);
}

static void free_cert(X509 **p)
{
    X509_free(*p);
}

static void free_bio(BIO **p)
{
    BIO_free_all(*p);
}

#define own_pkey __attribute__((cleanup(free_pkey)))
#define own_cert __attribute__((cleanup(free_cert)))
#define own_bio  __attribute__((cleanup(free_bio)))

static int ssl_err(struct err *err, const char *what)
{
    char text[256] = "";

    ERR_error_string_n(ERR_get_error(), text, sizeof(text));
    ERR_clear_error();
    return err_set(err, 0, "%s: %s", what, text);
}

static void path_of(struct buf *out, const struct stack_config *c, const char *rest)
{
    buf_reset(out);
    buf_printf(out, "%s/%s", c->storage, rest);
}

static int put_bio(BIO *bio, const char *path, mode_t mode, struct err *err)
{
    char *p = NULL;
    long n = BIO_get_mem_data(bio, &p);

    return file_replace(AT_FDCWD, path, (struct str){p, (size_t)n}, mode, err);
}

static int put_key(EVP_PKEY *key, const char *path, struct err *err)
{
    own_bio BIO *bio = BIO_new(BIO_s_mem());

    if (!bio || PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1)
        return ssl_err(err, "write a private key");
    return put_bio(bio, path, 0600, err);
}

/* --- the certificate ----------------------------------------------------------------------------
 */

static X509 *parse_cert(struct str pem)
{
    own_bio BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);

    return bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
}

static EVP_PKEY *parse_key(struct str pem)
{
    own_bio BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);

    return bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
}

static bool still_good(const struct stack_config *c)
{
    own_buf struct buf pem = BUF_INIT(KEYS_PEM_MAX);
    own_buf struct buf key = BUF_INIT(KEYS_PEM_MAX);
    struct err err = {0};
    time_t then = time(NULL) + (time_t)KEYS_RENEW_DAYS * 86400;

    if (keys_read_cert(c, &pem, &err) < 0 || keys_read_key(c, &key, &err) < 0)
        return false;
    own_cert X509 *cert = parse_cert(buf_str(&pem));
    own_pkey EVP_PKEY *pkey = parse_key(buf_str(&key));
    bool good = cert && pkey && X509_check_private_key(cert, pkey) == 1 &&
                X509_check_host(cert, c->hostname, 0, 0, NULL) == 1 &&
                X509_cmp_time(X509_get0_notAfter(cert), &then) > 0;

    ERR_clear_error();
    return good;
}

static int add_extension(X509 *cert, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *ext;
    int done;

    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    done = ext && X509_add_ext(cert, ext, -1) == 1;
    X509_EXTENSION_free(ext);
    return done;
}

static int fill_cert(X509 *cert, EVP_PKEY *key, const char *hostname)
{
    own_buf struct buf san = BUF_INIT(512);
    X509_NAME *name = X509_get_subject_name(cert);
    /* A common name has at most 64 characters; clients look at the alternative name only. */
    const char *cn = str_of(hostname).n <= 64 ? hostname : "mail server";

    buf_printf(&san, "DNS:%s", hostname);
    return X509_set_version(cert, X509_VERSION_3) == 1 &&
           ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), rand_u64() >> 1) == 1 &&
           X509_gmtime_adj(X509_getm_notBefore(cert), -3600) &&
           X509_gmtime_adj(X509_getm_notAfter(cert), (long)KEYS_DAYS * 86400) &&
           X509_set_pubkey(cert, key) == 1 &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1,
                                      0) == 1 &&
           X509_set_issuer_name(cert, name) == 1 &&
           add_extension(cert, NID_subject_alt_name, buf_c(&san)) &&
           add_extension(cert, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(cert, NID_ext_key_usage, "serverAuth") &&
           X509_sign(cert, key, EVP_sha256()) > 0;
}

static int make_cert(const struct stack_config *c, struct err *err)
{
    own_buf struct buf path = BUF_INIT(8192);
    own_pkey EVP_PKEY *key = EVP_EC_gen("P-256");
    own_cert X509 *cert = X509_new();
    own_bio BIO *bio = BIO_new(BIO_s_mem());

    if (!key || !cert || !bio || !fill_cert(cert, key, c->hostname) ||
        PEM_write_bio_X509(bio, cert) != 1)
        return ssl_err(err, "make a certificate");
    path_of(&path, c, "tls/key.pem");
    if (put_key(key, buf_c(&path), err) < 0)
        return -1;
    path_of(&path, c, "tls/cert.pem");
    return put_bio(bio, buf_c(&path), 0644, err);
}

static int check_files(const struct stack_config *c, struct err *err)
{
    own_buf struct buf pem = BUF_INIT(KEYS_PEM_MAX);
    own_buf struct buf key = BUF_INIT(KEYS_PEM_MAX);

    if (keys_read_cert(c, &pem, err) < 0 || keys_read_key(c, &key, err) < 0)
        return err_wrap(err, "tls");
    own_cert X509 *cert = parse_cert(buf_str(&pem));
    own_pkey EVP_PKEY *pkey = parse_key(buf_str(&key));

    if (!cert)
        return err_set(err, 0, "tls: '%s' holds no certificate in PEM form", c->tls.cert);
    if (!pkey)
        return err_set(err, 0, "tls: '%s' holds no private key in PEM form", c->tls.key);
    if (X509_check_private_key(cert, pkey) != 1)
        return err_set(err, 0, "tls: '%s' is not the key of '%s'", c->tls.key, c->tls.cert);
    return 0;
}

/* --- DKIM ---------------------------------------------------------------------------------------
 */

static void append_txt(struct buf *out, struct str value)
{
    while (value.n) {
        struct str part = str_head(value, TXT_MAX);

        buf_printf(out, " \"%.*s\"", STR_ARG(part));
        value = str_skip(value, part.n);
    }
}

static int public_part(EVP_PKEY *key, enum stack_dkim_algorithm algorithm, struct buf *out,
                       struct err *err)
{
    unsigned char raw[32];
    size_t raw_n = sizeof(raw);
    unsigned char *der = NULL;
    int n;

    if (algorithm == STACK_ED25519) {
        if (EVP_PKEY_get_raw_public_key(key, raw, &raw_n) != 1)
            return ssl_err(err, "public key");
        buf_append_base64(out, (struct str){(const char *)raw, raw_n});
        return 0;
    }
    n = i2d_PUBKEY(key, &der);
    if (n <= 0)
        return ssl_err(err, "public key");
    buf_append_base64(out, (struct str){(const char *)der, (size_t)n});
    OPENSSL_free(der);
    return 0;
}

int keys_dkim_record(const char *domain, const struct stack_dkim *k, struct str pem,
                     struct buf *out, struct err *err)
{
    own_buf struct buf value = BUF_INIT(RECORD_MAX);
    own_pkey EVP_PKEY *key = parse_key(pem);

    if (!key)
        return ssl_err(err, "read a DKIM key");
    buf_printf(&value, "v=DKIM1; k=%s; p=", k->algorithm == STACK_ED25519 ? "ed25519" : "rsa");
    if (public_part(key, k->algorithm, &value, err) < 0)
        return -1;
    buf_printf(out, "%s._domainkey.%s. IN TXT (", k->selector, domain);
    append_txt(out, buf_str(&value));
    buf_append_c(out, " )\n");
    return buf_check(out, "a DKIM record", err);
}

static int make_dkim(const struct stack_config *c, const char *domain, const struct stack_dkim *k,
                     struct err *err)
{
    own_buf struct buf path = BUF_INIT(8192);
    own_buf struct buf rest = BUF_INIT(1024);
    own_buf struct buf pem = BUF_INIT(KEYS_PEM_MAX);
    own_buf struct buf record = BUF_INIT(RECORD_MAX);
    own_pkey EVP_PKEY *key = NULL;

    buf_printf(&rest, "dkim/%s", domain);
    path_of(&path, c, buf_c(&rest));
    if (file_mkdir_p(AT_FDCWD, buf_c(&path), 0700, err) < 0)
        return -1;
    buf_printf(&path, "/%s.pem", k->selector);
    if (access(buf_c(&path), F_OK) < 0) {
        key = k->algorithm == STACK_ED25519 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
                                            : EVP_RSA_gen(RSA_BITS);
        if (!key)
            return ssl_err(err, "make a DKIM key");
        if (put_key(key, buf_c(&path), err) < 0)
            return -1;
    }
    if (file_read(AT_FDCWD, buf_c(&path), &pem, err) < 0 ||
        keys_dkim_record(domain, k, buf_str(&pem), &record, err) < 0)
        return err_wrap(err, "DKIM key '%s' of '%s'", k->selector, domain);
    buf_reset(&rest);
    buf_printf(&rest, "dkim/%s.%s.txt", domain, k->selector);
    path_of(&path, c, buf_c(&rest));
    if (access(buf_c(&path), F_OK) == 0)
        return 0;
    return file_replace(AT_FDCWD, buf_c(&path), buf_str(&record), 0644, err);
}

int keys_make(const struct stack_config *c, struct err *err)
{
    own_buf struct buf path = BUF_INIT(8192);

    path_of(&path, c, "tls");
    if (file_mkdir_p(AT_FDCWD, buf_c(&path), 0700, err) < 0)
        return -1;
    if (c->tls.mode == STACK_TLS_FILES) {
        if (check_files(c, err) < 0)
            return -1;
    } else if (!still_good(c) && make_cert(c, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < c->domains_n; i++)
        for (size_t k = 0; k < c->domains[i].dkim_n; k++)
            if (make_dkim(c, c->domains[i].name, &c->domains[i].dkim[k], err) < 0)
                return -1;
    return 0;
}

int keys_read_cert(const struct stack_config *c, struct buf *out, struct err *err)
{
    own_buf struct buf path = BUF_INIT(8192);

    path_of(&path, c, "tls/cert.pem");
    return file_read(AT_FDCWD, c->tls.cert ? c->tls.cert : buf_c(&path), out, err);
}

int keys_read_key(const struct stack_config *c, struct buf *out, struct err *err)
{
    own_buf struct buf path = BUF_INIT(8192);

    path_of(&path, c, "tls/key.pem");
    return file_read(AT_FDCWD, c->tls.key ? c->tls.key : buf_c(&path), out, err);
}

int keys_read_dkim(const struct stack_config *c, const char *domain, const char *selector,
                   struct buf *out, struct err *err)
{
    own_buf struct buf path = BUF_INIT(8192);

    buf_printf(&path, "%s/dkim/%s/%s.pem", c->storage, domain, selector);
    return file_read(AT_FDCWD, buf_c(&path), out, err);
}
