/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/err.h"

#include "mailstack/lib/store/folder.h"
#include "mailstack/lib/store/uid.h"

#include "tests/lib/mailroot.h"
#include "tests/lib/test.h"

static uint32_t take(struct mailroot *r, uint32_t n, uint32_t *validity)
{
    struct err err = {0};
    uint32_t first = 0;
    struct uid u;

    assert_int_equal(uid_open(&u, &r->st, r->home_fd, r->home_fd, &err), 0);
    assert_int_equal(uid_lock(&u, &err), 0);
    assert_int_equal(uid_take(&u, n, &first, &err), 0);
    if (validity != NULL)
        *validity = u.validity;
    uid_unlock(&u);
    uid_close(&u);
    return first;
}

static void uids_follow_each_other_in_one_boot(void **state)
{
    uint32_t v1, v2;

    assert_int_equal(take(*state, 1, &v1), 1);
    assert_int_equal(take(*state, 3, NULL), 2);
    assert_int_equal(take(*state, 5000, NULL), 5);
    assert_int_equal(take(*state, 1, &v2), 5005);
    assert_int_equal(v1, v2);
}

static void after_another_boot_the_rest_of_the_block_is_skipped(void **state)
{
    struct mailroot *r = *state;
    uint32_t before = take(r, 1, NULL), after;

    (void)snprintf(r->st.boot, sizeof(r->st.boot), "another-boot");
    after = take(r, 1, NULL);
    assert_true(after > before);
    assert_true(after <= before + 1 + UID_BLOCK);
    assert_int_equal(take(r, 1, NULL), after + 1);
}

static void a_lost_file_is_made_again_from_the_names(void **state)
{
    struct mailroot *r = *state;
    uint32_t v1, v2, first = take(r, 1, &v1);
    char name[128];

    (void)snprintf(name, sizeof(name), "cur/1.x,S=1,U=%u,V=%u:2,S", first + 41, v1);
    mailroot_put(r, name, "x");
    assert_int_equal(unlinkat(r->home_fd, UID_FILE, 0), 0);
    assert_true(take(r, 1, &v2) > first + 41);
    assert_int_equal(v1, v2);
}

static void a_broken_file_is_made_again(void **state)
{
    struct mailroot *r = *state;
    uint32_t v1, v2;

    (void)take(r, 1, &v1);
    mailroot_put(r, UID_FILE, "mailstack-uid 1\n5 4\nx 9\n");
    (void)take(r, 1, &v2);
    assert_true(v2 > v1); /* no message knows the old one */
}

static void no_two_folders_have_the_same_validity(void **state)
{
    struct mailroot *r = *state;
    uint32_t seen[3];
    struct err err = {0};

    for (size_t i = 0; i < ARRAY_N(seen); i++) {
        int fd = folder_open(r->home_fd, str_of(folder_special[i].name), &err);
        struct uid u;

        assert_int_equal(uid_open(&u, &r->st, r->home_fd, fd, &err), 0);
        assert_int_equal(uid_lock(&u, &err), 0);
        seen[i] = u.validity;
        uid_unlock(&u);
        uid_close(&u);
        assert_int_equal(close(fd), 0);
    }
    assert_true(seen[0] < seen[1] && seen[1] < seen[2]);
}

static void processes_at_the_same_time_never_get_the_same_uid(void **state)
{
    enum {
        PROCESSES = 4,
        TURNS = 200
    };
    struct mailroot *r = *state;
    pid_t pid[PROCESSES];

    for (size_t p = 0; p < PROCESSES; p++) {
        pid[p] = fork();
        if (pid[p] == 0) {
            for (int i = 0; i < TURNS; i++) {
                char name[32];
                int fd;

                (void)snprintf(name, sizeof(name), "tmp/%u", take(r, 1, NULL));
                fd = openat(r->home_fd, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
                if (fd < 0)
                    _exit(1);
                (void)close(fd);
            }
            _exit(0);
        }
    }
    for (size_t p = 0; p < PROCESSES; p++) {
        int status;

        assert_int_equal(waitpid(pid[p], &status, 0), pid[p]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(take(r, 1, NULL), PROCESSES * TURNS + 1);
}

static void the_end_of_the_range_is_an_error(void **state)
{
    struct mailroot *r = *state;
    struct err err = {0};
    uint32_t first;
    struct uid u;

    mailroot_put(r, UID_FILE, "mailstack-uid 1\n7 4294966000\nx 1\n");
    assert_int_equal(uid_open(&u, &r->st, r->home_fd, r->home_fd, &err), 0);
    assert_int_equal(uid_lock(&u, &err), 0);
    assert_int_equal(u.validity, 7);
    assert_int_equal(uid_take(&u, 2000, &first, &err), -1);
    uid_unlock(&u);
    uid_close(&u);
}

#define WITH_ROOT(test) cmocka_unit_test_setup_teardown(test, mailroot_setup, mailroot_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ROOT(uids_follow_each_other_in_one_boot),
        WITH_ROOT(after_another_boot_the_rest_of_the_block_is_skipped),
        WITH_ROOT(a_lost_file_is_made_again_from_the_names),
        WITH_ROOT(a_broken_file_is_made_again),
        WITH_ROOT(no_two_folders_have_the_same_validity),
        WITH_ROOT(processes_at_the_same_time_never_get_the_same_uid),
        WITH_ROOT(the_end_of_the_range_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
