/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/auth/password.h"

#include <crypt.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"

#define DIGEST_TEXT_MAX 1024

enum kind {
    KIND_CRYPT,
    KIND_PLAIN,
    KIND_DIGEST
};

struct scheme {
    struct str name;
    enum kind kind;
    const EVP_MD *(*md)(void);
};

static const struct scheme schemes[] = {
    {STR_INIT("CRYPT"), KIND_CRYPT, NULL},          {STR_INIT("BLF-CRYPT"), KIND_CRYPT, NULL},
    {STR_INIT("SHA256-CRYPT"), KIND_CRYPT, NULL},   {STR_INIT("SHA512-CRYPT"), KIND_CRYPT, NULL},
    {STR_INIT("MD5-CRYPT"), KIND_CRYPT, NULL},      {STR_INIT("DES-CRYPT"), KIND_CRYPT, NULL},
    {STR_INIT("PLAIN"), KIND_PLAIN, NULL},          {STR_INIT("CLEAR"), KIND_PLAIN, NULL},
    {STR_INIT("CLEARTEXT"), KIND_PLAIN, NULL},      {STR_INIT("SHA"), KIND_DIGEST, EVP_sha1},
    {STR_INIT("SSHA"), KIND_DIGEST, EVP_sha1},      {STR_INIT("SHA256"), KIND_DIGEST, EVP_sha256},
    {STR_INIT("SSHA256"), KIND_DIGEST, EVP_sha256}, {STR_INIT("SHA512"), KIND_DIGEST, EVP_sha512},
    {STR_INIT("SSHA512"), KIND_DIGEST, EVP_sha512},
};

/* Splits "{SCHEME}rest"; without a scheme it is crypt's. NULL if the scheme is unknown. */
static const struct scheme *scheme_of(struct str stored, struct str *rest)
{
    struct str name;

    *rest = stored;
    if (!str_starts(stored, STR("{")))
        return &schemes[0];
    if (!str_cut(str_skip(stored, 1), '}', &name, rest))
        return NULL;
    for (size_t i = 0; i < ARRAY_N(schemes); i++) {
        if (str_ieq(name, schemes[i].name))
            return &schemes[i];
    }
    return NULL;
}

static bool is_locked(struct str stored)
{
    return stored.n == 0 || stored.p[0] == '!' || stored.p[0] == '*';
}

static bool same(struct str a, struct str b)
{
    return a.n == b.n && CRYPTO_memcmp(a.p, b.p, a.n) == 0;
}

static int check_crypt(const char *stored, struct str password, struct err *err)
{
    own_free char *phrase = str_dup_c(password, err);
    struct crypt_data *data;
    int match = -1;

    if (!phrase)
        return -1;
    data = mem_type(struct crypt_data);
    const char *got = crypt_rn(phrase, stored, data, (int)sizeof(*data));

    if (got)
        match = same(str_of(got), str_of(stored));
    else
        (void)err_set(err, errno, "a password hash that crypt does not understand");
    explicit_bzero(phrase, password.n);
    explicit_bzero(data, sizeof(*data));
    free(data);
    return match;
}

/* base64 of the digest of password and salt, the salt behind it (RFC 2307 and its later kin). */
static int check_digest(const EVP_MD *md, struct str text, struct str password, struct err *err)
{
    own_buf struct buf raw = BUF_INIT(DIGEST_TEXT_MAX);
    own_buf struct buf salted = BUF_INIT(DIGEST_TEXT_MAX * 2);
    unsigned char got[EVP_MAX_MD_SIZE];
    unsigned int got_n = 0;
    size_t n = (size_t)EVP_MD_get_size(md);

    if (buf_append_unbase64(&raw, text, err) < 0)
        return err_wrap(err, "password hash");
    if (raw.n < n)
        return err_set(err, 0, "a password hash too short for its scheme");
    buf_append(&salted, password);
    buf_append(&salted, str_skip(buf_str(&raw), n));
    if (buf_check(&salted, "password", err) < 0)
        return -1;
    if (!EVP_Digest(salted.p, salted.n, got, &got_n, md, NULL))
        return err_set(err, 0, "compute a digest");
    if (salted.p)
        explicit_bzero(salted.p, salted.n);
    return same((struct str){(const char *)got, got_n}, str_head(buf_str(&raw), n));
}

int password_check(const char *stored, struct str password, struct err *err)
{
    struct str rest;
    const struct scheme *s = scheme_of(str_of(stored), &rest);

    if (!s)
        return err_set(err, 0, "a password of an unknown scheme");
    if (is_locked(rest))
        return 0;
    if (s->kind == KIND_PLAIN)
        return same(rest, password);
    if (s->kind == KIND_DIGEST)
        return check_digest(s->md(), rest, password, err);
    return check_crypt(rest.p, password, err);
}

int password_is_known(const char *stored, struct err *err)
{
    struct str rest;
    const struct scheme *s = scheme_of(str_of(stored), &rest);

    if (!s)
        return err_set(err, 0, "a password of an unknown scheme");
    if (is_locked(rest) || s->kind != KIND_CRYPT)
        return 0;
    int r = crypt_checksalt(rest.p);

    if (r == CRYPT_SALT_INVALID || r == CRYPT_SALT_METHOD_DISABLED)
        return err_set(err, 0, "a password hash that crypt does not understand");
    return 0;
}

const char *password_dummy(void)
{
    return "$y$j9T$QUvLzlTbX0CIb3dkkXY1z.$UkKLhvmyNvsPVxYqrIYbZl5i6hOgcHF0J8Czow8T5C.";
}
