/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/filterd/crypto.h"

#include "tests/lib/test.h"

/* A private key in PEM form, and the public one as a key record has it. */
static void make(EVP_PKEY *pkey, struct buf *pem, struct dkim_key *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    unsigned char *der = NULL;
    long n;

    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL), 1);
    n = BIO_get_mem_data(bio, &text);
    buf_append(pem, (struct str){text, (size_t)n});
    BIO_free(bio);
    *key = (struct dkim_key){.kind = DKIM_KEY_ED25519, .bytes_n = 32};
    if (EVP_PKEY_get_base_id(pkey) == EVP_PKEY_ED25519) {
        assert_int_equal(EVP_PKEY_get_raw_public_key(pkey, key->bytes, &key->bytes_n), 1);
    } else {
        key->kind = DKIM_KEY_RSA;
        key->bytes_n = (size_t)i2d_PUBKEY(pkey, &der);
        memcpy(key->bytes, der, key->bytes_n);
        OPENSSL_free(der);
    }
    EVP_PKEY_free(pkey);
}

static void round_trip(EVP_PKEY *pkey, enum dkim_algorithm algorithm, unsigned want_bits)
{
    own_buf struct buf pem = BUF_INIT(8192);
    own_buf struct buf signature = BUF_INIT(1024);
    unsigned char digest[DKIM_HASH_N], other[DKIM_HASH_N];
    struct dkim_key key;
    struct err err = {0};
    unsigned bits;

    make(pkey, &pem, &key);
    struct crypto_key *k = crypto_key_load(buf_str(&pem), algorithm, &err);

    assert_ok(k ? 0 : -1, &err);
    crypto_hash_all(STR("what is signed"), digest);
    crypto_hash_all(STR("something else"), other);
    assert_ok(crypto_sign(k, digest, &signature, &err), &err);
    assert_int_equal(crypto_verify(&key, digest, buf_str(&signature), &bits), CRYPTO_GOOD);
    assert_int_equal(bits, want_bits);
    assert_int_equal(crypto_verify(&key, other, buf_str(&signature), &bits), CRYPTO_BAD);
    signature.p[3] ^= 1;
    assert_int_equal(crypto_verify(&key, digest, buf_str(&signature), &bits), CRYPTO_BAD);
    assert_int_equal(crypto_verify(&key, digest, str_head(buf_str(&signature), 9), &bits),
                     CRYPTO_BAD);
    key.bytes_n--;
    assert_int_equal(crypto_verify(&key, digest, buf_str(&signature), &bits), CRYPTO_NO_KEY);
    crypto_key_free(k);
}

static void what_one_key_signs_the_other_verifies(void **state)
{
    (void)state;
    round_trip(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), DKIM_ED25519_SHA256, 256);
    round_trip(EVP_RSA_gen(2048), DKIM_RSA_SHA256, 2048);
}

static void weak_and_wrong_keys_are_refused(void **state)
{
    own_buf struct buf pem = BUF_INIT(8192);
    unsigned char digest[DKIM_HASH_N] = {0};
    struct dkim_key key;
    struct err err = {0};
    unsigned bits;

    (void)state;
    make(EVP_RSA_gen(768), &pem, &key);
    assert_int_equal(crypto_verify(&key, digest, STR("x"), &bits), CRYPTO_WEAK);
    assert_null(crypto_key_load(buf_str(&pem), DKIM_RSA_SHA256, &err));
    assert_err(&err, "less than 1024 bits");
    assert_null(crypto_key_load(buf_str(&pem), DKIM_ED25519_SHA256, &err));
    assert_err(&err, "not a key for ed25519-sha256");
    assert_null(crypto_key_load(STR("rubbish"), DKIM_RSA_SHA256, &err));
    assert_err(&err, "PEM");
}

static void pieces_hash_as_the_whole(void **state)
{
    unsigned char whole[DKIM_HASH_N], pieces[DKIM_HASH_N];
    struct crypto_hash *h = crypto_hash_new();

    (void)state;
    crypto_hash_all(STR("abc"), whole);
    crypto_hash_feed(h, STR("a"));
    crypto_hash_feed(h, STR(""));
    crypto_hash_feed(h, STR("bc"));
    crypto_hash_end(h, pieces);
    crypto_hash_free(h);
    assert_memory_equal(whole, pieces, DKIM_HASH_N);
    assert_memory_equal(whole, "\xba\x78\x16\xbf\x8f\x01\xcf\xea", 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_one_key_signs_the_other_verifies),
        cmocka_unit_test(weak_and_wrong_keys_are_refused),
        cmocka_unit_test(pieces_hash_as_the_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
