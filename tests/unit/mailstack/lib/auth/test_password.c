/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "runtime/base/err.h"

#include "mailstack/lib/auth/password.h"

#include "tests/lib/test.h"

static int check(const char *stored, struct str password)
{
    struct err err = {0};
    int r = password_check(stored, password, &err);

    assert_int_equal(r < 0, err.text[0] != '\0');
    return r;
}

/* Hashes of "secret" that other programs made. */
static void every_scheme_knows_its_password(void **state)
{
    static const char *const cases[] = {
        "{PLAIN}secret",
        "{plain}secret",
        "{CLEAR}secret",
        "{CLEARTEXT}secret",
        "{SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0",
        "{SSHA256}xEx73dsPebGdgX7OANtOqeB4uuqPc9mAI2d+SoujMVkAc2FsdA==", /* a salt with a NUL */
        "{SSHA512}vASr6xorRx8UvJZsrX+P8kVjHSESPRV84Xgp1Fm/jdGTDxT6J/Y6fUWqENJ2IMd8zK4rybQ3QqpcMeXF"
        "R550Gnh5",
        "{SHA512}vSsar3708Jvp9Szi2NWZZ02Bqp1qRCFpbcTZPdBhnWgs5WtNZKnvCXdhztmeD2cmW192CF5bDufKRpayrW"
        "/isg==",
        "$6$rounds=1000$saltsalt$LAV5VE5Y7w1d73x1mFNspYWUpazfmwv2SoepNXNKJ/otop/"
        "Zok96Hr8Q13LEv0DRY/x8v0/crpIjl8NJSAqXV/",
        "{SHA512-CRYPT}$6$rounds=1000$saltsalt$LAV5VE5Y7w1d73x1mFNspYWUpazfmwv2SoepNXNKJ/otop/"
        "Zok96Hr8Q13LEv0DRY/x8v0/crpIjl8NJSAqXV/",
        "{CRYPT}$5$rounds=1000$saltsalt$eKLZU9t9OoPWrqOQsoTIKG0aYkZ5rGOoOQhiIvoSWX2",
        "{BLF-CRYPT}$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW",
        "{MD5-CRYPT}$1$saltsalt$9xy1btjgzLYfb7hivXtC//",
        "$y$j9T$abcdefgh$IUWJt2doU4Kf6E/JP1UkAT3S5O3Q7SSA8SJirXIlEu9",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct err err = {0};

        assert_ok(password_is_known(cases[i], &err), &err);
        assert_int_equal(check(cases[i], STR("secret")), 1);
        assert_int_equal(check(cases[i], STR("secreT")), 0);
        assert_int_equal(check(cases[i], STR("secret ")), 0);
        assert_int_equal(check(cases[i], STR("")), 0);
    }
}

static void an_empty_password_is_one(void **state)
{
    (void)state;
    assert_int_equal(check("{SHA}2jmj7l5rSw0yVb/vlWAYkK/YBwk=", STR("")), 1);
    assert_int_equal(check("{SHA}2jmj7l5rSw0yVb/vlWAYkK/YBwk=", STR_NONE), 1);
    assert_int_equal(check("{SHA}2jmj7l5rSw0yVb/vlWAYkK/YBwk=", STR("x")), 0);
}

static void a_locked_one_matches_nothing(void **state)
{
    static const char *const cases[] = {"",        "!",        "*",         "!!",      "!$6$x$y",
                                        "{PLAIN}", "{PLAIN}!", "{PLAIN}*x", "{SSHA}*", "{CRYPT}!"};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct err err = {0};

        assert_ok(password_is_known(cases[i], &err), &err);
        assert_int_equal(check(cases[i], STR("")), 0);
        assert_int_equal(check(cases[i], str_of(cases[i])), 0);
        assert_int_equal(check(cases[i], STR("!")), 0);
    }
}

static void what_cannot_be_understood_is_an_error(void **state)
{
    static const char *const cases[] = {
        "{NOSUCH}x", "{PLAIN", "{}x", "{PLAIN }x", "$nosuch$x", "{CRYPT}plain text", "{CRYPT}$6"};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct err err = {0};

        assert_int_equal(check(cases[i], STR("x")), -1);
        assert_int_equal(password_is_known(cases[i], &err), -1);
    }
    assert_int_equal(check("{SHA}!@#", STR("x")), 0);        /* locked */
    assert_int_equal(check("{SHA}@#", STR("x")), -1);        /* not base64 */
    assert_int_equal(check("{SSHA}c2hvcnQ=", STR("x")), -1); /* shorter than the digest */
    assert_int_equal(check("{SHA512}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0", STR("x")), -1);
}

/* "secret" and a NUL must not pass for "secret" in a C string. */
static void a_nul_hides_nothing(void **state)
{
    (void)state;
    assert_int_equal(check("{PLAIN}secret", STR("secret\0x")), 0);
    assert_int_equal(check("{SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0", STR("secret\0x")), 0);
    assert_int_not_equal(check("{MD5-CRYPT}$1$saltsalt$9xy1btjgzLYfb7hivXtC//", STR("secret\0x")),
                         1);
}

static void the_dummy_costs_and_matches_nothing(void **state)
{
    struct err err = {0};

    (void)state;
    assert_ok(password_is_known(password_dummy(), &err), &err);
    assert_int_equal(strncmp(password_dummy(), "$y$j9T$", 7), 0);
    assert_int_equal(check(password_dummy(), STR("")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_scheme_knows_its_password),
        cmocka_unit_test(an_empty_password_is_one),
        cmocka_unit_test(a_locked_one_matches_nothing),
        cmocka_unit_test(what_cannot_be_understood_is_an_error),
        cmocka_unit_test(a_nul_hides_nothing),
        cmocka_unit_test(the_dummy_costs_and_matches_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
