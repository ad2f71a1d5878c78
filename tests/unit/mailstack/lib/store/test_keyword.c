/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "runtime/base/err.h"

#include "mailstack/lib/store/keyword.h"

#include "tests/lib/mailroot.h"
#include "tests/lib/test.h"

static void a_name_keeps_its_letter_and_others_see_it(void **state)
{
    struct mailroot *r = *state;
    struct keywords a, b;
    struct err err = {0};
    uint32_t bit, again;

    assert_int_equal(keyword_load(&a, r->home_fd, &err), 0);
    assert_int_equal(keyword_load(&b, r->home_fd, &err), 0);
    assert_int_equal(keyword_add(&a, r->home_fd, STR("$Junk"), &bit, &err), 0);
    assert_int_equal(keyword_add(&b, r->home_fd, STR("$junk"), &again, &err), 0);
    assert_int_equal(bit, again);
    assert_int_equal(keyword_add(&b, r->home_fd, STR("other"), &again, &err), 0);
    assert_int_not_equal(bit, again);
    assert_int_equal(keyword_bit(&b, STR("unknown")), 0);
    keyword_done(&a);
    keyword_done(&b);
}

static void the_letters_run_out_with_an_error(void **state)
{
    struct mailroot *r = *state;
    struct keywords k;
    struct err err = {0};
    uint32_t bit, all = 0;

    assert_int_equal(keyword_load(&k, r->home_fd, &err), 0);
    for (int i = 0; i < MAILDIR_KEYWORDS; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "kw%d", i);
        assert_int_equal(keyword_add(&k, r->home_fd, str_of(name), &bit, &err), 0);
        all |= bit;
    }
    assert_int_equal(all, ~MAILDIR_SYSTEM);
    assert_int_equal(keyword_add(&k, r->home_fd, STR("one more"), &bit, &err), -1);
    assert_int_equal(err.code, ENOSPC);
    keyword_done(&k);
}

static void dovecots_file_is_read_and_rubbish_passed_over(void **state)
{
    struct mailroot *r = *state;
    struct keywords k;
    struct err err = {0};

    mailroot_put(r, KEYWORD_FILE, "0 $Forwarded\n3 NonJunk\nx y\n99 far\n3 twice\n\n4\n");
    assert_int_equal(keyword_load(&k, r->home_fd, &err), 0);
    assert_int_equal(keyword_bit(&k, STR("$Forwarded")), 1u << 6);
    assert_int_equal(keyword_bit(&k, STR("NonJunk")), 1u << 9);
    assert_int_equal(keyword_bit(&k, STR("twice")), 0);
    keyword_done(&k);
}

#define WITH_ROOT(test) cmocka_unit_test_setup_teardown(test, mailroot_setup, mailroot_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ROOT(a_name_keeps_its_letter_and_others_see_it),
        WITH_ROOT(the_letters_run_out_with_an_error),
        WITH_ROOT(dovecots_file_is_read_and_rubbish_passed_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
