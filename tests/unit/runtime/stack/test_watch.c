/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/stack/watch.h"

#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

struct world {
    struct tmpdir *dir;
    struct loop *loop;
    struct watch watch;
    int calls;
};

static void on_change(struct watch *w)
{
    container_of(w, struct world, watch)->calls++;
}

static int set_up(void **state)
{
    static struct world w;
    struct err err = {0};

    w = (struct world){
        .dir = tmpdir_new(), .loop = loop_new(&err), .watch = {.fn = on_change, .fd = -1}};
    assert_ok(watch_open(&w.watch, w.loop, tmpdir_path(w.dir, "accounts.json"), &err), &err);
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    watch_close(&w->watch);
    watch_close(&w->watch); /* harmless */
    loop_free(w->loop);
    tmpdir_free(w->dir);
    return 0;
}

static int calls(struct world *w)
{
    struct err err = {0};
    int n;

    for (int i = 0; i < 4; i++)
        assert_ok(loop_turn(w->loop, 0, &err), &err);
    n = w->calls;
    w->calls = 0;
    return n;
}

static void put(struct world *w, const char *name)
{
    struct err err = {0};

    assert_ok(file_replace(w->dir->fd, name, STR("x"), 0600, &err), &err);
}

static void every_way_to_change_the_file_is_noticed(void **state)
{
    struct world *w = *state;
    FILE *f;

    assert_int_equal(calls(w), 0);
    put(w, "accounts.json"); /* made, by rename */
    assert_true(calls(w) > 0);
    put(w, "accounts.json"); /* replaced */
    assert_true(calls(w) > 0);
    f = fopen(tmpdir_path(w->dir, "accounts.json"), "ae"); /* written in place, by an editor */
    assert_non_null(f);
    assert_int_equal(fputs("y", f) >= 0, 1);
    assert_int_equal(fclose(f), 0);
    assert_true(calls(w) > 0);
}

static void other_files_are_not(void **state)
{
    struct world *w = *state;

    put(w, "accounts.jso");
    put(w, "accounts.json5");
    put(w, "a");
    assert_int_equal(mkdirat(w->dir->fd, "sub", 0700), 0);
    put(w, "sub/accounts.json");
    assert_int_equal(calls(w), 0);
}

/* The queue of the kernel overflows: what was lost may have been ours. */
static void a_flood_does_not_hide_the_change(void **state)
{
    struct world *w = *state;
    char name[32];
    int seen = 0;

    for (int i = 0; i < 20000; i++) {
        (void)snprintf(name, sizeof(name), "f%d", i % 7);
        assert_int_equal(mkdirat(w->dir->fd, name, 0700), 0);
        assert_int_equal(unlinkat(w->dir->fd, name, AT_REMOVEDIR), 0);
    }
    put(w, "accounts.json");
    for (int i = 0; i < 2000; i++)
        seen += calls(w);
    assert_true(seen > 0);
}

static void a_directory_that_is_not_there_is_an_error(void **state)
{
    struct world *w = *state;
    struct watch other = {.fn = on_change, .fd = -1};
    struct err err = {0};

    assert_int_equal(watch_open(&other, w->loop, "/nowhere/at/all", &err), -1);
    assert_err(&err, "/nowhere/at");
    watch_close(&other);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(every_way_to_change_the_file_is_noticed),
        CASE(other_files_are_not),
        CASE(a_flood_does_not_hide_the_change),
        CASE(a_directory_that_is_not_there_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
