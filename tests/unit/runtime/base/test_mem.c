/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/mem.h"
#include "runtime/base/own.h"

#include "tests/lib/test.h"

static void memory_is_zeroed_and_nothing_is_a_pointer_too(void **state)
{
    own_free char *p = mem_new(100);
    own_free char *none = mem_new(0);
    own_free char *neither = mem_array(0, SIZE_MAX);
    own_free char *copy = mem_dup_c("abc");

    (void)state;
    for (int i = 0; i < 100; i++)
        assert_int_equal(p[i], 0);
    assert_non_null(none);
    assert_non_null(neither);
    assert_string_equal(copy, "abc");
}

static void growing_keeps_the_content(void **state)
{
    char *p = mem_dup_c("abc");

    (void)state;
    for (size_t n = 4; n < 100000; n *= 2)
        p = mem_grow(p, n, 1);
    assert_string_equal(p, "abc");
    p = mem_grow(p, 0, 8);
    assert_non_null(p);
    free(p);
}

/* How a child ends that asks for so much. */
static int child_status(size_t n, size_t each)
{
    pid_t pid = fork();
    int status = 0;

    if (pid == 0) {
        struct rlimit no_core = {0, 0};
        int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

        (void)dup2(null_fd, STDERR_FILENO);
        (void)setrlimit(RLIMIT_CORE, &no_core);
        (void)signal(SIGABRT, SIG_DFL); /* cmocka has a handler of its own */
        free(mem_array(n, each));
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void out_of_memory_and_overflow_abort(void **state)
{
    (void)state;
    assert_int_equal(child_status(1, 100), 0);
    assert_int_not_equal(child_status(SIZE_MAX / 2 + 1, 2), 0);
    assert_int_not_equal(child_status(1, SIZE_MAX / 2), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_and_nothing_is_a_pointer_too),
        cmocka_unit_test(growing_keeps_the_content),
        cmocka_unit_test(out_of_memory_and_overflow_abort),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
