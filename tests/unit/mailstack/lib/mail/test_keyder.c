/* SPDX-License-Identifier: Apache-2.0 */
/* The keys here were made for this test; one of 512 bits protects nothing. */
#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/keyder.h"

#include "tests/lib/test.h"

static const char pkcs8[] = "-----BEGIN PRIVATE KEY-----\n"
                            "MIIBVQIBADANBgkqhkiG9w0BAQEFAASCAT8wggE7AgEAAkEA6WSqFulQ78wlUAMC\n"
                            "lvvwBAZO2djXiRc5N3yuz2yE0UcpHId3fixLvtMwRbwcxNjxzkbnNqkzQCzfo6nf\n"
                            "8YhpeQIDAQABAkEA0bYA2ztj3UQa1s0Nm6re3E7qtPYRnP4ADGp9DKYepYdLCcUz\n"
                            "XJZXlZ3PGplHujau9caLNic5XTG5RDxtGKArgQIhAPfigbDErwweX21O9/4l7EVH\n"
                            "Ay+7fbcUG0B/HNOrGiMpAiEA8Qi0pW3wS4RPcyDPxNwZGkmI7id6WOsBsglOxpDX\n"
                            "rdECIA19348udVSUhp8dcDP9/mka31qGuuXvCziscnY21tpZAiEAg4EobglpTQpG\n"
                            "/p0sPk+HMpxkJOtNCS5OooAJhrSHt8ECIEb4Pop8ui4sUeP1znsnXkpCbAw+zvWB\n"
                            "XA5MWIkv5A+V\n"
                            "-----END PRIVATE KEY-----\n";

static const char traditional[] =
    "-----BEGIN RSA PRIVATE KEY-----\n"
    "MIIBOwIBAAJBAOlkqhbpUO/MJVADApb78AQGTtnY14kXOTd8rs9shNFHKRyHd34s\n"
    "S77TMEW8HMTY8c5G5zapM0As36Op3/GIaXkCAwEAAQJBANG2ANs7Y91EGtbNDZuq\n"
    "3txO6rT2EZz+AAxqfQymHqWHSwnFM1yWV5WdzxqZR7o2rvXGizYnOV0xuUQ8bRig\n"
    "K4ECIQD34oGwxK8MHl9tTvf+JexFRwMvu323FBtAfxzTqxojKQIhAPEItKVt8EuE\n"
    "T3Mgz8TcGRpJiO4neljrAbIJTsaQ163RAiANfd+PLnVUlIafHXAz/f5pGt9ahrrl\n"
    "7ws4rHJ2NtbaWQIhAIOBKG4JaU0KRv6dLD5PhzKcZCTrTQkuTqKACYa0h7fBAiBG\n"
    "+D6KfLouLFHj9c57J15KQmwMPs71gVwOTFiJL+QPlQ==\n"
    "-----END RSA PRIVATE KEY-----\n";

static const char ed25519[] = "-----BEGIN PRIVATE KEY-----\n"
                              "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
                              "-----END PRIVATE KEY-----\n";

static const struct str spki =
    STR_INIT("\x30\x5c\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x03\x4b\x00\x30"
             "\x48\x02\x41\x00\xe9\x64\xaa\x16\xe9\x50\xef\xcc\x25\x50\x03\x02\x96\xfb\xf0\x04\x06"
             "\x4e\xd9\xd8\xd7\x89\x17\x39\x37\x7c\xae\xcf\x6c\x84\xd1\x47\x29\x1c\x87\x77\x7e\x2c"
             "\x4b\xbe\xd3\x30\x45\xbc\x1c\xc4\xd8\xf1\xce\x46\xe7\x36\xa9\x33\x40\x2c\xdf\xa3\xa9"
             "\xdf\xf1\x88\x69\x79\x02\x03\x01\x00\x01");

static const struct str bare =
    STR_INIT("\x30\x48\x02\x41\x00\xe9\x64\xaa\x16\xe9\x50\xef\xcc\x25\x50\x03\x02\x96\xfb\xf0\x04"
             "\x06\x4e\xd9\xd8\xd7\x89\x17\x39\x37\x7c\xae\xcf\x6c\x84\xd1\x47\x29\x1c\x87\x77\x7e"
             "\x2c\x4b\xbe\xd3\x30\x45\xbc\x1c\xc4\xd8\xf1\xce\x46\xe7\x36\xa9\x33\x40\x2c\xdf\xa3"
             "\xa9\xdf\xf1\x88\x69\x79\x02\x03\x01\x00\x01");

