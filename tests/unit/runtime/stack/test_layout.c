/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/file.h"
#include "runtime/stack/layout.h"

#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

static void put(const struct tmpdir *t, const char *name)
{
    struct err err = {0};

    assert_ok(file_put(t->fd, name, STR("{}"), 0600, &err), &err);
}

static struct layout find(struct arena *a, const char *path)
{
    struct layout l;
    struct err err = {0};

    assert_ok(layout_find(a, path, &l, &err), &err);
    return l;
}

static void one_file_has_one_place_however_it_is_named(void **state)
{
    const struct tmpdir *t = *state;
    struct arena *a = arena_new(1u << 20);
    struct layout direct;
    struct layout by_link;

    put(t, "mailstack.json");
    assert_int_equal(symlinkat("mailstack.json", t->fd, "other.json"), 0);
    direct = find(a, tmpdir_path(t, "mailstack.json"));
    by_link = find(a, tmpdir_path(t, "other.json"));
    assert_string_equal(direct.run, by_link.run);
    assert_string_equal(direct.file, by_link.file);
    /* A container's id begins with no dot: list and delete do not take a stack for one. */
    assert_string_equal(direct.run, arena_printf(a, "%s/.%s", direct.top, direct.id));
    assert_true(str_starts(str_of(direct.id), STR("mailstack-")));
    assert_string_equal(layout_of(a, &direct, "smtpd", NULL),
                        arena_printf(a, "%s/smtpd", direct.run));
    assert_string_equal(layout_of(a, &direct, "smtpd", "conf"),
                        arena_printf(a, "%s/smtpd/conf", direct.run));
    arena_free(a);
}

static void two_files_have_two_places(void **state)
{
    const struct tmpdir *t = *state;
    struct arena *a = arena_new(1u << 20);

    assert_int_equal(mkdirat(t->fd, "a", 0700), 0);
    put(t, "mailstack.json");
    put(t, "a/mailstack.json");
    assert_string_not_equal(find(a, tmpdir_path(t, "mailstack.json")).run,
                            find(a, tmpdir_path(t, "a/mailstack.json")).run);
    arena_free(a);
}

/* The name goes into paths, cgroups and a table of the kernel. */
static void no_name_leaves_the_place(void **state)
{
    static const char *const names[] = {"..json",    "a b;c.json", "\xc3\xbc\n.json",
                                        "%s%n.json", "a.b.c",      "-rf.json"};
    const struct tmpdir *t = *state;
    struct arena *a = arena_new(1u << 20);
    char longest[200];

    for (size_t i = 0; i < ARRAY_N(names); i++) {
        struct layout l;

        put(t, names[i]);
        l = find(a, tmpdir_path(t, names[i]));
        for (const char *p = l.id; *p; p++)
            assert_true(ascii_is_alnum(*p) || *p == '-' || *p == '_');
    }
    memset(longest, 'x', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    put(t, longest);
    assert_true(strlen(find(a, tmpdir_path(t, longest)).id) < 64); /* sockets have short paths */
    arena_free(a);
}

static void a_file_that_is_not_there_is_an_error(void **state)
{
    const struct tmpdir *t = *state;
    struct arena *a = arena_new(1u << 20);
    struct layout l;
    struct err err = {0};

    assert_int_equal(layout_find(a, tmpdir_path(t, "nothing.json"), &l, &err), -1);
    assert_err(&err, "nothing.json");
    arena_free(a);
}

/* An ordinary user's lies where his session keeps such things, and nowhere else. */
static void an_ordinary_user_has_a_place_of_his_own(void **state)
{
    const struct tmpdir *t = *state;
    struct arena *a = arena_new(1u << 20);
    struct layout l;
    struct err err = {0};

    put(t, "mailstack.json");
    if (geteuid() == 0) {
        assert_string_equal(find(a, tmpdir_path(t, "mailstack.json")).top, "/run/mailbox-run");
    } else {
        assert_string_equal(find(a, tmpdir_path(t, "mailstack.json")).top,
                            "/run/user/x/mailbox-run");
        assert_int_equal(unsetenv("XDG_RUNTIME_DIR"), 0);
        assert_int_equal(layout_find(a, tmpdir_path(t, "mailstack.json"), &l, &err), -1);
        assert_err(&err, "XDG_RUNTIME_DIR");
    }
    arena_free(a);
}

static int set_up(void **state)
{
    assert_int_equal(setenv("XDG_RUNTIME_DIR", "/run/user/x", 1), 0);
    return tmpdir_setup(state);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tmpdir_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(one_file_has_one_place_however_it_is_named),
        CASE(two_files_have_two_places),
        CASE(no_name_leaves_the_place),
        CASE(a_file_that_is_not_there_is_an_error),
        CASE(an_ordinary_user_has_a_place_of_his_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
