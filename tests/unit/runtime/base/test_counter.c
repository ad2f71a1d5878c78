/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/counter.h"
#include "runtime/base/own.h"

#include "tests/lib/test.h"

static void one_process_counts_and_another_reads(void **state)
{
    struct err err;
    own_fd int fd = counter_create(&err);
    struct counter_page *page = counter_map(fd, &err);
    const struct counter_page *reader = counter_map_read(fd, &err);
    struct counter *a = counter_get(page, "smtp_messages_total");
    struct counter got;
    pid_t pid;

    (void)state;
    assert_non_null(reader);
    assert_ptr_equal(counter_get(page, "smtp_messages_total"), a);
    assert_ptr_not_equal(counter_get(page, "smtp_sessions"), a);
    pid = fork();
    if (pid == 0) {
        for (int i = 0; i < 1000; i++)
            counter_add(a, 1);
        _exit(0);
    }
    for (int i = 0; i < 1000; i++)
        counter_add(a, 1);
    (void)waitpid(pid, NULL, 0);
    counter_add(counter_get(page, "smtp_sessions"), -5);
    assert_int_equal(counter_read(reader, 0, &got), 1);
    assert_string_equal(got.name, "smtp_messages_total");
    assert_int_equal(got.value, 2000);
    assert_int_equal(counter_read(reader, 1, &got), 1);
    assert_int_equal(got.value, -5);
    assert_int_equal(counter_read(reader, 2, &got), 0);
    assert_int_equal(counter_read(reader, COUNTER_MAX, &got), 0);
    counter_unmap(page);
    counter_unmap(reader);
}

static void a_full_page_counts_for_nobody(void **state)
{
    struct err err;
    struct counter_page *page = counter_map(-1, &err);
    struct counter *extra;
    char name[16];

    (void)state;
    for (int i = 0; i < COUNTER_MAX; i++) {
        (void)snprintf(name, sizeof(name), "c_%d", i);
        counter_add(counter_get(page, name), i);
    }
    extra = counter_get(page, "one_more");
    assert_non_null(extra);
    counter_add(extra, 1);
    for (unsigned i = 0; i < COUNTER_MAX; i++) {
        struct counter got;

        assert_int_equal(counter_read(page, i, &got), 1);
        assert_int_equal(got.value, i);
    }
    counter_unmap(page);
    counter_unmap(NULL);
}

static void names_from_a_stranger_are_checked(void **state)
{
    struct err err;
    struct counter_page *page = counter_map(-1, &err);
    struct counter got;

    (void)state;
    memset(page->at[0].name, 'a', COUNTER_NAME_MAX); /* not terminated */
    memcpy(page->at[1].name, "evil\nname", 10);
    memcpy(page->at[2].name, "Upper", 6);
    memcpy(page->at[3].name, "good_1", 7);
    assert_int_equal(counter_read(page, 0, &got), 0);
    assert_int_equal(counter_read(page, 1, &got), 0);
    assert_int_equal(counter_read(page, 2, &got), 0);
    assert_int_equal(counter_read(page, 3, &got), 1);
    counter_unmap(page);
}

static void a_page_that_could_shrink_is_refused(void **state)
{
    struct err err;
    own_fd int loose_fd = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    own_fd int good_fd = counter_create(&err);

    (void)state;
    assert_int_equal(ftruncate(loose_fd, 4096), 0);
    assert_null(counter_map_read(loose_fd, &err));
    assert_int_equal(err.code, EINVAL);
    assert_null(counter_map(STDIN_FILENO, &err));
    assert_int_equal(ftruncate(good_fd, 0), -1);
    assert_int_equal(ftruncate(good_fd, 8192), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_process_counts_and_another_reads),
        cmocka_unit_test(a_full_page_counts_for_nobody),
        cmocka_unit_test(names_from_a_stranger_are_checked),
        cmocka_unit_test(a_page_that_could_shrink_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
