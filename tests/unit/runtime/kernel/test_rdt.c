/* SPDX-License-Identifier: Apache-2.0 */
/* resctrl needs hardware; plain directories and files stand in for it. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"
#include "runtime/kernel/rdt.h"

#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

static void put(const char *dir, const char *name, const char *text)
{
    char path[512];
    struct err err = {0};

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_ok(file_put(AT_FDCWD, path, str_of(text), 0600, &err), &err);
}

static void make_dir(const char *dir, const char *name)
{
    char path[512];

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static void a_shared_group_must_have_what_is_asked_for(void **state)
{
    static const char *const good[] = {"L3:0=f"}, *const bad[] = {"L3:0=1"};
    struct tmpdir *t = tmpdir_new();
    struct rdt r = {.group = "g", .shared = true, .schema = good, .schema_n = 1};
    struct err err = {0};

    (void)state;
    r.root = t->path;
    make_dir(t->path, "g");
    put(t->path, "g/schemata", "    L3:0=f\n    MB:0=100\n");
    put(t->path, "g/tasks", "");
    assert_ok(rdt_make(&r, &err), &err);
    r.schema = bad;
    assert_int_equal(rdt_make(&r, &err), -1);
    assert_err(&err, "'L3:0=1'");
    assert_ok(rdt_enter(&r, 77, &err), &err);
    assert_ok(rdt_remove(&r, &err), &err);
    assert_int_equal(faccessat(AT_FDCWD, t->path, F_OK, 0), 0);
    tmpdir_free(t);
}

static void a_shared_group_without_schemata_must_exist(void **state)
{
    struct tmpdir *t = tmpdir_new();
    struct rdt r = {.group = "absent", .shared = true};
    struct err err = {0};
    char path[512];

    (void)state;
    r.root = t->path;
    assert_int_equal(rdt_make(&r, &err), -1);
    assert_int_equal(err.code, ENOENT);
    (void)snprintf(path, sizeof path, "%s/absent", t->path);
    assert_int_equal(access(path, F_OK), -1);
    tmpdir_free(t);
}

static void a_group_of_the_container_comes_and_goes(void **state)
{
    struct tmpdir *t = tmpdir_new();
    struct rdt r = {.group = "id"};
    struct err err = {0};
    char path[512];

    (void)state;
    r.root = t->path;
    assert_ok(rdt_make(&r, &err), &err);
    assert_int_equal(rdt_make(&r, &err), -1); /* it is somebody else's */
    assert_ok(rdt_remove(&r, &err), &err);
    (void)snprintf(path, sizeof path, "%s/id", t->path);
    assert_int_equal(access(path, F_OK), -1);
    assert_ok(rdt_remove(&r, &err), &err);
    assert_false(rdt_is_on(t->path));
    tmpdir_free(t);
}

static void a_monitoring_group_lies_beneath(void **state)
{
    struct tmpdir *t = tmpdir_new();
    struct rdt r = {.group = "/", .shared = true, .monitor = "m"};
    struct err err = {0};
    own_buf struct buf text = BUF_INIT(64);
    char path[512];

    (void)state;
    r.root = t->path;
    make_dir(t->path, "mon_groups");
    put(t->path, "tasks", "");
    assert_ok(rdt_make(&r, &err), &err);
    put(t->path, "mon_groups/m/tasks", "");
    assert_ok(rdt_enter(&r, 77, &err), &err);
    (void)snprintf(path, sizeof path, "%s/mon_groups/m/tasks", t->path);
    assert_ok(file_read(AT_FDCWD, path, &text, &err), &err);
    assert_string_equal(buf_c(&text), "77\n");
    assert_int_equal(unlink(path), 0);
    assert_ok(rdt_remove(&r, &err), &err);
    tmpdir_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shared_group_must_have_what_is_asked_for),
        cmocka_unit_test(a_shared_group_without_schemata_must_exist),
        cmocka_unit_test(a_group_of_the_container_comes_and_goes),
        cmocka_unit_test(a_monitoring_group_lies_beneath),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
