/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/lib/proto/sasl.h"

#include "tests/lib/test.h"

/* A PLAIN response of these bytes, as initial response. */
static enum sasl_result plain(struct sasl *s, struct str raw, struct err *err)
{
    own_buf struct buf b = BUF_INIT(4 * SASL_RESPONSE_MAX);

    buf_append_base64(&b, raw);
    return sasl_begin(s, SASL_PLAIN, buf_str(&b), err);
}

static void plain_gives_user_and_password(void **state)
{
    struct sasl s;
    struct err err = {0};

    (void)state;
    assert_int_equal(plain(&s, STR("\0al@example.org\0p w"), &err), SASL_DONE);
    assert_str(sasl_user(&s), "al@example.org");
    assert_str(sasl_password(&s), "p w");
    assert_int_equal(plain(&s, STR("AL@example.org\0al@example.org\0x"), &err), SASL_DONE);
    assert_int_equal(plain(&s, STR("\0al\0"), &err), SASL_DONE);
    assert_int_equal(sasl_password(&s).n, 0);
    assert_int_equal(sasl_begin(&s, SASL_PLAIN, STR_NONE, &err), SASL_CHALLENGE);
    assert_string_equal(s.challenge, "");
    assert_int_equal(sasl_feed(&s, STR("AGEAYg=="), &err), SASL_DONE);
    assert_str(sasl_user(&s), "a");
    assert_str(sasl_password(&s), "b");
}

static void login_asks_twice(void **state)
{
    struct sasl s;
    struct err err = {0};

    (void)state;
    assert_int_equal(sasl_begin(&s, SASL_LOGIN, STR_NONE, &err), SASL_CHALLENGE);
    assert_string_equal(s.challenge, "VXNlcm5hbWU6");
    assert_int_equal(sasl_feed(&s, STR("YWxpY2U="), &err), SASL_CHALLENGE);
    assert_string_equal(s.challenge, "UGFzc3dvcmQ6");
    assert_int_equal(sasl_feed(&s, STR("c2VjcmV0"), &err), SASL_DONE);
    assert_str(sasl_user(&s), "alice");
    assert_str(sasl_password(&s), "secret");
    /* The user name as initial response, as some clients send it. */
    assert_int_equal(sasl_begin(&s, SASL_LOGIN, STR("YWxpY2U="), &err), SASL_CHALLENGE);
    assert_string_equal(s.challenge, "UGFzc3dvcmQ6");
    assert_int_equal(sasl_feed(&s, STR(""), &err), SASL_DONE);
    assert_int_equal(sasl_password(&s).n, 0);
}

static void what_is_malformed_is_refused(void **state)
{
    static const struct str raw[] = {
        STR_INIT("a"),
        STR_INIT("\0a"),
        STR_INIT("\0\0"),
        STR_INIT("\0\0p"),
        STR_INIT("\0a\0b\0c"),
        STR_INIT("eve\0alice\0p"),
        STR_INIT("alic\0alice\0p"),
    };
    static const char *const base64[] = {
        "AGEAYg=", "AGEAYg", "AGEAYg==\r", " AGEAYg==", "AGEAYh==", "!", "AG\tEAYg=="};
    struct sasl s;

    (void)state;
    for (size_t i = 0; i < ARRAY_N(raw); i++) {
        struct err err = {0};

        assert_int_equal(plain(&s, raw[i], &err), SASL_ERROR);
        assert_true(err.text[0] != '\0');
    }
    for (size_t i = 0; i < ARRAY_N(base64); i++) {
        struct err err = {0};

        assert_int_equal(sasl_begin(&s, SASL_PLAIN, str_of(base64[i]), &err), SASL_ERROR);
    }
}

static void an_empty_initial_response_is_not_none(void **state)
{
    struct sasl s;
    struct err err = {0};

    (void)state;
    assert_int_equal(sasl_begin(&s, SASL_PLAIN, STR("="), &err), SASL_ERROR);
    assert_int_equal(sasl_begin(&s, SASL_LOGIN, STR("="), &err), SASL_ERROR);
    assert_err(&err, "empty user name");
}

static void the_client_may_give_up(void **state)
{
    struct sasl s;
    struct err err = {0};

    (void)state;
    assert_int_equal(sasl_begin(&s, SASL_LOGIN, STR_NONE, &err), SASL_CHALLENGE);
    assert_int_equal(sasl_feed(&s, STR("*"), &err), SASL_ERROR);
    assert_int_equal(err.code, ECANCELED);
    assert_true(sasl_is_cancel(STR("*")));
    assert_false(sasl_is_cancel(STR("**")));
    assert_false(sasl_is_cancel(STR("")));
}

static void values_and_responses_have_limits(void **state)
{
    static char text[2 * SASL_RESPONSE_MAX];
    own_buf struct buf b = BUF_INIT(4096);
    struct sasl s;
    struct err err = {0};

    (void)state;
    memset(text, 'A', sizeof(text));
    for (size_t n = SASL_VALUE_MAX; n <= SASL_VALUE_MAX + 1; n++) {
        enum sasl_result want = n <= SASL_VALUE_MAX ? SASL_DONE : SASL_ERROR;

        buf_reset(&b);
        buf_append(&b, STR("\0u\0"));
        buf_append_n(&b, text, n);
        assert_int_equal(plain(&s, buf_str(&b), &err), want);
        buf_reset(&b);
        buf_append_char(&b, '\0');
        buf_append_n(&b, text, n);
        buf_append(&b, STR("\0p"));
        assert_int_equal(plain(&s, buf_str(&b), &err), want);
    }
    assert_int_equal(sasl_begin(&s, SASL_LOGIN, STR_NONE, &err), SASL_CHALLENGE);
    assert_int_equal(sasl_feed(&s, (struct str){text, SASL_RESPONSE_MAX + 4}, &err), SASL_ERROR);
    assert_err(&err, "a response of more than");
}

static void nothing_is_left_behind(void **state)
{
    static const char zeros[SASL_VALUE_MAX];
    struct sasl s;
    struct err err = {0};

    (void)state;
    assert_int_equal(plain(&s, STR("\0alice\0secret"), &err), SASL_DONE);
    sasl_done(&s);
    assert_memory_equal(s.password, zeros, sizeof(s.password));
    assert_memory_equal(s.user, zeros, sizeof(s.user));
    assert_int_equal(sasl_password(&s).n, 0);
}

static void mechanisms_are_known_by_name(void **state)
{
    enum sasl_mech mech = SASL_LOGIN;

    (void)state;
    assert_true(sasl_mech_parse(STR("plain"), &mech) && mech == SASL_PLAIN);
    assert_true(sasl_mech_parse(STR("LOGIN"), &mech) && mech == SASL_LOGIN);
    assert_false(sasl_mech_parse(STR("PLAIN "), &mech));
    assert_false(sasl_mech_parse(STR("CRAM-MD5"), &mech));
    assert_false(sasl_mech_parse(STR(""), &mech));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_gives_user_and_password),
        cmocka_unit_test(login_asks_twice),
        cmocka_unit_test(what_is_malformed_is_refused),
        cmocka_unit_test(an_empty_initial_response_is_not_none),
        cmocka_unit_test(the_client_may_give_up),
        cmocka_unit_test(values_and_responses_have_limits),
        cmocka_unit_test(nothing_is_left_behind),
        cmocka_unit_test(mechanisms_are_known_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
