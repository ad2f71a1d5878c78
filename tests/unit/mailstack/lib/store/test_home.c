/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"

#include "mailstack/lib/store/folder.h"
#include "mailstack/lib/store/home.h"

#include "tests/lib/mailroot.h"
#include "tests/lib/test.h"

static void an_address_becomes_a_safe_path(void **state)
{
    static const struct {
        const char *address, *path;
    } cases[] = {
        {"alice@example.org", "example.org/alice"},
        {"Alice@Example.ORG", "example.org/alice"},
        {"a.b-c_d+e=f@x.y", "x.y/a.b-c_d+e=f"},
        {"../../etc@x", "x/%2E.%2F..%2Fetc"},
        {".@x", "x/%2E"},
        {"a/b@x", "x/a%2Fb"},
        {"a%2Fb@x", "x/a%252fb"},
        {"a@b@c", "c/a%40b"},
        {"a@..", "%2E./a"},
        {"\xc3\xa4@x", "x/%C3%A4"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct buf out = BUF_INIT(HOME_PATH_MAX);
        struct err err = {0};

        assert_int_equal(home_path(str_of(cases[i].address), &out, &err), 0);
        assert_string_equal(buf_c(&out), cases[i].path);
        buf_done(&out);
    }
}

static void an_address_without_a_part_has_no_home(void **state)
{
    static const char *const bad[] = {"", "alice", "@example.org", "alice@", "@"};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        struct buf out = BUF_INIT(HOME_PATH_MAX);
        struct err err = {0};

        assert_int_equal(home_path(str_of(bad[i]), &out, &err), -1);
        assert_int_equal(out.n, 0);
        buf_done(&out);
    }
}

static void an_endless_local_part_is_refused(void **state)
{
    char address[600];
    struct buf out = BUF_INIT(HOME_PATH_MAX);
    struct err err = {0};

    (void)state;
    memset(address, 'a', sizeof(address));
    memcpy(address + sizeof(address) - 3, "@x", 3);
    assert_int_equal(home_path(str_of(address), &out, &err), -1);
    buf_done(&out);
}

static void a_new_home_has_the_special_folders_and_the_volumes_modes(void **state)
{
    struct mailroot *r = *state;
    struct err err = {0};
    struct stat st;

    for (size_t i = 0; i < FOLDER_SPECIALS; i++)
        assert_true(folder_exists(r->home_fd, str_of(folder_special[i].name)));
    assert_int_equal(fstat(r->home_fd, &st), 0);
    assert_int_equal(st.st_mode & 07777, 02770);
    assert_int_equal(fstatat(r->home_fd, ".Sent/cur", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 02770);
    assert_int_equal(fstatat(r->home_fd, "subscriptions", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0660);
    assert_int_equal(home_open(&r->st, STR("bob@example.org"), &err), -1);
    assert_int_equal(err.code, ENOENT);
}

static void making_a_home_again_changes_nothing(void **state)
{
    struct mailroot *r = *state;
    struct err err = {0};
    int fd;

    assert_int_equal(folder_delete(r->home_fd, STR("Junk"), &err), 0);
    fd = home_make(&r->st, STR("alice@example.org"), &err);
    assert_true(fd >= 0);
    assert_false(folder_exists(fd, STR("Junk")));
    assert_int_equal(close(fd), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_becomes_a_safe_path),
        cmocka_unit_test(an_address_without_a_part_has_no_home),
        cmocka_unit_test(an_endless_local_part_is_refused),
        cmocka_unit_test_setup_teardown(a_new_home_has_the_special_folders_and_the_volumes_modes,
                                        mailroot_setup, mailroot_teardown),
        cmocka_unit_test_setup_teardown(making_a_home_again_changes_nothing, mailroot_setup,
                                        mailroot_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
