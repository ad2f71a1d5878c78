/* SPDX-License-Identifier: Apache-2.0 */
/* What cannot be taken back is tried in children; their exit status says what they saw. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/file.h"

#include "mailstack/imapd/confine.h"

#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

#define UNABLE 99

static int in_child(int (*fn)(const struct tmpdir *t), const struct tmpdir *t)
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(fn(t));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int can_open(int dir_fd, const char *path, int flags)
{
    int fd = openat(dir_fd, path, flags | O_CLOEXEC, 0600);

    if (fd < 0)
        return errno;
    (void)close(fd);
    return 0;
}

static int stays_in_its_home(const struct tmpdir *t)
{
    struct err err = {0};
    enum confine_result r;
    int home = openat(t->fd, "alice", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (home < 0 || confine_to(home, &r, &err) < 0)
        return 1;
    if (r == CONFINE_UNABLE)
        return UNABLE;
    if (can_open(home, "new/1", O_RDONLY) != 0)
        return 2;
    if (can_open(home, "made", O_WRONLY | O_CREAT) != 0)
        return 3;
    if (renameat(home, "new/1", home, "cur/1") < 0) /* what a mail store does all day */
        return 4;
    if (linkat(home, "cur/1", home, "new/2", 0) < 0)
        return 5;
    if (can_open(t->fd, "bob/secret", O_RDONLY) != EACCES)
        return 6;
    if (can_open(home, "../bob/secret", O_RDONLY) != EACCES)
        return 7;
    if (can_open(home, "link", O_RDONLY) != EACCES) /* a link out of it */
        return 8;
    if (can_open(AT_FDCWD, "/etc/passwd", O_RDONLY) != EACCES)
        return 9;
    if (renameat(home, "cur/1", t->fd, "bob/stolen") == 0)
        return 10;
    return mkdirat(t->fd, "evil", 0700) == 0 ? 11 : 0;
}

static void a_process_keeps_its_home_only(void **state)
{
    static const char *const dirs[] = {"alice", "alice/new", "alice/cur", "bob"};
    const struct tmpdir *t = *state;
    struct err err = {0};
    int r;

    for (size_t i = 0; i < ARRAY_N(dirs); i++)
        assert_int_equal(mkdirat(t->fd, dirs[i], 0700), 0);
    assert_ok(file_put(t->fd, "alice/new/1", STR("mail"), 0600, &err), &err);
    assert_ok(file_put(t->fd, "bob/secret", STR("mail"), 0600, &err), &err);
    assert_int_equal(symlinkat("../bob/secret", t->fd, "alice/link"), 0);
    r = in_child(stays_in_its_home, t);
    if (r == UNABLE)
        SKIP("the kernel has no Landlock that allows renaming between directories");
    assert_int_equal(r, 0);
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

/* Opens 3 to 40; those named stay, in whatever order they are named. */
static int keeps_what_is_named(const struct tmpdir *t)
{
    static const int keep[] = {17, 5, 18, 5, 40, 1};
    struct err err = {0};

    for (int fd = 3; fd <= 40; fd++)
        if (dup2(t->fd, fd) < 0)
            return 1;
    if (confine_keep_only(keep, ARRAY_N(keep), &err) < 0)
        return 2;
    for (int fd = 0; fd <= 45; fd++) {
        bool want = fd <= 2 || fd == 5 || fd == 17 || fd == 18 || fd == 40;

        if (is_open(fd) != want)
            return 100 + fd;
    }
    return 0;
}

static int keeps_none(const struct tmpdir *t)
{
    struct err err = {0};

    for (int fd = 3; fd <= 10; fd++)
        if (dup2(t->fd, fd) < 0)
            return 1;
    if (confine_keep_only(NULL, 0, &err) < 0)
        return 2;
    for (int fd = 0; fd <= 10; fd++)
        if (is_open(fd) != (fd <= 2))
            return 100 + fd;
    return 0;
}

static void only_named_descriptors_stay_open(void **state)
{
    assert_int_equal(in_child(keeps_what_is_named, *state), 0);
    assert_int_equal(in_child(keeps_none, *state), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_process_keeps_its_home_only, tmpdir_setup,
                                        tmpdir_teardown),
        cmocka_unit_test_setup_teardown(only_named_descriptors_stay_open, tmpdir_setup,
                                        tmpdir_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
