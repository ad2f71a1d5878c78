/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"
#include "runtime/kernel/copyup.h"

#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

static void a_tree_arrives_as_it_was(void **state)
{
    struct tmpdir *t = *state;
    own_buf struct buf text = BUF_INIT(64);
    char link[16] = {0};
    struct stat st;
    struct err err = {0};
    own_fd int from = -1, to = -1;

    assert_int_equal(mkdirat(t->fd, "from", 0755) | mkdirat(t->fd, "from/sub", 0750) |
                         mkdirat(t->fd, "to", 0755),
                     0);
    assert_ok(file_put(t->fd, "from/sub/file", STR("hello"), 0640, &err), &err);
    assert_int_equal(symlinkat("/etc/passwd", t->fd, "from/link"), 0);
    assert_int_equal(mkfifoat(t->fd, "from/pipe", 0600), 0);
    from = openat(t->fd, "from", O_PATH | O_DIRECTORY | O_CLOEXEC);
    to = openat(t->fd, "to", O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_ok(copyup(from, to, &err), &err);
    assert_ok(file_read(to, "sub/file", &text, &err), &err);
    assert_string_equal(buf_c(&text), "hello");
    assert_int_equal(fstatat(to, "sub/file", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(fstatat(to, "sub", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0750);
    assert_int_equal(readlinkat(to, "link", link, sizeof link - 1), 11);
    assert_string_equal(link, "/etc/passwd");
    assert_int_equal(fstatat(to, "pipe", &st, 0), 0);
    assert_true(S_ISFIFO(st.st_mode));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_tree_arrives_as_it_was, tmpdir_setup, tmpdir_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
