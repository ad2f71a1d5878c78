/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/own.h"
#include "runtime/kernel/dir.h"

#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

static bool exists(int dir_fd, const char *path, mode_t kind)
{
    struct stat st;

    return fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && (st.st_mode & S_IFMT) == kind;
}

static int make_root(const struct tmpdir *t)
{
    int fd = -1;

    assert_int_equal(mkdirat(t->fd, "root", 0755), 0);
    assert_int_equal(mkdirat(t->fd, "outside", 0755), 0);
    fd = openat(t->fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void what_is_missing_is_made(void **state)
{
    struct tmpdir *t = *state;
    struct err err = {0};
    own_fd int root = make_root(t);
    own_fd int file = dir_make_beneath(root, "/a/b/c", DIR_FILE, &err);
    own_fd int dir = dir_make_beneath(root, "a/d/", DIR_DIRECTORY, &err);
    own_fd int again = dir_make_beneath(root, "/a/b/c", DIR_FILE, &err);

    assert_true(file >= 0 && dir >= 0 && again >= 0);
    assert_true(exists(root, "a/b/c", S_IFREG));
    assert_true(exists(root, "a/d", S_IFDIR));
    assert_true(dir_is_same(file, again));
}

static void links_never_lead_out_of_the_root(void **state)
{
    struct tmpdir *t = *state;
    static const char *const targets[] = {"../outside", "/../../outside", "../../../..", "/",
                                          "../outside/new"};
    struct err err = {0};
    own_fd int root = make_root(t);

    for (size_t i = 0; i < ARRAY_N(targets); i++) {
        own_fd int fd = -1;

        assert_int_equal(symlinkat(targets[i], root, "link"), 0);
        fd = dir_make_beneath(root, "/link/made", DIR_DIRECTORY, &err);
        assert_false(exists(t->fd, "outside/made", S_IFDIR));
        assert_false(exists(t->fd, "outside/new", S_IFDIR));
        assert_false(exists(t->fd, "made", S_IFDIR));
        assert_true(fd >= 0);
        assert_int_equal(unlinkat(root, "link", 0), 0);
    }
}

static void a_dangling_link_is_followed_within_the_root(void **state)
{
    struct tmpdir *t = *state;
    struct err err = {0};
    own_fd int root = make_root(t), fd = -1;

    assert_int_equal(mkdirat(root, "etc", 0755), 0);
    assert_int_equal(symlinkat("../run/resolve/stub.conf", root, "etc/resolv.conf"), 0);
    fd = dir_make_beneath(root, "/etc/resolv.conf", DIR_FILE, &err);
    assert_true(fd >= 0);
    assert_true(exists(root, "run/resolve/stub.conf", S_IFREG));
}

static void loops_and_files_in_the_way_are_errors(void **state)
{
    struct tmpdir *t = *state;
    struct err err = {0};
    own_fd int root = make_root(t), file = -1;

    assert_int_equal(symlinkat("loop", root, "loop"), 0);
    assert_int_equal(dir_make_beneath(root, "/loop/x", DIR_DIRECTORY, &err), -1);
    assert_int_equal(err.code, ELOOP);
    file = openat(root, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(dir_make_beneath(root, "/file/x", DIR_DIRECTORY, &err), -1);
    assert_int_equal(err.code, ENOTDIR);
    assert_true(file >= 0);
}

static void the_parent_and_the_name_are_split(void **state)
{
    struct tmpdir *t = *state;
    static const char *const bad[] = {"/", "", "/a/..", "/a/."};
    struct err err = {0};
    char name[16];
    own_fd int root = make_root(t);
    own_fd int dir = dir_open_parent(root, "/dev/null", name, sizeof name, &err);

    assert_true(dir >= 0);
    assert_string_equal(name, "null");
    assert_true(exists(root, "dev", S_IFDIR));
    for (size_t i = 0; i < ARRAY_N(bad); i++)
        assert_int_equal(dir_open_parent(root, bad[i], name, sizeof name, &err), -1);
    assert_int_equal(dir_open_parent(root, "/a-name-that-is-too-long", name, sizeof name, &err),
                     -1);
}

static void a_link_may_be_what_is_opened(void **state)
{
    struct tmpdir *t = *state;
    struct err err = {0};
    struct stat st;
    own_fd int root = make_root(t);

    assert_int_equal(symlinkat("/missing", root, "link"), 0);
    own_fd int link = dir_make_nofollow(root, "/link", DIR_FILE, &err);
    own_fd int file = dir_make_nofollow(root, "/new/file", DIR_FILE, &err);

    assert_true(link >= 0 && file >= 0);
    assert_int_equal(fstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_true(exists(root, "new/file", S_IFREG));
    assert_false(exists(root, "missing", S_IFREG));
    assert_int_equal(dir_make_nofollow(root, "/new/..", DIR_DIRECTORY, &err), -1);
}

static void a_directory_that_others_may_write_to_is_not_private(void **state)
{
    static const struct {
        mode_t mode;
        bool private;
    } cases[] = {{0700, true},  {0755, true},  {0711, true},  {0770, false},
                 {0722, false}, {0777, false}, {01777, true}, {0720, false}};
    struct tmpdir *t = *state;
    own_fd int root = make_root(t), file = openat(t->fd, "file", O_CREAT | O_RDWR, 0600);

    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        assert_int_equal(fchmodat(t->fd, "root", cases[i].mode, 0), 0);
        assert_int_equal(dir_is_private(root), cases[i].private);
    }
    assert_false(dir_is_private(file));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, tmpdir_setup, tmpdir_teardown)

/* The walk opens directories itself: none of them may be what a link of procfs leads to. */
static void no_descriptor_of_the_walk_is_followed(void **state)
{
    own_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct err err;
    char path[64];

    (void)state;
    assert_true(root >= 0);
    for (int n = 3; n < 16; n++) {
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", n);
        assert_int_equal(dir_make_beneath(root, path, DIR_DIRECTORY, &err), -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_missing_is_made),
        TEST(links_never_lead_out_of_the_root),
        TEST(a_dangling_link_is_followed_within_the_root),
        TEST(loops_and_files_in_the_way_are_errors),
        TEST(the_parent_and_the_name_are_split),
        TEST(a_link_may_be_what_is_opened),
        TEST(a_directory_that_others_may_write_to_is_not_private),
        TEST(no_descriptor_of_the_walk_is_followed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
