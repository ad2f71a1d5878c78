/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/kernel/scope.h"

#include "tests/lib/test.h"

static void a_path_names_slice_and_unit(void **state)
{
    struct arena *a = arena_new(1 << 16);
    struct scope s;
    struct err err = {0};

    (void)state;
    assert_ok(scope_parse(a, "machine.slice:libpod:abc", "id", &s, &err), &err);
    assert_string_equal(s.slice, "machine.slice");
    assert_string_equal(s.unit, "libpod-abc.scope");
    assert_ok(scope_parse(a, "a-b.slice::abc", "id", &s, &err), &err);
    assert_string_equal(s.unit, "abc.scope");
    assert_ok(scope_parse(a, NULL, "id", &s, &err), &err);
    assert_string_equal(s.slice, geteuid() == 0 ? "system.slice" : "user.slice");
    assert_string_equal(s.unit, "mailbox-run-id.scope");
    arena_free(a);
}

static void what_names_neither_is_refused(void **state)
{
    static const char *const wrong[] = {"/a/b",           "a.slice:b",        "a:b:c",
                                        "../a.slice:b:c", "a.slice:b:../c",   "a.slice:b/c:d",
                                        "x/y.slice:b:c",  "a.slice:b:c.slice"};
    struct arena *a = arena_new(1 << 16);
    struct scope s;
    struct err err = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(wrong); i++)
        assert_int_equal(scope_parse(a, wrong[i], "id", &s, &err), -1);
    arena_free(a);
}

static void one_s_own_place_is_found(void **state)
{
    struct arena *a = arena_new(1 << 16);
    const char *path = NULL;
    struct err err = {0};

    (void)state;
    assert_ok(scope_path(a, getpid(), &path, &err), &err);
    assert_int_equal(path[0], '/');
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_names_slice_and_unit),
        cmocka_unit_test(what_names_neither_is_refused),
        cmocka_unit_test(one_s_own_place_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
