/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/buf.h"
#include "runtime/base/own.h"
#include "runtime/base/path.h"

#include "tests/lib/test.h"

static void cleaning(void **state)
{
    static const struct {
        const char *in;
        const char *out;
    } rows[] = {
        {"", "."},
        {".", "."},
        {"/", "/"},
        {"//", "/"},
        {"a", "a"},
        {"a/", "a"},
        {"a//b", "a/b"},
        {"./a/./b/.", "a/b"},
        {"a/..", "."},
        {"a/../b", "b"},
        {"/..", "/"},
        {"/../a", "/a"},
        {"..", ".."},
        {"../..", "../.."},
        {"a/../..", ".."},
        {"../a/..", ".."},
        {"/a/b/../../c", "/c"},
        {"a/b/../c", "a/c"},
        {"...", "..."},
        {"/a/..b", "/a/..b"},
        {"../../a/../b", "../../b"},
        {"/a/./../..//b/", "/b"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        own_buf struct buf b = BUF_INIT(100);
        own_buf struct buf again = BUF_INIT(100);

        path_clean(str_of(rows[i].in), &b);
        assert_string_equal(buf_c(&b), rows[i].out);
        path_clean(buf_str(&b), &again);
        assert_true(str_eq(buf_str(&again), buf_str(&b)));
        assert_true(path_is_clean(buf_str(&b)));
        assert_int_equal(path_is_clean(str_of(rows[i].in)), strcmp(rows[i].in, rows[i].out) == 0);
    }
}

/* Every path of up to six of these parts: what is clean has no ".", no "..", but at its front. */
static void a_clean_path_never_leaves_its_root(void **state)
{
    static const char *const parts[] = {"/", "a", "..", ".", "//"};

    (void)state;
    for (unsigned code = 0; code < 15625; code++) {
        own_buf struct buf in = BUF_INIT(100);
        own_buf struct buf out = BUF_INIT(100);

        for (unsigned c = code, i = 0; i < 6; i++, c /= 5)
            buf_append_c(&in, parts[c % 5]);
        buf_append_c(&out, "kept:");
        path_clean(buf_str(&in), &out);
        assert_true(str_starts(buf_str(&out), STR("kept:")));
        buf_consume(&out, 5);
        assert_int_equal(path_is_absolute(buf_str(&in)), path_is_absolute(buf_str(&out)));
        assert_true(str_find_str(buf_str(&out), STR("//")) < 0);
        if (path_is_absolute(buf_str(&out)))
            assert_false(str_starts(buf_str(&out), STR("/../")) || str_eq_c(buf_str(&out), "/.."));
    }
}

static void joining(void **state)
{
    static const struct {
        const char *base;
        const char *name;
        const char *out;
    } rows[] = {{"/a", "b", "/a/b"}, {"/a/", "../c", "/c"}, {"/a", "/b", "/b"},   {"", "b", "b"},
                {"a", "", "a"},      {"/", "b", "/b"},      {"a", "../..", ".."}, {"", "", "."}};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        own_buf struct buf b = BUF_INIT(100);

        path_join(str_of(rows[i].base), str_of(rows[i].name), &b);
        assert_string_equal(buf_c(&b), rows[i].out);
    }
}

static void a_limit_is_marked(void **state)
{
    own_buf struct buf b = BUF_INIT(5);

    (void)state;
    path_clean(STR("/aaa/bbb/../ccc/ddd"), &b);
    assert_true(b.failed);
    assert_false(path_is_clean(STR("a/b/c/")));
}

static void base_and_dir(void **state)
{
    (void)state;
    assert_str(path_base(STR("/a/b")), "b");
    assert_str(path_base(STR("b")), "b");
    assert_str(path_base(STR("/a/")), "");
    assert_str(path_dir(STR("/a/b")), "/a");
    assert_str(path_dir(STR("/a")), "/");
    assert_str(path_dir(STR("a")), ".");
}

static void names_stay_in_their_directory(void **state)
{
    (void)state;
    assert_true(path_is_name(STR("a")) && path_is_name(STR("...")) && path_is_name(STR("a b")));
    assert_false(path_is_name(STR("")) || path_is_name(STR(".")) || path_is_name(STR("..")));
    assert_false(path_is_name(STR("a/b")) || path_is_name(STR("a\0b")) || path_is_name(STR("/")));
}

static void a_way_up_is_a_component(void **state)
{
    (void)state;
    assert_true(path_has_dotdot(STR("..")) && path_has_dotdot(STR("/a/..")));
    assert_true(path_has_dotdot(STR("../a")) && path_has_dotdot(STR("a//../b")));
    assert_false(path_has_dotdot(STR("")) || path_has_dotdot(STR("a..")));
    assert_false(path_has_dotdot(STR("/..a/...")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cleaning),
        cmocka_unit_test(a_clean_path_never_leaves_its_root),
        cmocka_unit_test(joining),
        cmocka_unit_test(a_limit_is_marked),
        cmocka_unit_test(base_and_dir),
        cmocka_unit_test(names_stay_in_their_directory),
        cmocka_unit_test(a_way_up_is_a_component),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
