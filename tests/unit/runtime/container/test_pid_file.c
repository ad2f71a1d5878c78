/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/fd.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"
#include "runtime/container/pid_file.h"

#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

static void assert_holds(const char *path, const char *text)
{
    own_buf struct buf found = BUF_INIT(64);
    struct err err = {0};

    assert_ok(file_read(AT_FDCWD, path, &found, &err), &err);
    assert_string_equal(buf_c(&found), text);
}

static void a_file_is_made_and_replaced(void **state)
{
    const char *path = tmpdir_path(*state, "pid");
    struct err err = {0};

    assert_ok(pid_file_check(path, &err), &err);
    assert_ok(pid_file_write(path, 12345, &err), &err);
    assert_holds(path, "12345");
    assert_ok(pid_file_write(path, 6, &err), &err);
    assert_holds(path, "6");
}

static void a_link_to_a_file_is_replaced(void **state)
{
    const char *path = tmpdir_path(*state, "pid"), *victim = tmpdir_path(*state, "victim");
    struct err err = {0};
    struct stat st;

    assert_ok(file_put(AT_FDCWD, victim, STR("untouched"), 0600, &err), &err);
    assert_int_equal(symlink(victim, path), 0);
    assert_ok(pid_file_write(path, 7, &err), &err);
    assert_holds(victim, "untouched");
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISREG(st.st_mode));
}

/* "/dev/stdout" is such a link, and what it leads to may well be a file. */
static void a_descriptor_is_written_to_by_any_of_its_names(void **state)
{
    const char *target = tmpdir_path(*state, "target"), *link = tmpdir_path(*state, "link");
    struct err err = {0};
    struct stat st;
    char path[64];
    int fd = open(target, O_WRONLY | O_CREAT, 0600); /* handed in: without a mark */

    assert_true(fd >= 0);
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof path, i == 0 ? "/dev/fd/%d" : "/proc/self/fd/%d", fd);
        assert_ok(pid_file_check(path, &err), &err);
        assert_ok(pid_file_write(path, 8, &err), &err);
    }
    assert_int_equal(symlink(path, link), 0);
    assert_ok(pid_file_write(link, 9, &err), &err);
    assert_holds(target, "889");
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    (void)close(fd);
}

static void a_descriptor_of_our_own_is_none_of_the_callers(void **state)
{
    struct err err = {0};
    char path[64];
    own_fd int fd = open(tmpdir_path(*state, "own"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    assert_int_equal(pid_file_write(path, 9, &err), -1);
    assert_holds(tmpdir_path(*state, "own"), "");
}

static void a_pipe_and_a_character_device_are_written_to(void **state)
{
    const char *path = tmpdir_path(*state, "pipe");
    struct err err = {0};
    struct stat st;
    char text[8] = "";

    assert_int_equal(mkfifo(path, 0600), 0);
    own_fd int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

    assert_ok(pid_file_check(path, &err), &err);
    assert_ok(pid_file_write(path, 77, &err), &err);
    assert_int_equal(read(fd, text, sizeof text), 2);
    assert_string_equal(text, "77");
    assert_ok(pid_file_write("/dev/null", 77, &err), &err);
    assert_int_equal(stat("/dev/null", &st), 0);
    assert_true(S_ISCHR(st.st_mode));
}

static void what_can_hold_no_id_is_refused_and_stays(void **state)
{
    const char *dir = tmpdir_path(*state, "dir"), *sock = tmpdir_path(*state, "sock");
    const char *block = tmpdir_path(*state, "block"), *link = tmpdir_path(*state, "link");
    struct err err = {0};
    own_fd int fd = fd_unix_listen(sock, SOCK_STREAM, 0600, 1, &err);

    const struct {
        const char *path;
        const char *text;
    } rows[] = {
        {dir, "it is a directory"},
        {sock, "it is a socket"},
        {link, "it is a directory"},
        {block, "it is a block device"},
    };

    /* Only root may make the last. */
    size_t n = ARRAY_N(rows) - (mknod(block, S_IFBLK | 0600, 0) == 0 ? 0 : 1);

    assert_ok(fd, &err);
    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(symlink("dir", link), 0);
    for (size_t i = 0; i < n; i++) {
        struct stat before, after;

        assert_int_equal(lstat(rows[i].path, &before), 0);
        assert_int_equal(pid_file_check(rows[i].path, &err), -1);
        assert_string_equal(err.text, rows[i].text);
        assert_int_equal(pid_file_write(rows[i].path, 1, &err), -1);
        assert_int_equal(lstat(rows[i].path, &after), 0);
        assert_int_equal(before.st_ino, after.st_ino);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, tmpdir_setup, tmpdir_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_is_made_and_replaced),
        TEST(a_link_to_a_file_is_replaced),
        TEST(a_descriptor_is_written_to_by_any_of_its_names),
        TEST(a_descriptor_of_our_own_is_none_of_the_callers),
        TEST(a_pipe_and_a_character_device_are_written_to),
        TEST(what_can_hold_no_id_is_refused_and_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
