/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/file.h"
#include "runtime/container/held.h"
#include "runtime/kernel/cgroup.h"

#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

#define TEXT                                                                   \
    "12:memory:/m\n7:xfreezer:/not\n4:cpu,freezer:/a:b/c\n1:name=systemd:/s\n" \
    "0::/u/v\n"

static const struct cgroup_hier v1 = {"cpu,freezer", "/f", "/a", false};
static const struct cgroup_hier v2 = {"", "/u", "/b", true};

static void the_path_is_that_of_the_line(void **state)
{
    (void)state;
    assert_str(held_path(STR(TEXT), &v1), "/a:b/c");
    assert_str(held_path(STR(TEXT), &v2), "/u/v");
    assert_str(held_path(STR("0::/../x\n4:freezer:/../../y\n"), &v1), "");
    assert_str(held_path(STR("0::/../x\n4:freezer:/../../y\n"), &v2), "");
    assert_str(held_path(STR("4:memory:/y\nnonsense\n:\n"), &v1), "");
    assert_str(held_path(STR(""), &v2), "");
}

/* A directory with the files that are looked at does for a hierarchy. */
static void a_group_is_held_by_those_above_it(void **state)
{
    const struct tmpdir *t = *state;
    struct cgroup_hier unified = {"", t->path, "/a/b/c", true};
    struct cgroup_hier freezer = {"freezer", t->path, "/a/b", false};
    struct cgroup_hier other = {"memory", t->path, "/a/b", false};
    struct err err = {0};

    assert_ok(file_mkdir_p(t->fd, "a/b/c", 0700, &err), &err);
    assert_ok(file_put(t->fd, "a/b/cgroup.freeze", STR("0\n"), 0600, &err), &err);
    assert_false(held_group(&unified));
    assert_ok(file_put(t->fd, "a/cgroup.freeze", STR("1\n"), 0600, &err), &err);
    assert_true(held_group(&unified));
    unified.path = "/x";
    assert_false(held_group(&unified));
    assert_ok(file_put(t->fd, "a/b/freezer.state", STR("THAWED\n"), 0600, &err), &err);
    assert_false(held_group(&freezer));
    assert_ok(file_put(t->fd, "a/b/freezer.state", STR("FREEZING\n"), 0600, &err), &err);
    assert_true(held_group(&freezer));
    assert_false(held_group(&other));
}

static void a_process_is_ended_and_whether_it_did_is_told(void **state)
{
    struct cgroup none = {.n = 0};
    pid_t pid = fork();
    int status = 0, pid_fd = -1;

    (void)state;
    if (pid == 0)
        for (;;)
            (void)pause();
    pid_fd = pidfd_open(pid, 0);
    assert_true(pid_fd >= 0);
    assert_false(held_process(&none, pid));
    assert_int_equal(held_end(&none, pid, pid_fd), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WTERMSIG(status), SIGKILL);
    assert_false(held_process(&none, pid));
    (void)close(pid_fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_path_is_that_of_the_line),
        cmocka_unit_test_setup_teardown(a_group_is_held_by_those_above_it, tmpdir_setup,
                                        tmpdir_teardown),
        cmocka_unit_test(a_process_is_ended_and_whether_it_did_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
