/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/kernel/environ.h"

#include "tests/lib/test.h"

static bool all_blank(void)
{
    for (char **e = environ; *e != NULL; e++)
        if (**e != '\0')
            return false;
    return true;
}

static void it_comes_back_as_it_was(void **state)
{
    char first[] = "TOKEN=of the host", empty[] = "", last[] = "X=";
    char *of_test[] = {first, empty, last, NULL};
    char **before = environ;
    struct environ_hidden h;
    struct err err = {0};

    (void)state;
    environ = of_test;
    assert_ok(environ_hide(&h, &err), &err);
    assert_true(all_blank());
    assert_memory_equal(first, (char[sizeof first]){0}, sizeof first);
    environ_show(&h);
    assert_string_equal(first, "TOKEN=of the host");
    assert_string_equal(empty, "");
    assert_string_equal(last, "X=");
    environ = before;
}

/* The kernel has no mapping for the child, so a write from there fails. */
static void a_child_has_nothing_of_it(void **state)
{
    char one[] = "TOKEN=of the host";
    char *of_test[] = {one, NULL};
    char **before = environ;
    struct environ_hidden h;
    struct err err = {0};
    int status = -1, ends[2];
    pid_t child = -1;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    environ = of_test;
    assert_ok(environ_hide(&h, &err), &err);
    child = fork();
    if (child == 0)
        _exit(!all_blank() || write(ends[1], h.p, 1) != -1);
    environ_show(&h);
    environ = before;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_string_equal(one, "TOKEN=of the host");
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void none_at_all(void **state)
{
    char *of_test[] = {NULL};
    char **before = environ;
    struct environ_hidden h;
    struct err err = {0};

    (void)state;
    environ = of_test;
    assert_ok(environ_hide(&h, &err), &err);
    environ_show(&h);
    environ = NULL;
    assert_ok(environ_hide(&h, &err), &err);
    environ_show(&h);
    environ = before;
}

static void forgotten_for_good(void **state)
{
    char one[] = "TOKEN=of the host";
    char *of_test[] = {one, NULL};
    char **before = environ;

    (void)state;
    environ = of_test;
    environ_forget();
    assert_true(all_blank());
    environ = before;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_comes_back_as_it_was),
        cmocka_unit_test(a_child_has_nothing_of_it),
        cmocka_unit_test(none_at_all),
        cmocka_unit_test(forgotten_for_good),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
