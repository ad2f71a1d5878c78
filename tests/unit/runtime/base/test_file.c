/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"

#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

#define DEEP_N 1500 /* deeper than the descriptors the test allows itself */

static void assert_content(int dir_fd, const char *path, const char *content)
{
    own_buf struct buf b = BUF_INIT(1000);
    struct err err;

    assert_ok(file_read(dir_fd, path, &b, &err), &err);
    assert_string_equal(buf_c(&b), content);
}

static size_t entries_n(int dir_fd)
{
    DIR *d = fdopendir(openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    size_t n = 0;

    assert_non_null(d);
    while (readdir(d) != NULL) /* NOLINT(concurrency-mt-unsafe): one thread */
        n++;
    (void)closedir(d);
    return n - 2;
}

static void reading_has_an_exact_limit(void **state)
{
    const struct tmpdir *t = *state;
    struct err err;

    assert_ok(file_put(t->fd, "f", STR("0123456789"), 0600, &err), &err);
    for (size_t max = 0; max < 15; max++) {
        own_buf struct buf b = BUF_INIT(max);
        int rc = file_read(t->fd, "f", &b, &err);

        assert_int_equal(rc, max >= 10 ? 0 : -1);
        if (rc < 0)
            assert_int_equal(err.code, EMSGSIZE);
        else
            assert_string_equal(buf_c(&b), "0123456789");
    }
    assert_int_equal(file_read(t->fd, "none", &(struct buf)BUF_INIT(1), &err), -1);
    assert_int_equal(err.code, ENOENT);
}

static void replacing_sets_content_and_mode_and_leaves_nothing_else(void **state)
{
    const struct tmpdir *t = *state;
    mode_t mask = umask(077);
    struct err err;
    struct stat st;

    assert_ok(file_replace(t->fd, "f", STR("one"), 0644, &err), &err);
    assert_content(t->fd, "f", "one");
    assert_ok(file_replace(t->fd, "f", STR("two"), 0600, &err), &err);
    assert_content(t->fd, "f", "two");
    assert_int_equal(fstatat(t->fd, "f", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_ok(file_put(t->fd, "f", STR(""), 0666, &err), &err);
    assert_int_equal(fstatat(t->fd, "f", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0666);
    assert_ok(file_replace(AT_FDCWD, tmpdir_path(t, "g"), STR("abs"), 0600, &err), &err);
    assert_content(t->fd, "g", "abs");
    assert_int_equal(entries_n(t->fd), 2);
    (void)umask(mask);
}

static void a_failed_replacement_changes_nothing(void **state)
{
    const struct tmpdir *t = *state;
    struct err err;

    assert_int_equal(mkdirat(t->fd, "d", 0700), 0);
    assert_int_equal(file_replace(t->fd, "d", STR("x"), 0600, &err), -1);
    assert_err(&err, "replace");
    assert_int_equal(file_replace(t->fd, "none/f", STR("x"), 0600, &err), -1);
    assert_int_equal(entries_n(t->fd), 1);
}

static void poking_writes_into_what_exists_only(void **state)
{
    const struct tmpdir *t = *state;
    struct err err;

    assert_int_equal(file_poke(t->fd, "f", STR("x"), &err), -1);
    assert_int_equal(err.code, ENOENT);
    assert_ok(file_put(t->fd, "f", STR("abc"), 0600, &err), &err);
    assert_ok(file_poke(t->fd, "f", STR("xy"), &err), &err);
    assert_content(t->fd, "f", "xyc");
}

static void directories_are_made_as_deep_as_asked(void **state)
{
    const struct tmpdir *t = *state;
    struct err err;
    struct stat st;

    assert_ok(file_mkdir_p(t->fd, "a//b/./c/", 0750, &err), &err);
    assert_ok(file_mkdir_p(t->fd, "a/b/c", 0750, &err), &err);
    assert_ok(file_mkdir_p(AT_FDCWD, tmpdir_path(t, "x/y"), 0700, &err), &err);
    assert_int_equal(fstatat(t->fd, "a/b/c", &st, 0), 0);
    assert_int_equal(fstatat(t->fd, "x/y", &st, 0), 0);
    assert_ok(file_put(t->fd, "a/f", STR(""), 0600, &err), &err);
    assert_int_equal(file_mkdir_p(t->fd, "a/f/g", 0700, &err), -1);
    assert_int_equal(err.code, ENOTDIR);
}

static void a_tree_is_removed_without_following_links(void **state)
{
    const struct tmpdir *t = *state;
    struct err err;
    struct stat st;

    assert_ok(file_mkdir_p(t->fd, "keep", 0700, &err), &err);
    assert_ok(file_put(t->fd, "keep/f", STR("x"), 0600, &err), &err);
    assert_ok(file_mkdir_p(t->fd, "tree/a/b", 0700, &err), &err);
    assert_ok(file_put(t->fd, "tree/a/f", STR("x"), 0600, &err), &err);
    assert_int_equal(symlinkat("../../keep", t->fd, "tree/a/link"), 0);
    assert_int_equal(symlinkat("keep", t->fd, "toplink"), 0);
    assert_ok(file_remove_tree(t->fd, "tree", &err), &err);
    assert_ok(file_remove_tree(t->fd, "toplink", &err), &err);
    assert_ok(file_remove_tree(t->fd, "absent", &err), &err);
    assert_int_equal(fstatat(t->fd, "tree", &st, AT_SYMLINK_NOFOLLOW), -1);
    assert_int_equal(fstatat(t->fd, "toplink", &st, AT_SYMLINK_NOFOLLOW), -1);
    assert_content(t->fd, "keep/f", "x");
    assert_ok(file_remove_tree(t->fd, "keep/f", &err), &err);
    assert_int_equal(entries_n(t->fd), 1);
}

static void make_deep(int top_fd)
{
    own_fd int fd = openat(top_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    for (int i = 0; i < DEEP_N; i++) {
        int next;

        assert_int_equal(mkdirat(fd, "d", 0700), 0);
        next = openat(fd, "f", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        assert_true(next >= 0);
        (void)close(next);
        next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(next >= 0);
        (void)close(fd);
        fd = next;
    }
}

static void depth_exhausts_no_descriptors(void **state)
{
    const struct tmpdir *t = *state;
    struct rlimit old;
    struct rlimit few;
    struct err err;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    few = (struct rlimit){200, old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    make_deep(t->fd);
    assert_ok(file_remove_tree(t->fd, "d", &err), &err);
    assert_int_equal(entries_n(t->fd), 1); /* the first "f" */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
}

static void many_entries_go_in_one_call(void **state)
{
    const struct tmpdir *t = *state;
    char name[32];
    struct err err;

    assert_int_equal(mkdirat(t->fd, "d", 0700), 0);
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(name, sizeof(name), "d/%d", i);
        assert_ok(file_put(t->fd, name, STR(""), 0600, &err), &err);
    }
    assert_ok(file_remove_tree(t->fd, "d", &err), &err);
    assert_int_equal(entries_n(t->fd), 0);
    assert_ok(file_sync_dir(t->fd, ".", &err), &err);
}

/* Of an ordinary user: an unpacked image has such directories. */
static void a_tree_with_directories_of_0555_is_removed(void **state)
{
    const struct tmpdir *t = *state;
    struct err err = {0};

    assert_ok(file_mkdir_p(t->fd, "a/b/c", 0755, &err), &err);
    assert_ok(file_put(t->fd, "a/b/f", STR("x"), 0400, &err), &err);
    assert_ok(file_put(t->fd, "a/b/c/f", STR("x"), 0000, &err), &err);
    assert_int_equal(fchmodat(t->fd, "a/b/c", 0555, 0), 0);
    assert_int_equal(fchmodat(t->fd, "a/b", 0555, 0), 0);
    assert_int_equal(fchmodat(t->fd, "a", 0500, 0), 0);
    assert_ok(file_remove_tree(t->fd, "a", &err), &err);
    assert_int_equal(faccessat(t->fd, "a", F_OK, 0), -1);
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, tmpdir_setup, tmpdir_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIR(reading_has_an_exact_limit),
        WITH_DIR(replacing_sets_content_and_mode_and_leaves_nothing_else),
        WITH_DIR(a_failed_replacement_changes_nothing),
        WITH_DIR(poking_writes_into_what_exists_only),
        WITH_DIR(directories_are_made_as_deep_as_asked),
        WITH_DIR(a_tree_with_directories_of_0555_is_removed),
        WITH_DIR(a_tree_is_removed_without_following_links),
        WITH_DIR(depth_exhausts_no_descriptors),
        WITH_DIR(many_entries_go_in_one_call),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
