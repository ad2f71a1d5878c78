/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA256_Update rather than EVP: linked statically, EVP brings the providers, and with them dlopen
 * and the resolver, to a program that wants one sum (5 MB instead of 40 kB). The functions are
 * deprecated for what has to follow a policy of algorithms; the name of a blob has not.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "images/lib/digest.h"

#include <assert.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/mem.h"

void digest_init(struct digest *d)
{
    d->ctx = mem_new(sizeof(SHA256_CTX));
    int ok = SHA256_Init(d->ctx);
    assert(ok == 1);
}

void digest_done(struct digest *d)
{
    free(d->ctx);
    d->ctx = NULL;
}

void digest_add(struct digest *d, struct str bytes)
{
    int ok = SHA256_Update(d->ctx, bytes.p, bytes.n);

    assert(ok == 1);
}

void digest_text(struct digest *d, char out[DIGEST_TEXT_MAX])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char sum[SHA256_DIGEST_LENGTH];
    int ok = SHA256_Final(sum, d->ctx);

    assert(ok == 1);
    memcpy(out, "sha256:", DIGEST_PREFIX_N);
    for (size_t i = 0; i < sizeof sum; i++) {
        out[DIGEST_PREFIX_N + 2 * i] = digits[sum[i] >> 4];
        out[DIGEST_PREFIX_N + 2 * i + 1] = digits[sum[i] & 15];
    }
    out[DIGEST_TEXT_MAX - 1] = '\0';
}

void digest_of(struct str bytes, char out[DIGEST_TEXT_MAX])
{
    struct digest d;

    digest_init(&d);
    digest_add(&d, bytes);
    digest_text(&d, out);
    digest_done(&d);
}

static bool is_lower_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

bool digest_is_sound(struct str text)
{
    if (text.n != DIGEST_TEXT_MAX - 1 || !str_starts(text, STR("sha256:")))
        return false;
    for (size_t i = DIGEST_PREFIX_N; i < text.n; i++)
        if (!is_lower_hex(text.p[i]))
            return false;
    return true;
}

const char *digest_hex(const char *text)
{
    return text + DIGEST_PREFIX_N;
}
