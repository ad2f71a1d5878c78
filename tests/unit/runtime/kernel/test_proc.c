/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/own.h"
#include "runtime/kernel/proc.h"

#include "tests/lib/test.h"

static bool is_alive(pid_t pid, uint64_t start)
{
    struct err err = {0};
    bool alive = false;

    assert_ok(proc_alive(pid, start, &alive, &err), &err);
    return alive;
}

static void a_process_is_known_by_pid_and_start(void **state)
{
    struct proc_stat st;
    struct err err = {0};
    own_fd int fd = -1;

    (void)state;
    assert_ok(proc_stat(getpid(), &st, &err), &err);
    assert_int_equal(st.state, 'R');
    assert_true(is_alive(getpid(), st.start));
    assert_false(is_alive(getpid(), st.start + 1));
    assert_int_equal(proc_pidfd(getpid(), st.start + 1, &err), -1);
    assert_int_equal(err.code, ESRCH);
    fd = proc_pidfd(getpid(), st.start, &err);
    assert_true(fd >= 0);
}

static void abort_by(int signo)
{
    (void)signo;
    abort();
}

static bool heeds(int signo)
{
    struct proc_stat st;
    struct err err = {0};

    assert_ok(proc_stat(getpid(), &st, &err), &err);
    return (st.heeds >> (signo - 1) & 1) != 0;
}

static void what_is_blocked_ignored_or_caught_is_heeded(void **state)
{
    sigset_t set;

    (void)state;
    assert_false(heeds(SIGUSR1));
    assert_false(heeds(SIGUSR2));
    (void)signal(SIGUSR1, SIG_IGN);
    assert_true(heeds(SIGUSR1));
    (void)signal(SIGUSR1, SIG_DFL);
    assert_false(heeds(SIGUSR1));
    (void)signal(SIGUSR1, abort_by);
    assert_true(heeds(SIGUSR1));
    (void)signal(SIGUSR1, SIG_DFL);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGUSR2);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    assert_true(heeds(SIGUSR2));
    (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void a_zombie_is_not_alive(void **state)
{
    struct proc_stat st;
    struct err err = {0};
    siginfo_t info;
    pid_t pid = fork();

    (void)state;
    if (pid == 0)
        _exit(7);
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_ok(proc_stat(pid, &st, &err), &err);
    assert_false(is_alive(pid, st.start));
    assert_false(st.executed); /* also of a zombie it can be told that it ended before an execve */
    assert_int_equal(st.status, 7 << 8);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(proc_stat(pid, &st, &err), -1);
    assert_int_equal(err.code, ESRCH);
}

static void nothing_is_written_outside_of_proc(void **state)
{
    struct err err = {0};
    own_fd int fd = proc_open(&err);

    (void)state;
    assert_ok(fd, &err);
    assert_int_equal(proc_write(fd, "../tmp/x", "1", &err), -1);
    assert_int_equal(proc_write(fd, "self/root/tmp/x", "1", &err), -1);
    assert_int_equal(proc_sysctl(fd, "net.ipv4..no_such_key", "1", &err), -1);
    assert_int_equal(proc_sysctl(fd, "/../self/oom_score_adj", "0", &err), -1);
    assert_int_equal(proc_sysctl(fd, "no/such/key", "1", &err), -1);
    assert_int_equal(err.code, ENOENT);
}

static void every_id_of_a_list_is_among_it_and_no_other(void **state)
{
    pid_t ids[33];

    (void)state;
    for (size_t i = 0; i < ARRAY_N(ids); i++)
        ids[i] = (pid_t)(3 * i + 1);
    for (size_t n = 0; n <= ARRAY_N(ids); n++)
        for (pid_t pid = 0; pid < 110; pid++)
            assert_int_equal(proc_is_among(pid, ids, n), pid % 3 == 1 && (size_t)(pid / 3) < n);
}

static void a_path_to_the_own_namespace_is_seen_through(void **state)
{
    char path[64];

    (void)state;
    (void)snprintf(path, sizeof path, "/proc/%d/ns/uts", getpid());
    assert_true(proc_is_own_ns(path, "uts"));
    assert_true(proc_is_own_ns("/proc/thread-self/ns/uts", "uts"));
    assert_false(proc_is_own_ns(path, "ipc"));
    assert_false(proc_is_own_ns("/proc/self", "uts"));
    assert_false(proc_is_own_ns("/no/such", "uts"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_is_known_by_pid_and_start),
        cmocka_unit_test(what_is_blocked_ignored_or_caught_is_heeded),
        cmocka_unit_test(a_zombie_is_not_alive),
        cmocka_unit_test(nothing_is_written_outside_of_proc),
        cmocka_unit_test(every_id_of_a_list_is_among_it_and_no_other),
        cmocka_unit_test(a_path_to_the_own_namespace_is_seen_through),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
