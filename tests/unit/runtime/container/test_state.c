/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"
#include "runtime/container/state.h"
#include "runtime/kernel/proc.h"

#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

static void ids_are_one_plain_name(void **state)
{
    static const char *const good[] = {"a", "web-1", "A_b+c.d", "0", "a.."};
    static const char *const bad[] = {"", ".", "..", ".a", "a/b", "a b", "\n", "a\x80", "@"};
    struct err err = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(good); i++)
        assert_ok(container_id_check(good[i], &err), &err);
    for (size_t i = 0; i < ARRAY_N(bad); i++)
        assert_int_equal(container_id_check(bad[i], &err), -1);
}

static void what_is_written_is_read_again(void **state)
{
    struct tmpdir *t = *state;
    struct arena *a = arena_new(1 << 20);
    struct container_env env = {.root = tmpdir_path(t, "root")};
    struct container_pair pairs[] = {{"key", "va\"lue\n"}};
    struct state s = {.public = {.id = "c1",
                                 .bundle = "/b",
                                 .rootfs = "/b/r",
                                 .cgroup = "/x",
                                 .created = "2026-01-01T00:00:00Z",
                                 .pid = getpid(),
                                 .own_pid_ns = true,
                                 .annotations = pairs,
                                 .annotations_n = 1}};
    struct proc_stat st;
    struct state r;
    struct err err = {0};
    own_fd int dir = state_reserve(&env, "c1", &err);

    assert_ok(dir, &err);
    assert_int_equal(state_reserve(&env, "c1", &err), -1);
    assert_int_equal(err.code, EEXIST);
    assert_ok(state_load(&env, "c1", a, &r, &err), &err);
    assert_int_equal(r.public.status, CONTAINER_CREATING);
    (void)close(r.dir_fd);
    assert_ok(proc_stat(getpid(), &st, &err), &err);
    s.public.pid_start = st.start;
    s.root_moved = true;
    s.net = (struct usernet){.minder = {7, 8}, .helper = {9, 1234567890123}};
    assert_ok(state_write(dir, &s, &err), &err);
    assert_ok(state_load(&env, "c1", a, &r, &err), &err);
    assert_int_equal(r.public.status, CONTAINER_RUNNING);
    assert_string_equal(r.public.annotations[0].value, "va\"lue\n");
    assert_true(r.public.own_pid_ns);
    assert_true(r.root_moved);
    assert_int_equal(r.net.minder.pid, 7);
    assert_int_equal(r.net.helper.start, 1234567890123);
    (void)close(r.dir_fd);
    s.public.pid_start++; /* the pid has become another process's */
    assert_ok(state_write(dir, &s, &err), &err);
    assert_ok(state_load(&env, "c1", a, &r, &err), &err);
    assert_int_equal(r.public.status, CONTAINER_STOPPED);
    assert_int_equal(r.public.pid, 0);
    (void)close(r.dir_fd);
    assert_ok(state_remove(&env, "c1", &err), &err);
    assert_int_equal(state_load(&env, "c1", a, &r, &err), -1);
    assert_int_equal(err.code, ENOENT);
    arena_free(a);
}

static void groups_are_known_before_there_is_a_state(void **state)
{
    struct tmpdir *t = *state;
    struct arena *a = arena_new(1 << 20);
    struct container_env env = {.root = tmpdir_path(t, "root")};
    struct err err = {0};
    own_fd int dir = state_reserve(&env, "c1", &err);
    struct state s = {
        .scope = "runc-c1.scope",
        .cgroup = {.v = {{"memory", "/sys/fs/cgroup/memory", "/a/b", false}}, .n = 1},
        .dir_fd = dir,
    };
    struct state r = {.dir_fd = dir};

    assert_ok(dir, &err);
    assert_int_equal(state_load_groups(a, &r, &err), -1);
    assert_int_equal(err.code, ENOENT);
    assert_ok(state_write_groups(&s, false, &err), &err);
    assert_ok(state_load_groups(a, &r, &err), &err);
    assert_string_equal(r.scope, "runc-c1.scope");
    assert_string_equal(r.cgroup.v[0].path, "/a/b");
    assert_int_equal(r.needs_config, 0);
    s.scope = NULL;
    s.cgroup.n = 0;
    assert_ok(state_write_groups(&s, true, &err), &err); /* it is shorter than before */
    assert_ok(state_load_groups(a, &r, &err), &err);
    assert_string_equal(r.scope, "");
    assert_int_equal(r.cgroup.n, 0);
    assert_int_equal(r.needs_config, STATE_FOR_DELETE);
    arena_free(a);
}

static void groups_that_are_cut_short_are_none(void **state)
{
    static const char *const damaged[] = {"",
                                          "x.scope",
                                          "x.scope\n",
                                          "\n\nmemory:/sys/fs",
                                          "\n\nmemory\n",
                                          "\n\nmemory:/sys/fs/cgroup/memory:/a/../..\n"};
    struct tmpdir *t = *state;
    struct arena *a = arena_new(1 << 20);
    struct container_env env = {.root = tmpdir_path(t, "root")};
    struct err err = {0};
    own_fd int dir = state_reserve(&env, "c1", &err);

    assert_ok(dir, &err);
    for (size_t i = 0; i < ARRAY_N(damaged); i++) {
        struct state r = {.dir_fd = dir};

        assert_ok(file_put(dir, STATE_GROUPS, str_of(damaged[i]), 0600, &err), &err);
        assert_int_equal(state_load_groups(a, &r, &err), -1);
        assert_true(err.code == ENOENT || err.code == EINVAL);
        assert_int_equal(r.cgroup.n, 0);
    }
    arena_free(a);
}

static void containers_are_listed_in_order(void **state)
{
    struct tmpdir *t = *state;
    struct arena *a = arena_new(1 << 20);
    struct container_env env = {.root = tmpdir_path(t, "root")};
    static const char *const ids[] = {"b", "a", "c"};
    const char **found = NULL;
    struct err err = {0};
    size_t n = 9;

    assert_ok(container_list(&env, a, &found, &n, &err), &err);
    assert_int_equal(n, 0);
    for (size_t i = 0; i < ARRAY_N(ids); i++) {
        own_fd int fd = state_reserve(&env, ids[i], &err);

        assert_ok(fd, &err);
    }
    assert_ok(container_list(&env, a, &found, &n, &err), &err);
    assert_int_equal(n, 3);
    assert_string_equal(found[0], "a");
    assert_string_equal(found[2], "c");
    arena_free(a);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, tmpdir_setup, tmpdir_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ids_are_one_plain_name),
        TEST(what_is_written_is_read_again),
        TEST(groups_are_known_before_there_is_a_state),
        TEST(groups_that_are_cut_short_are_none),
        TEST(containers_are_listed_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
