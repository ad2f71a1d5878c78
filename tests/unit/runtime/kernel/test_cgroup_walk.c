/* SPDX-License-Identifier: Apache-2.0 */
/* The walk knows nothing of control groups but their names: directories do as well. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/own.h"
#include "runtime/kernel/cgroup_walk.h"

#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

struct seen {
    size_t n;
    char last[8];
};

static int note(int at_fd, const char *name, void *ctx, struct err *err)
{
    struct seen *s = ctx;
    struct stat st;

    if (fstatat(at_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_set(err, errno, "look at '%s'", name);
    s->n++;
    (void)snprintf(s->last, sizeof s->last, "%.7s", name);
    return 0;
}

static int take_away(int at_fd, const char *name, void *ctx, struct err *err)
{
    size_t *n = ctx;

    (*n)++;
    return unlinkat(at_fd, name, AT_REMOVEDIR) < 0 ? err_set(err, errno, "remove '%s'", name) : 0;
}

/* A chain of that many levels, whose names begin with a dot. */
static void nest(int dir_fd, size_t levels)
{
    int fd = dup(dir_fd);

    for (size_t i = 0; i < levels; i++) {
        int next = -1;

        assert_int_equal(mkdirat(fd, ".d", 0755), 0);
        next = openat(fd, ".d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(next >= 0);
        (void)close(fd);
        fd = next;
    }
    (void)close(fd);
}

static void everything_is_seen_once_and_can_be_removed(void **state)
{
    struct tmpdir *t = *state;
    const char *wide[] = {"top", "top/a", "top/b", "top/b/x", "top/b/y", "top/.c", "top/.c/..z"};
    char path[4096];
    struct seen s = {0};
    struct err err = {0};
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_N(wide); i++)
        assert_int_equal(mkdirat(t->fd, wide[i], 0755), 0);
    assert_int_equal(symlinkat("/", t->fd, "top/link"), 0);
    (void)snprintf(path, sizeof path, "%s/top", t->path);
    assert_ok(cgroup_walk(path, note, &s, &err), &err);
    assert_int_equal(s.n, ARRAY_N(wide));
    assert_int_equal(unlinkat(t->fd, "top/link", 0), 0);
    /* tmpfs before Linux 6.6 counts entries, and passes some over when others have gone; kernfs,
     * which cgroups are of, does not. */
    for (size_t i = 0; i < ARRAY_N(wide) && cgroup_walk(path, take_away, &n, &err) < 0; i++)
        err_reset(&err);
    assert_true(n >= ARRAY_N(wide));
    assert_int_equal(faccessat(t->fd, "top", F_OK, 0), -1);
}

static void no_depth_is_too_deep(void **state)
{
    struct tmpdir *t = *state;
    own_fd int top_fd = -1;
    char path[4096];
    struct err err = {0};
    size_t n = 0;

    assert_int_equal(mkdirat(t->fd, "top", 0755), 0);
    top_fd = openat(t->fd, "top", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    nest(top_fd, 3000);
    (void)snprintf(path, sizeof path, "%s/top", t->path);
    assert_ok(cgroup_walk(path, take_away, &n, &err), &err);
    assert_int_equal(n, 3001);
}

static void what_is_absent_is_fine_and_a_failure_ends_it(void **state)
{
    struct tmpdir *t = *state;
    char path[4096];
    struct err err = {0};
    size_t n = 0;

    (void)snprintf(path, sizeof path, "%s/top", t->path);
    assert_ok(cgroup_walk(path, take_away, &n, &err), &err);
    assert_int_equal(mkdirat(t->fd, "top", 0755) | mkdirat(t->fd, "top/a", 0755), 0);
    assert_true(close(openat(t->fd, "top/a/file", O_CREAT | O_WRONLY, 0600)) == 0);
    assert_int_equal(cgroup_walk(path, take_away, &n, &err), -1);
    assert_int_equal(err.code, ENOTEMPTY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everything_is_seen_once_and_can_be_removed, tmpdir_setup,
                                        tmpdir_teardown),
        cmocka_unit_test_setup_teardown(no_depth_is_too_deep, tmpdir_setup, tmpdir_teardown),
        cmocka_unit_test_setup_teardown(what_is_absent_is_fine_and_a_failure_ends_it, tmpdir_setup,
                                        tmpdir_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