static void both_forms_of_a_private_key_are_the_same_numbers(void **state)
{
    own_buf struct buf a = BUF_INIT(8192);
    own_buf struct buf b = BUF_INIT(8192);
    struct keyder x, y;
    struct err err = {0};

    (void)state;
    assert_ok(keyder_unpem(str_of(pkcs8), &a, &err), &err);
    assert_ok(keyder_unpem(str_of(traditional), &b, &err), &err);
    assert_ok(keyder_private(buf_str(&a), &x, &err), &err);
    assert_ok(keyder_private(buf_str(&b), &y, &err), &err);
    assert_true(x.kind == KEYDER_RSA && y.kind == KEYDER_RSA);
    assert_int_equal(keyder_bits(&x), 512);
    for (size_t i = 0; i < KEYDER_NUMBERS; i++)
        assert_true(x.rsa[i].n > 0 && str_eq(x.rsa[i], y.rsa[i]));
}

static void both_forms_of_a_public_key_are_the_private_one_s(void **state)
{
    own_buf struct buf a = BUF_INIT(8192);
    struct keyder x, y, z;
    struct err err = {0};

    (void)state;
    assert_ok(keyder_unpem(str_of(pkcs8), &a, &err), &err);
    assert_ok(keyder_private(buf_str(&a), &x, &err), &err);
    assert_ok(keyder_public(spki, &y, &err), &err);
    assert_ok(keyder_public(bare, &z, &err), &err);
    for (size_t i = 0; i < 2; i++)
        assert_true(str_eq(x.rsa[i], y.rsa[i]) && str_eq(x.rsa[i], z.rsa[i]));
    assert_int_equal(y.rsa[1].n, 3);
    assert_memory_equal(y.rsa[1].p, "\x01\x00\x01", 3);
}

static void ed25519_is_a_seed(void **state)
{
    own_buf struct buf a = BUF_INIT(8192);
    struct keyder k;
    struct err err = {0};

    (void)state;
    assert_ok(keyder_unpem(str_of(ed25519), &a, &err), &err);
    assert_ok(keyder_private(buf_str(&a), &k, &err), &err);
    assert_int_equal(k.kind, KEYDER_ED25519);
    assert_memory_equal(k.seed.p, "\x9d\x61\xb1\x9d\xef\xfd\x5a\x60", 8);
    assert_int_equal(keyder_bits(&k), 0);
}

/* Neither a shorter nor a longer key is one, and no byte of the form may change. */
static void damaged_der_is_refused(void **state)
{
    own_buf struct buf longer = BUF_INIT(8192);
    struct keyder k;
    struct err err = {0};

    (void)state;
    for (size_t n = 0; n < spki.n; n++)
        assert_int_equal(keyder_public(str_head(spki, n), &k, &err), -1);
    for (size_t i = 0; i < 24; i++) {
        buf_reset(&longer);
        buf_append(&longer, spki);
        longer.p[i] ^= 1;
        assert_int_equal(keyder_public(buf_str(&longer), &k, &err), -1);
    }
    buf_reset(&longer);
    buf_append(&longer, spki);
    buf_append_char(&longer, '\0');
    assert_int_equal(keyder_public(buf_str(&longer), &k, &err), -1);
    assert_int_equal(keyder_private(spki, &k, &err), -1);
    /* An indefinite length, one that could be shorter, a negative number, a zero too many. */
    assert_int_equal(keyder_public(STR("\x30\x80\x02\x01\x05\x02\x01\x03\0\0"), &k, &err), -1);
    assert_int_equal(keyder_public(STR("\x30\x81\x06\x02\x01\x05\x02\x01\x03"), &k, &err), -1);
    assert_int_equal(keyder_public(STR("\x30\x06\x02\x01\x85\x02\x01\x03"), &k, &err), -1);
    assert_int_equal(keyder_public(STR("\x30\x07\x02\x02\0\x05\x02\x01\x03"), &k, &err), -1);
    assert_ok(keyder_public(STR("\x30\x06\x02\x01\x05\x02\x01\x03"), &k, &err), &err);
    assert_int_equal(keyder_bits(&k), 3);
}

static void other_pem_is_refused(void **state)
{
    static const char *const bad[] = {
        "", "-----BEGIN PRIVATE KEY-----\nQUJD\n",
        "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n",
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nQUJD\n-----END RSA PRIVATE KEY-----\n",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nQUJD\n-----END ENCRYPTED PRIVATE KEY-----\n"};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        own_buf struct buf der = BUF_INIT(8192);
        struct err err = {0};

        assert_int_equal(keyder_unpem(str_of(bad[i]), &der, &err), -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_forms_of_a_private_key_are_the_same_numbers),
        cmocka_unit_test(both_forms_of_a_public_key_are_the_private_one_s),
        cmocka_unit_test(ed25519_is_a_seed),
        cmocka_unit_test(damaged_der_is_refused),
        cmocka_unit_test(other_pem_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
