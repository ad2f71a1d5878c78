/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/err.h"

#include "mailstack/lib/store/folder.h"

#include "tests/lib/mailroot.h"
#include "tests/lib/test.h"

static void names_become_directories_and_nothing_else(void **state)
{
    static const struct {
        const char *name, *dir;
    } good[] = {
        {"INBOX", "."},
        {"inbox", "."},
        {"Sent", ".Sent"},
        {"A.B", ".A.B"},
        {"inbox.x", ".INBOX.x"},
        {"&AOQ-", ".&AOQ-"},
        {"with space", ".with space"},
    };

    static const char *const bad[] = {"",    ".",    "..",    "a.",   ".a",      "a..b",
                                      "a/b", "../x", "a\x01", "&bad", "\xc3\xa4"};
    char dir[FOLDER_NAME_MAX + 2], longest[FOLDER_NAME_MAX + 2];
    struct err err = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(good); i++) {
        assert_int_equal(folder_dir(str_of(good[i].name), dir, &err), 0);
        assert_string_equal(dir, good[i].dir);
    }
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        assert_int_equal(folder_dir(str_of(bad[i]), dir, &err), -1);
        assert_int_equal(err.code, EINVAL);
    }
    memset(longest, 'a', sizeof(longest));
    assert_int_equal(folder_dir((struct str){longest, FOLDER_NAME_MAX}, dir, &err), 0);
    assert_int_equal(folder_dir((struct str){longest, FOLDER_NAME_MAX + 1}, dir, &err), -1);
}

static void folders_come_and_go(void **state)
{
    struct mailroot *r = *state;
    struct err err = {0};

    assert_int_equal(folder_create(r->home_fd, STR("A.B"), &err), 0);
    assert_true(folder_exists(r->home_fd, STR("A.B")));
    assert_false(folder_exists(r->home_fd, STR("A")));
    assert_int_equal(folder_create(r->home_fd, STR("A.B"), &err), -1);
    assert_int_equal(err.code, EEXIST);
    assert_int_equal(folder_delete(r->home_fd, STR("A.B"), &err), 0);
    assert_int_equal(folder_delete(r->home_fd, STR("A.B"), &err), -1);
    assert_int_equal(err.code, ENOENT);
    assert_int_equal(folder_delete(r->home_fd, STR("inbox"), &err), -1);
    assert_int_equal(err.code, EPERM);
    assert_int_equal(mailroot_count(r, "tmp", "", NULL), 0);
}

static void renaming_takes_what_is_below_along_or_does_nothing(void **state)
{
    struct mailroot *r = *state;
    struct err err = {0};

    assert_int_equal(folder_create(r->home_fd, STR("A"), &err), 0);
    assert_int_equal(folder_create(r->home_fd, STR("A.B"), &err), 0);
    assert_int_equal(folder_create(r->home_fd, STR("AB"), &err), 0);
    assert_int_equal(folder_create(r->home_fd, STR("X.B"), &err), 0);
    assert_int_equal(folder_rename(r->home_fd, STR("A"), STR("X"), &err), -1);
    assert_int_equal(err.code, EEXIST);
    assert_true(folder_exists(r->home_fd, STR("A")));
    assert_int_equal(folder_rename(r->home_fd, STR("A"), STR("A.C"), &err), -1);
    assert_int_equal(folder_rename(r->home_fd, STR("A"), STR("Y.Z"), &err), 0);
    assert_true(folder_exists(r->home_fd, STR("Y.Z.B")));
    assert_true(folder_exists(r->home_fd, STR("AB")));
    assert_false(folder_exists(r->home_fd, STR("A.B")));
    assert_int_equal(folder_rename(r->home_fd, STR("Nowhere"), STR("W"), &err), -1);
    assert_int_equal(err.code, ENOENT);
}

static void the_list_holds_folders_only(void **state)
{
    struct mailroot *r = *state;
    struct folder_names l;
    struct err err = {0};

    mailroot_put(r, ".file", "not a folder");
    assert_int_equal(mkdirat(r->home_fd, "plain", 0700), 0);
    assert_int_equal(symlinkat("/", r->home_fd, ".link"), 0);
    assert_int_equal(folder_list(r->home_fd, &l, &err), 0);
    assert_int_equal(l.n, 1 + FOLDER_SPECIALS);
    assert_true(folder_names_has(&l, STR("INBOX")));
    assert_false(folder_names_has(&l, STR("link")));
    folder_names_done(&l);
    assert_int_equal(folder_open(r->home_fd, STR("link"), &err), -1);
}

static void subscriptions_are_kept_also_in_dovecots_second_form(void **state)
{
    struct mailroot *r = *state;
    struct folder_names l;
    struct err err = {0};

    mailroot_put(r, "subscriptions", "V\t2\n\nA\tB\nSent\n../x\n");
    assert_int_equal(folder_subscribe(r->home_fd, STR("Z"), &err), 0);
    assert_int_equal(folder_subscribe(r->home_fd, STR("Z"), &err), 0);
    assert_int_equal(folder_unsubscribe(r->home_fd, STR("Sent"), &err), 0);
    assert_int_equal(folder_subscriptions(r->home_fd, &l, &err), 0);
    assert_int_equal(l.n, 2);
    assert_string_equal(l.v[0], "A.B");
    assert_string_equal(l.v[1], "Z");
    folder_names_done(&l);
}

static void the_sweep_takes_what_is_old(void **state)
{
    struct mailroot *r = *state;
    struct timespec old[2] = {{.tv_sec = 1000000}, {.tv_sec = 1000000}};

    mailroot_put(r, "tmp/old", "x");
    mailroot_put(r, "tmp/young", "x");
    assert_int_equal(mkdirat(r->home_fd, "tmp/gone.1", 0700), 0);
    mailroot_put(r, "tmp/gone.1/file", "x");
    assert_int_equal(utimensat(r->home_fd, "tmp/old", old, 0), 0);
    assert_int_equal(utimensat(r->home_fd, "tmp/gone.1", old, 0), 0);
    folder_sweep(r->home_fd);
    assert_int_equal(mailroot_count(r, "tmp", "", NULL), 1);
    assert_int_equal(mailroot_count(r, "tmp", "young", NULL), 1);
}

#define WITH_ROOT(test) cmocka_unit_test_setup_teardown(test, mailroot_setup, mailroot_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_become_directories_and_nothing_else),
        WITH_ROOT(folders_come_and_go),
        WITH_ROOT(renaming_takes_what_is_below_along_or_does_nothing),
        WITH_ROOT(the_list_holds_folders_only),
        WITH_ROOT(subscriptions_are_kept_also_in_dovecots_second_form),
        WITH_ROOT(the_sweep_takes_what_is_old),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
