/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/own.h"
#include "runtime/kernel/dbus_value.h"

#include "tests/lib/test.h"

static const struct {
    const char *text;
    const char *bytes; /* of the variant, in hexadecimal digits */
} good[] = {
    {"true", "0162000001000000"},
    {"uint64 5", "01740000000000000500000000000000"},
    {" uint64  0x10 ", "01740000000000001000000000000000"},
    {"-2", "01690000feffffff"},
    {"int64 -9223372036854775808", "01780000000000000000000000000080"},
    {"byte 255", "017900ff"},
    {"uint16 258", "017100000201"},
    {"'ab'", "0173000002000000616200"},
    {"\"a'\\n\"", "017300000300000061270a00"},
    {"objectpath '/a/b_1'", "016f0000060000002f612f625f3100"},
    {"signature 'a(ss)'", "01670005612873732900"},
    {"@as []", "0261730000000000"},
    {"['a']", "0261730006000000010000006100"},
    {"[byte 1, 2]", "02617900020000000102"},
    {"@ay [1]", "026179000100000001"},
    {"[('a', uint32 1)]", "05612873752900000c00000000000000010000006100000001000000"},
    {"(1,)", "032869290000000001000000"},
};

static void text_becomes_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_N(good); i++) {
        struct arena *a = arena_new(1 << 16);
        own_buf struct buf body = BUF_INIT(4096), hex = BUF_INIT(8192);
        struct err err = {0};
        const struct dbus_value *v = dbus_value_parse(a, str_of(good[i].text), &err);

        assert_ok(v == NULL ? -1 : 0, &err);
        dbus_value_put(v, &body);
        buf_append_hex(&hex, buf_str(&body));
        assert_string_equal(buf_c(&hex), good[i].bytes);
        arena_free(a);
    }
}

static void what_is_no_value_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "tru",
        "1.5",
        "uint64",
        "uint64 -1",
        "byte 256",
        "'a",
        "'a\\q'",
        "'a' 'b'",
        "[]",
        "['a', 1]",
        "[1 2]",
        "(1",
        "@ 1",
        "@z 1",
        "@a 1",
        "@as ['a', 1]",
        "uint32 int32 1",
        "uint32 'a'",
        "objectpath 'a'",
        "@(s) 1",
        "@() ()",
        "signature 'z'",
        "objectpath '/a//b'",
        "objectpath '/a/'",
        "[[[[[[[[[[1]]]]]]]]]]",
        "@aaaaaaaaaai []",
        "{'a': 1}",
        "<1>",
        "@(ss) ('a',)",
        "@(s) ('a', 'b')",
        "uint64 18446744073709551616",
        "--1",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_N(wrong); i++) {
        struct arena *a = arena_new(1 << 16);
        struct err err = {0};

        if (dbus_value_parse(a, str_of(wrong[i]), &err) != NULL)
            fail_msg("'%s' was taken", wrong[i]);
        assert_true(err.text[0] != '\0');
        arena_free(a);
    }
}

static void it_may_not_be_long(void **state)
{
    static char text[DBUS_VALUE_TEXT_MAX + 2];
    struct arena *a = arena_new(1 << 20);
    struct err err = {0};

    (void)state;
    memset(text, '(', sizeof text - 1);
    assert_null(dbus_value_parse(a, str_of(text), &err));
    assert_err(&err, "more than");
    assert_null(dbus_value_parse(a, str_head(str_of(text), 4000), &err));
    assert_err(&err, "too deep");
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_becomes_bytes),
        cmocka_unit_test(what_is_no_value_is_refused),
        cmocka_unit_test(it_may_not_be_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
