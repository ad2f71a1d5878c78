/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/child.h"

#include "tests/lib/test.h"

static int ended;

static void note(struct child *c)
{
    ended++;
    assert_int_equal(c->pid, 0);
    assert_int_equal(c->pid_fd, -1);
}

static void run_and_expect(int code, int signo, const char *text, int exit_code)
{
    struct err err;
    struct loop *l = loop_new(&err);
    struct child c = {.fn = note};
    char how[CHILD_TEXT_MAX];
    pid_t pid = fork();

    if (pid == 0) {
        if (signo != 0)
            (void)pause();
        _exit(code);
    }
    ended = 0;
    assert_ok(child_watch(l, &c, pid, &err), &err);
    assert_int_equal(c.pid, pid);
    if (signo != 0)
        assert_ok(child_kill(&c, signo, &err), &err);
    while (ended == 0)
        assert_ok(loop_turn(l, 5000, &err), &err);
    child_describe(c.status, how);
    assert_string_equal(how, text);
    assert_int_equal(child_exit_code(c.status), exit_code);
    assert_int_equal(waitpid(pid, NULL, WNOHANG), -1); /* it was reaped */
    assert_int_equal(child_kill(&c, SIGTERM, &err), -1);
    assert_int_equal(err.code, ESRCH);
    loop_free(l);
}

static void an_end_is_told_once_with_its_reason(void **state)
{
    (void)state;
    run_and_expect(0, 0, "exited with 0", 0);
    run_and_expect(7, 0, "exited with 7", 7);
    run_and_expect(0, SIGKILL, "killed by SIGKILL", 137);
    run_and_expect(0, SIGTERM, "killed by SIGTERM", 143);
}

static void statuses_in_words(void **state)
{
    char how[CHILD_TEXT_MAX];

    (void)state;
    child_describe(SIGSEGV | 0x80, how);
    assert_string_equal(how, "killed by SIGSEGV (core dumped)");
    child_describe(63, how);
    assert_string_equal(how, "killed by SIGRTMIN+29");
    child_describe(0x137f, how);
    assert_string_equal(how, "stopped with status 4991");
}

static void unwatching_neither_kills_nor_waits(void **state)
{
    struct err err;
    struct loop *l = loop_new(&err);
    struct child c = {.fn = note};
    int status;
    pid_t pid = fork();

    (void)state;
    if (pid == 0) {
        (void)pause();
        _exit(0);
    }
    assert_ok(child_watch(l, &c, pid, &err), &err);
    child_unwatch(&c);
    child_unwatch(&c);
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(child_watch(l, &c, pid, &err), -1);
    assert_int_equal(err.code, ESRCH);
    loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_end_is_told_once_with_its_reason),
        cmocka_unit_test(statuses_in_words),
        cmocka_unit_test(unwatching_neither_kills_nor_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
