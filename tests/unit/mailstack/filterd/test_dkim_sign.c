/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/filterd/crypto.h"
#include "mailstack/filterd/dkim_sign.h"
#include "mailstack/lib/mail/header.h"

#include "tests/lib/test.h"

/* The private key of RFC 8463's example, in PEM form. */
static const char pem[] = "-----BEGIN PRIVATE KEY-----\n"
                          "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
                          "-----END PRIVATE KEY-----\n";

static char *const domains[] = {(char[]){"example.org"}, (char[]){"eu.example.org"},
                                (char[]){"eu.example.org"}, (char[]){"other.org"}};

static void the_longest_domain_above_the_author_signs(void **state)
{
    struct dkim_sign_key keys[ARRAY_N(domains)];

    static const struct {
        const char *from;
        size_t n;
        size_t first;
    } rows[] = {{"example.org", 1, 0},    {"EU.Example.org", 2, 1}, {"x.eu.example.org", 2, 1},
                {"us.example.org", 1, 0}, {"aexample.org", 0, 0},   {"org", 0, 0}};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(keys); i++)
        keys[i] = (struct dkim_sign_key){.domain = domains[i]};
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct dkim_sign s;

        dkim_sign_init(&s, keys, ARRAY_N(keys), str_of(rows[i].from));
        assert_int_equal(s.n, rows[i].n);
        if (s.n > 0)
            assert_ptr_equal(s.keys[0], &keys[rows[i].first]);
        dkim_sign_done(&s);
    }
}

/* Ed25519 signs the same the same, so that the whole field is known. */
static void a_field_is_made_that_verifies(void **state)
{
    struct header_field fields[] = {
        {STR_INIT("From: a@example.org\r\n"), STR_INIT("From"), STR_INIT(" a@example.org")},
    };
    struct err err = {0};
    struct dkim_sign_key key = {
        .domain = domains[0], .selector = (char[]){"s1"}, .algorithm = DKIM_ED25519_SHA256};
    own_buf struct buf value = BUF_INIT(4096);
    own_buf struct buf again = BUF_INIT(4096);
    struct dkim_sign s;

    (void)state;
    key.key = crypto_key_load(str_of(pem), DKIM_ED25519_SHA256, &err);
    assert_ok(key.key ? 0 : -1, &err);
    dkim_sign_init(&s, &key, 1, STR("example.org"));
    dkim_sign_body(&s, STR("Hello.\r\n"));
    dkim_sign_end(&s);
    assert_ok(dkim_sign_make(&s, 0, (struct dkim_sign_fields){fields, 1}, 1234567890, &value, &err),
              &err);
    assert_ok(dkim_sign_make(&s, 0, (struct dkim_sign_fields){fields, 1}, 1234567890, &again, &err),
              &err);
    assert_str(buf_str(&value), buf_c(&again));
    assert_true(str_starts(buf_str(&value), STR(" v=1; a=ed25519-sha256; c=relaxed/relaxed;")));
    assert_true(str_find_str(buf_str(&value), STR("h=From:From;")) > 0);
    assert_int_equal(str_find(buf_str(&value), '\r'), -1);
    assert_false(str_ends(buf_str(&value), STR("\n")));
    dkim_sign_done(&s);
    crypto_key_free(key.key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_domain_above_the_author_signs),
        cmocka_unit_test(a_field_is_made_that_verifies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
