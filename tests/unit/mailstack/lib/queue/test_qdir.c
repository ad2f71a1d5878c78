/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "runtime/base/file.h"

#include "mailstack/lib/queue/qdir.h"

#include "tests/lib/fake_clock.h"
#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

static void put(int dir_fd, const char *name)
{
    struct err err = {0};

    assert_ok(file_put(dir_fd, name, STR("x"), 0600, &err), &err);
}

static int count(void *ctx, const char *id)
{
    (void)id;
    ++*(int *)ctx;
    return 0;
}

static int count_of(const struct qdir *q)
{
    struct err err = {0};
    int n = 0;

    assert_ok(qdir_scan(q, count, &n, &err), &err);
    return n;
}

static void what_was_not_promised_is_swept_at_start(void **state)
{
    struct tmpdir *t = *state;
    struct err err = {0};
    struct qdir q;

    assert_ok(qdir_open(&q, t->path, &err), &err);
    put(q.tmp_fd, "HALF");
    put(q.msg_fd, "WHOLE");
    qdir_close(&q);
    assert_ok(qdir_open(&q, t->path, &err), &err);
    assert_int_equal(faccessat(q.tmp_fd, "HALF", F_OK, 0), -1);
    assert_true(qdir_has(&q, "WHOLE"));
    assert_int_equal(count_of(&q), 1);
    qdir_close(&q);
}

static void one_process_has_the_spool(void **state)
{
    struct tmpdir *t = *state;
    struct err err = {0};
    struct qdir q;
    struct qdir other;

    assert_ok(qdir_open(&q, t->path, &err), &err);
    assert_int_equal(qdir_open(&other, t->path, &err), -1);
    assert_int_equal(err.code, EWOULDBLOCK);
    qdir_close(&q);
    assert_ok(qdir_open(&other, t->path, &err), &err);
    qdir_close(&other);
}

static void strangers_files_are_left_alone(void **state)
{
    struct tmpdir *t = *state;
    struct err err = {0};
    struct qdir q;

    assert_ok(qdir_open(&q, t->path, &err), &err);
    put(q.msg_fd, "lost+found");
    put(q.msg_fd, ".hidden");
    put(q.msg_fd, "GOOD");
    assert_int_equal(count_of(&q), 1);
    assert_ok(qdir_remove(&q, "GOOD", &err), &err);
    assert_ok(qdir_remove(&q, "GOOD", &err), &err); /* gone is gone */
    assert_int_equal(count_of(&q), 0);
    qdir_close(&q);
}

static void what_is_set_aside_is_not_seen_again(void **state)
{
    struct tmpdir *t = *state;
    struct err err = {0};
    struct qdir q;

    assert_ok(qdir_open(&q, t->path, &err), &err);
    put(q.msg_fd, "BAD");
    assert_ok(qdir_set_aside(&q, "BAD", &err), &err);
    assert_false(qdir_has(&q, "BAD"));
    assert_int_equal(faccessat(q.bad_fd, "BAD", F_OK, 0), 0);
    assert_int_equal(qdir_set_aside(&q, "BAD", &err), -1);
    qdir_close(&q);
}

static void a_spool_that_is_not_there_is_named(void **state)
{
    struct err err = {0};
    struct qdir q;

    (void)state;
    assert_int_equal(qdir_open(&q, "/nonexistent/spool", &err), -1);
    assert_err(&err, "/nonexistent/spool");
}

static void ids_sort_by_age(void **state)
{
    char last[QFILE_ID_MAX + 1] = "";

    (void)state;
    fake_clock_start();
    for (int i = 0; i < 1000; i++) {
        char id[QFILE_ID_MAX + 1];

        qdir_new_id(id);
        assert_true(qfile_is_id(str_of(id)));
        assert_true(strcmp(last, id) < 0);
        (void)snprintf(last, sizeof(last), "%s", id);
        fake_clock_advance_ms(i < 500 ? 1 : 1000000);
    }
    fake_clock_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_not_promised_is_swept_at_start, tmpdir_setup,
                                        tmpdir_teardown),
        cmocka_unit_test_setup_teardown(one_process_has_the_spool, tmpdir_setup, tmpdir_teardown),
        cmocka_unit_test_setup_teardown(strangers_files_are_left_alone, tmpdir_setup,
                                        tmpdir_teardown),
        cmocka_unit_test_setup_teardown(what_is_set_aside_is_not_seen_again, tmpdir_setup,
                                        tmpdir_teardown),
        cmocka_unit_test(a_spool_that_is_not_there_is_named),
        cmocka_unit_test(ids_sort_by_age),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
