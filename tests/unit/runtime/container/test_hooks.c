/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"
#include "runtime/container/container.h"
#include "runtime/container/hooks.h"

#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

static int run_script(struct arena *a, const char *script, uint32_t timeout_s, struct err *err)
{
    const char *argv[] = {"sh", "-c", script, NULL};
    struct oci_hook hook = {.path = "/bin/sh", .args = {argv, 3}, .timeout_s = timeout_s};
    struct oci_config c = {.hooks = {[OCI_HOOK_POSTSTOP] = {&hook, 1}}};
    struct container_pair pairs[] = {{"k\"", "v"}};
    struct container_state s = {
        .id = "c1", .bundle = "/b", .annotations = pairs, .annotations_n = 1};
    struct hook_state text;
    struct hook_moment m = {.state = &text, .status = "stopped", .pid = 42};

    assert_ok(hook_state_make(a, &s, &text, err), err);
    return hooks_run(&c, OCI_HOOK_POSTSTOP, &m, err);
}

static void the_state_comes_on_standard_input(void **state)
{
    struct tmpdir *t = *state;
    struct arena *a = arena_new(1 << 20);
    own_buf struct buf text = BUF_INIT(4096);
    struct err err = {0};

    assert_ok(run_script(a, arena_printf(a, "cat > %s/out", t->path), 10, &err), &err);
    assert_ok(file_read(t->fd, "out", &text, &err), &err);
    assert_string_equal(buf_c(&text),
                        "{\"ociVersion\":\"" OCI_VERSION
                        "\",\"id\":\"c1\",\"status\":\"stopped\",\"pid\":42,\"bundle\":\"/b\","
                        "\"annotations\":{\"k\\\"\":\"v\"}}\n");
    arena_free(a);
}

static void a_failure_tells_what_the_hook_said(void **state)
{
    struct arena *a = arena_new(1 << 20);
    struct err err = {0};

    (void)state;
    assert_int_equal(run_script(a, "echo no luck >&2; exit 3", 10, &err), -1);
    assert_err(&err, "$.hooks.poststop[0]");
    assert_err(&err, "poststop hook failed with exit code 3, saying: no luck");
    arena_free(a);
}

static void a_hook_that_takes_too_long_is_killed(void **state)
{
    struct arena *a = arena_new(1 << 20);
    struct err err = {0};

    (void)state;
    assert_int_equal(run_script(a, "sleep 30", 1, &err), -1);
    assert_err(&err, "not done after 1 s");
    arena_free(a);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, tmpdir_setup, tmpdir_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_state_comes_on_standard_input),
        TEST(a_failure_tells_what_the_hook_said),
        TEST(a_hook_that_takes_too_long_is_killed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
