/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/arena.h"

#include "images/lib/recipe.h"

#include "tests/lib/test.h"

#define ARENA_MAX (1U << 20)
#define HEAD      "{\"name\":\"a\",\"entrypoint\":[\"/a\"]"

static int setup(void **state)
{
    *state = arena_new(ARENA_MAX);
    return 0;
}

static int teardown(void **state)
{
    arena_free(*state);
    return 0;
}

static void nodes_are_sorted_and_have_their_directories(void **state)
{
    static const struct recipe_node want[] = {
        {RECIPE_PROGRAM, "a", "prog", 0755},   {RECIPE_DIR, "etc", NULL, 0755},
        {RECIPE_FILE, "etc/group", "g", 0644}, {RECIPE_FILE, "etc/passwd", "p", 0600},
        {RECIPE_LINK, "l", "/etc", 0777},      {RECIPE_DIR, "var", NULL, 0755},
        {RECIPE_DIR, "var/mail", NULL, 0755},
    };
    struct recipe r;
    struct err err;

    assert_ok(recipe_parse(STR(HEAD ",\"program\":{\"from\":\"prog\",\"to\":\"/a\"},\"files\":["
                                    "{\"from\":\"p\",\"to\":\"/etc/passwd\",\"mode\":\"0600\"},"
                                    "{\"from\":\"g\",\"to\":\"/etc/group\"}],"
                                    "\"links\":[{\"to\":\"/l\",\"target\":\"/etc\"}],"
                                    "\"directories\":[\"/var/mail\",\"/var\",\"/etc\"]}"),
                           *state, &r, &err),
              &err);
    assert_int_equal(r.nodes_n, ARRAY_N(want));
    for (size_t i = 0; i < ARRAY_N(want); i++) {
        assert_string_equal(r.nodes[i].path, want[i].path);
        assert_int_equal(r.nodes[i].kind, want[i].kind);
        assert_int_equal(r.nodes[i].mode, want[i].mode);
        if (want[i].from)
            assert_string_equal(r.nodes[i].from, want[i].from);
    }
}

static void title_and_description_become_labels(void **state)
{
    struct recipe r;
    struct err err;

    assert_ok(recipe_parse(STR(HEAD ",\"description\":\"d\",\"labels\":{\"b\":\"c\"}}"), *state, &r,
                           &err),
              &err);
    assert_int_equal(r.config.labels.n, 3);
    assert_string_equal(r.config.labels.v[0], "b=c");
    assert_string_equal(r.config.labels.v[1], "org.opencontainers.image.description=d");
    assert_string_equal(r.config.labels.v[2], "org.opencontainers.image.title=a");
    assert_string_equal(r.config.entrypoint.v[0], "/a");
    assert_string_equal(r.config.user, "");
}

static void wrong_recipes_name_the_place(void **state)
{
    static const struct {
        const char *text;
        const char *why;
    } bad[] = {
        {"{}", "name"},
        {"{\"name\":\"a\"}", "entrypoint"},
        {"{\"name\":\"a b\",\"entrypoint\":[\"/a\"]}", "no sound name"},
        {HEAD ",\"run\":[\"sh\"]}", "run"},
        {HEAD ",\"directories\":[\"var\"]}", "$.directories[0]"},
        {HEAD ",\"directories\":[\"/\"]}", "clean absolute"},
        {HEAD ",\"directories\":[\"/a/../b\"]}", "clean absolute"},
        {HEAD ",\"directories\":[\"/a/\"]}", "clean absolute"},
        {HEAD ",\"files\":[{\"from\":\"../x\",\"to\":\"/x\"}]}", "no name of a file"},
        {HEAD ",\"files\":[{\"from\":\"x\",\"to\":\"/x\",\"mode\":\"4755\"}]}", "mode"},
        {HEAD ",\"files\":[{\"from\":\"x\",\"to\":\"/x\",\"mode\":\"8\"}]}", "mode"},
        {HEAD ",\"files\":[{\"from\":\"x\",\"to\":\"/x\"},{\"from\":\"y\",\"to\":\"/x\"}]}",
         "twice"},
        {HEAD ",\"files\":[{\"from\":\"x\",\"to\":\"/x\"}],\"directories\":[\"/x\"]}", "twice"},
        {HEAD ",\"files\":[{\"from\":\"x\",\"to\":\"/x\"},{\"from\":\"y\",\"to\":\"/x/y\"}]}",
         "twice"},
        {HEAD ",\"labels\":{\"\":\"x\"}}", "label"},
        {HEAD ",\"labels\":{\"a=b\":\"x\"}}", "label"},
        {HEAD ",\"labels\":{\"a\":1}}", "$.labels.a"},
        {HEAD ",\"program\":{\"from\":\"a\"}}", "$.program.to"},
    };

    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        struct recipe r;
        struct err err = {0};

        if (recipe_parse(str_of(bad[i].text), *state, &r, &err) == 0)
            fail_msg("case %zu was accepted", i);
        assert_err(&err, bad[i].why);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(nodes_are_sorted_and_have_their_directories),
        TEST(title_and_description_become_labels),
        TEST(wrong_recipes_name_the_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
