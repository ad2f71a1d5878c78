/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/own.h"
#include "runtime/kernel/cgroup.h"

#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

#define HYBRID "9:name=systemd:/\n8:pids:/\n4:memory:/own/group\n2:cpu,cpuacct:/x\n0::/u\n"

static int parse(struct arena *a, struct str self, bool unified, const char *v2_mount,
                 const char *path, struct cgroup *out, struct err *err)
{
    struct cgroup_host host = {.self = self, .unified = unified, .v2_mount = v2_mount};

    return cgroup_parse(a, &host, path, out, err);
}

static int setup(void **state)
{
    *state = arena_new(1 << 20);
    return 0;
}

static int teardown(void **state)
{
    arena_free(*state);
    return 0;
}

static void a_relative_path_lies_beneath_ones_own_group(void **state)
{
    struct cgroup g;
    struct err err = {0};

    assert_ok(parse(*state, STR(HYBRID), false, "/sys/fs/cgroup/unified", "c1", &g, &err), &err);
    assert_int_equal(g.n, 4);
    assert_string_equal(cgroup_find(&g, "memory")->path, "/own/group/c1");
    assert_string_equal(cgroup_find(&g, "memory")->mount, "/sys/fs/cgroup/memory");
    assert_string_equal(cgroup_find(&g, "cpuacct")->path, "/x/c1");
    assert_string_equal(g.v[3].path, "/u/c1");
    assert_true(g.v[3].v2);
    assert_null(cgroup_find(&g, "rdma"));
}

static void an_absolute_path_stands_alone(void **state)
{
    struct cgroup g;
    struct err err = {0};

    assert_ok(parse(*state, STR(HYBRID), false, NULL, "/a//b/./c/", &g, &err), &err);
    assert_int_equal(g.n, 3);
    assert_string_equal(g.v[0].path, "/a/b/c");
}

static void unified_means_one_hierarchy_for_all(void **state)
{
    struct cgroup g;
    struct err err = {0};

    assert_ok(parse(*state, STR("0::/slice/me\n"), true, "/sys/fs/cgroup", "c", &g, &err), &err);
    assert_int_equal(g.n, 1);
    assert_ptr_equal(cgroup_find(&g, "pids"), &g.v[0]);
    assert_string_equal(g.v[0].path, "/slice/c");
}

static void paths_that_leave_or_name_the_root_are_refused(void **state)
{
    static const char *const bad[] = {"../x", "/a/../b", "a/..", "/", "//"};
    struct cgroup g;

    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        struct err err = {0};

        assert_int_equal(parse(*state, STR("4:memory:/\n"), false, NULL, bad[i], &g, &err), -1);
        assert_err(&err, "cgroup path");
    }
}

static void what_was_described_is_recalled(void **state)
{
    own_buf struct buf text = BUF_INIT(4096), again = BUF_INIT(4096);
    struct cgroup g, h;
    struct err err = {0};

    assert_ok(parse(*state, STR(HYBRID), false, "/sys/fs/cgroup/unified", "c", &g, &err), &err);
    cgroup_describe(&g, &text);
    assert_ok(cgroup_recall(*state, buf_str(&text), &h, &err), &err);
    cgroup_describe(&h, &again);
    assert_string_equal(buf_c(&text), buf_c(&again));
    assert_int_equal(cgroup_recall(*state, STR("memory:/x"), &h, &err), -1);
    assert_err(&err, "damaged");
}

/* Directories of any file system stand for groups here. */
static void what_is_empty_is_removed_at_once(void **state)
{
    struct tmpdir *t = tmpdir_new();
    const char *top = t->path;
    char inner[PATH_MAX];
    struct cgroup g = {.n = 2};

    (void)state;
    g.v[0] = (struct cgroup_hier){.controllers = "pids", .mount = top, .path = "/a"};
    g.v[1] = (struct cgroup_hier){.controllers = "memory", .mount = top, .path = "/b"};
    (void)snprintf(inner, sizeof inner, "%s/b", top);
    assert_int_equal(mkdir(inner, 0700), 0);
    (void)snprintf(inner, sizeof inner, "%s/b/c", top);
    assert_int_equal(mkdir(inner, 0700), 0);
    assert_false(cgroup_remove_empty(&g)); /* of a there is none, b has one beneath it */
    assert_int_equal(rmdir(inner), 0);
    assert_true(cgroup_remove_empty(&g));
    assert_true(cgroup_remove_empty(&g));
    tmpdir_free(t);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_relative_path_lies_beneath_ones_own_group),
        TEST(an_absolute_path_stands_alone),
        TEST(unified_means_one_hierarchy_for_all),
        TEST(paths_that_leave_or_name_the_root_are_refused),
        TEST(what_was_described_is_recalled),
        TEST(what_is_empty_is_removed_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
