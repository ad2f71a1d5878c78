/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "runtime/base/err.h"

#include "tests/lib/test.h"

static void a_code_appends_its_description(void **state)
{
    struct err err;

    (void)state;
    assert_int_equal(err_set(&err, ENOENT, "open '%s'", "/x"), -1);
    assert_int_equal(err.code, ENOENT);
    assert_string_equal(err.text, "open '/x': no such file or directory");
    (void)err_set(&err, 0, "no cause");
    assert_string_equal(err.text, "no cause");
    (void)err_set(&err, 99999, "odd");
    assert_string_equal(err.text, "odd: error 99999");
}

static void wrapping_puts_context_in_front_and_keeps_the_code(void **state)
{
    struct err err;

    (void)state;
    (void)err_set(&err, EACCES, "open");
    assert_int_equal(err_wrap(&err, "create container '%s'", "web"), -1);
    assert_string_equal(err.text, "create container 'web': open: permission denied");
    assert_int_equal(err.code, EACCES);
}

static void errno_is_left_alone(void **state)
{
    struct err err;

    (void)state;
    errno = EBUSY;
    (void)err_set(&err, ENOENT, "x");
    (void)err_wrap(&err, "y");
    assert_int_equal(errno, EBUSY);
}

static void any_length_ends_terminated_and_a_cut_ends_in_dots(void **state)
{
    char fill[ERR_TEXT_MAX + 64];
    struct err err;

    (void)state;
    memset(fill, 'a', sizeof(fill));
    for (size_t n = ERR_TEXT_MAX - 40; n < ERR_TEXT_MAX + 40; n++) {
        size_t got;

        (void)err_set(&err, ENOENT, "%.*s", (int)n, fill);
        got = strlen(err.text);
        assert_true(got < ERR_TEXT_MAX);
        if (n + strlen(": no such file or directory") >= ERR_TEXT_MAX)
            assert_string_equal(err.text + got - 3, "...");
        else
            assert_int_equal(got, n + strlen(": no such file or directory"));
    }
}

static void an_argument_may_look_into_the_text_itself(void **state)
{
    struct err err;

    (void)state;
    (void)err_set(&err, 0, "inner");
    (void)err_set(&err, 0, "outer (%s)", err.text);
    assert_string_equal(err.text, "outer (inner)");
    (void)err_wrap(&err, "%s", err.text);
    assert_string_equal(err.text, "outer (inner): outer (inner)");
    err_reset(&err);
    assert_string_equal(err.text, "");
    assert_int_equal(err.code, 0);
}

static void a_peer_is_not_told_the_description(void **state)
{
    struct err err = {0};

    (void)state;
    assert_int_equal(err_plain_n(&err), 0);
    (void)err_set(&err, EINVAL, "path without '<'");
    assert_int_equal(err_plain_n(&err), strlen("path without '<'"));
    (void)err_wrap(&err, "sender");
    assert_int_equal(err_plain_n(&err), strlen("sender: path without '<'"));
    (void)err_set(&err, 0, "the value: Invalid argument");
    assert_int_equal(err_plain_n(&err), strlen(err.text));
    (void)err_set(&err, ENOENT, "%s", "");
    assert_int_equal(err_plain_n(&err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_code_appends_its_description),
        cmocka_unit_test(wrapping_puts_context_in_front_and_keeps_the_code),
        cmocka_unit_test(errno_is_left_alone),
        cmocka_unit_test(any_length_ends_terminated_and_a_cut_ends_in_dots),
        cmocka_unit_test(an_argument_may_look_into_the_text_itself),
        cmocka_unit_test(a_peer_is_not_told_the_description),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
