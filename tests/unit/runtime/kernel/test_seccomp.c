/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/kernel/seccomp.h"

#include "tests/lib/bpf.h"
#include "tests/lib/test.h"

static struct seccomp_program compile(const char *const *names, size_t n)
{
    struct seccomp_rule rule = {.names = names, .names_n = n, .action = SCMP_ACT_ERRNO(EXDEV)};
    struct seccomp_rules r = {.default_action = SCMP_ACT_ALLOW, .v = &rule, .n = 1};
    struct seccomp_program p = {.code = NULL};
    struct err err = {0};

    assert_ok(seccomp_compile(&r, &p, &err), &err);
    return p;
}

static void a_loaded_program_decides(void **state)
{
    static const char *const names[] = {"uname"};
    struct seccomp_program p = compile(names, 1);
    struct utsname u;
    struct err err = {0};
    int status = 0;
    pid_t pid = fork();

    (void)state;
    if (pid == 0) {
        if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) < 0 || seccomp_apply(&p, 0, &err) < 0)
            _exit(2);
        _exit(uname(&u) == -1 && errno == EXDEV ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    seccomp_done(&p);
    assert_null(p.code);
}

static void an_unknown_name_is_left_out(void **state)
{
    static const char *const one[] = {"uname"}, *const two[] = {"no_such_call", "uname"};
    struct seccomp_program a = compile(one, 1), b = compile(two, 2);

    (void)state;
    assert_int_equal(a.n, b.n);
    assert_memory_equal(a.code, b.code, a.n * sizeof *a.code);
    seccomp_done(&a);
    seccomp_done(&b);
}

/* The answer to a system call, by number, of a profile that permits a few. */
static uint32_t ask(uint32_t default_action, int nr)
{
    static const char *const names[] = {"read", "write", "exit_group", "rseq"};
    struct seccomp_rule rule = {.names = names, .names_n = 4, .action = SCMP_ACT_ALLOW};
    struct seccomp_rules r = {.default_action = default_action, .v = &rule, .n = 1};
    struct seccomp_data d = {.nr = nr, .arch = seccomp_arch_native()};
    struct seccomp_program p = {.code = NULL};
    struct err err = {0};
    uint32_t answer = 0;

    assert_ok(seccomp_compile(&r, &p, &err), &err);
    answer = bpf_run(p.code, p.n, &d);
    seccomp_done(&p);
    return answer;
}

#define NEWER 1000

static void a_call_newer_than_a_list_of_permitted_ones_does_not_exist(void **state)
{
    (void)state;
    assert_int_equal(ask(SCMP_ACT_ERRNO(EPERM), SYS_read), SECCOMP_RET_ALLOW);
    assert_int_equal(ask(SCMP_ACT_ERRNO(EPERM), SYS_uname), SECCOMP_RET_ERRNO | EPERM);
    assert_int_equal(ask(SCMP_ACT_ERRNO(EPERM), NEWER), SECCOMP_RET_ERRNO | ENOSYS);
    assert_int_equal(ask(SCMP_ACT_LOG, SYS_uname), SECCOMP_RET_LOG);
    assert_int_equal(ask(SCMP_ACT_LOG, NEWER), SECCOMP_RET_LOG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loaded_program_decides),
        cmocka_unit_test(an_unknown_name_is_left_out),
        cmocka_unit_test(a_call_newer_than_a_list_of_permitted_ones_does_not_exist),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
