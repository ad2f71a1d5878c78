/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/file.h"

#include "mailstack/lib/store/quota.h"

#include "tests/lib/mailroot.h"
#include "tests/lib/test.h"

static struct quota get(struct mailroot *r, uint64_t told, uint64_t dflt)
{
    struct err err = {0};
    struct quota q = {0};

    assert_int_equal(quota_get(r->home_fd, told, dflt, &q, &err), 0);
    return q;
}

static void the_limit_told_last_stands(void **state)
{
    assert_int_equal(get(*state, QUOTA_NOT_TOLD, 500).limit, 500);
    assert_int_equal(get(*state, 700, 500).limit, 700);
    assert_int_equal(get(*state, QUOTA_NOT_TOLD, 500).limit, 700);
    assert_int_equal(get(*state, 0, 500).limit, 0);
}

static void the_first_sum_is_taken_from_the_directories(void **state)
{
    struct mailroot *r = *state;
    struct quota q;

    (void)mailroot_deliver(r, "INBOX", "12345678\n");
    (void)mailroot_deliver(r, "Sent", "1\n");
    mailroot_put(r, "cur/1.foreign:2,", "1234");
    q = get(r, QUOTA_NOT_TOLD, 0);
    assert_int_equal(q.used, 15);
    assert_int_equal(q.count, 3);
}

static void what_does_not_fit_is_refused_and_changes_nothing(void **state)
{
    struct mailroot *r = *state;
    struct err err = {0};

    assert_int_equal(quota_reserve(r->home_fd, 100, 0, 60, &err), 0);
    assert_int_equal(quota_reserve(r->home_fd, 100, 0, 41, &err), -1);
    assert_int_equal(err.code, EDQUOT);
    assert_int_equal(quota_reserve(r->home_fd, 100, 0, UINT64_MAX, &err), -1);
    assert_int_equal(quota_reserve(r->home_fd, 100, 0, 40, &err), 0);
    assert_int_equal(quota_add(r->home_fd, 0, -60, -1, &err), 0);
    assert_int_equal(get(r, QUOTA_NOT_TOLD, 0).used, 40);
    assert_int_equal(get(r, QUOTA_NOT_TOLD, 0).count, 1);
}

static void deliveries_at_the_same_time_cannot_exceed_it_together(void **state)
{
    enum {
        PROCESSES = 4,
        TRIES = 100
    };
    struct mailroot *r = *state;
    int got = 0;

    for (int p = 0; p < PROCESSES; p++) {
        if (fork() == 0) {
            int n = 0;

            for (int i = 0; i < TRIES; i++) {
                struct err err = {0};

                n += quota_reserve(r->home_fd, 1000, 0, 10, &err) == 0;
            }
            _exit(n);
        }
    }
    for (int p = 0; p < PROCESSES; p++) {
        int status;

        assert_true(wait(&status) > 0);
        got += WEXITSTATUS(status);
    }
    assert_int_equal(got, 100);
    assert_int_equal(get(r, QUOTA_NOT_TOLD, 0).used, 1000);
}

static void a_long_or_broken_file_is_counted_anew(void **state)
{
    static const char *const broken[] = {"nonsense", "100S\n5 x\n", "100S\n-5 -1\n", "100C\n1 1\n",
                                         "100S\n9223372036854775807 1\n9223372036854775807 1\n"};
    struct mailroot *r = *state;
    struct stat st;

    for (size_t i = 0; i < ARRAY_N(broken); i++) {
        mailroot_put(r, QUOTA_FILE, broken[i]);
        assert_int_equal(get(r, QUOTA_NOT_TOLD, 0).used, 0);
    }
    for (int i = 0; i < 2000; i++) {
        struct err err = {0};

        assert_int_equal(quota_add(r->home_fd, 0, 1, 0, &err), 0);
    }
    assert_int_equal(fstatat(r->home_fd, QUOTA_FILE, &st, 0), 0);
    assert_true(st.st_size <= QUOTA_FILE_MAX + 64);
}

#define WITH_ROOT(test) cmocka_unit_test_setup_teardown(test, mailroot_setup, mailroot_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ROOT(the_limit_told_last_stands),
        WITH_ROOT(the_first_sum_is_taken_from_the_directories),
        WITH_ROOT(what_does_not_fit_is_refused_and_changes_nothing),
        WITH_ROOT(deliveries_at_the_same_time_cannot_exceed_it_together),
        WITH_ROOT(a_long_or_broken_file_is_counted_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
