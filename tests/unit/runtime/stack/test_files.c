/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/resource.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/own.h"
#include "runtime/spec/stack.h"
#include "runtime/stack/files.h"
#include "runtime/stack/svc.h"

#include "tests/lib/test.h"

static void load(struct arena *a, struct svc_table *t)
{
    struct err err = {0};

    assert_ok(svc_load(a, t, &err), &err);
}

static void a_row_is_lowered_and_told(void **state)
{
    struct arena *a = arena_new(1 << 20);
    struct stack_config c = {.listen = {[STACK_SMTP] = {.n = 1}, [STACK_IMAP] = {.n = 1}}};
    own_buf struct buf note = BUF_INIT(1024);
    struct svc_table t;
    struct err err = {0};

    (void)state;
    load(a, &t);
    assert_ok(files_fit(&t, &c, UINT32_MAX, &err), &err);
    files_note(&t, &c, &note);
    assert_string_equal(buf_c(&note), "set");
    buf_reset(&note);
    assert_ok(files_fit(&t, &c, 8192, &err), &err);
    assert_int_equal(svc_get(&t, "frontd")->limits.nofile, 8192);
    assert_int_equal(svc_get(&t, "authd")->nofile_wanted, 0);
    assert_int_equal(svc_get(&t, "smtpd")->nofile_wanted, 0);
    files_note(&t, &c, &note);
    assert_true(str_starts(buf_str(&note), STR("8192 of 16384 for frontd: raise")));
    arena_free(a);
}

static void too_few_for_anything_is_an_error(void **state)
{
    struct arena *a = arena_new(1 << 20);
    struct stack_config c = {.hostname = "h"};
    struct svc_table t;
    struct err err = {0};

    (void)state;
    load(a, &t);
    assert_int_equal(files_fit(&t, &c, FILES_MIN - 1, &err), -1);
    assert_err(&err, "needs 256 open files, and 255 are permitted");
    arena_free(a);
}

static void the_ceiling_leaves_the_limit_as_it_was(void **state)
{
    struct rlimit before, after;
    uint32_t n = 0;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    n = files_ceiling();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &after), 0);
    assert_true(n == UINT32_MAX || n == before.rlim_max);
    assert_true(before.rlim_max == after.rlim_max && before.rlim_cur == after.rlim_cur);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_is_lowered_and_told),
        cmocka_unit_test(too_few_for_anything_is_an_error),
        cmocka_unit_test(the_ceiling_leaves_the_limit_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
