/* SPDX-License-Identifier: Apache-2.0 */

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/jv.h"
#include "runtime/base/jw.h"
#include "runtime/base/own.h"

#include "tests/lib/test.h"

static void write_sample(struct buf *out, enum jw_style style)
{
    struct jw w = jw_start(out, style);

    jw_object(&w, NULL);
    jw_c(&w, "id", "a");
    jw_array(&w, "list");
    jw_uint(&w, NULL, UINT64_MAX);
    jw_int(&w, NULL, INT64_MIN);
    jw_bool(&w, NULL, true);
    jw_null(&w, NULL);
    jw_end(&w);
    jw_array(&w, "none");
    jw_end(&w);
    jw_end(&w);
}

static void one_line_has_no_spaces(void **state)
{
    own_buf struct buf out = BUF_INIT(4096);

    (void)state;
    write_sample(&out, JW_ONE_LINE);
    assert_string_equal(buf_c(&out), "{\"id\":\"a\",\"list\":[18446744073709551615,"
                                     "-9223372036854775808,true,null],\"none\":[]}");
}

static void indent_is_one_tab_a_level(void **state)
{
    own_buf struct buf out = BUF_INIT(4096);

    (void)state;
    write_sample(&out, JW_INDENT_TABS);
    assert_string_equal(buf_c(&out),
                        "{\n\t\"id\": \"a\",\n\t\"list\": [\n\t\t18446744073709551615,\n"
                        "\t\t-9223372036854775808,\n\t\ttrue,\n\t\tnull\n\t],\n"
                        "\t\"none\": []\n}");
}

static void text_is_escaped_and_broken_utf8_replaced(void **state)
{
    static const struct {
        struct str in;
        const char *out;
    } rows[] = {
        {STR_INIT(""), "\"\""},
        {STR_INIT("a\"b\\c"), "\"a\\\"b\\\\c\""},
        {STR_INIT("\n\r\t\b\f"), "\"\\n\\r\\t\\b\\f\""},
        {STR_INIT("\x01\x7f"), "\"\\u0001\\u007f\""},
        {STR_INIT("a\0b"), "\"a\\u0000b\""},
        {STR_INIT("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"),
         "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {STR_INIT("\xc3"), "\"\xef\xbf\xbd\""},
        {STR_INIT("\xff\xfe"), "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {STR_INIT("\xed\xa0\x80x"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx\""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        own_buf struct buf out = BUF_INIT(256);

        jw_quote(&out, rows[i].in);
        assert_string_equal(buf_c(&out), rows[i].out);
    }
}

static void any_byte_gives_what_the_parser_accepts(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        char byte = (char)c;
        own_buf struct buf out = BUF_INIT(256);
        struct jw w = jw_start(&out, JW_INDENT_TWO);
        own_json json_t *doc = NULL;
        struct err err;

        jw_object(&w, NULL);
        jw_str(&w, "k", (struct str){&byte, 1});
        jw_end(&w);
        doc = jv_load_str(buf_str(&out), "sample", &err);
        assert_true(doc != NULL || c == 0); /* jv refuses an embedded NUL later or now */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_line_has_no_spaces),
        cmocka_unit_test(indent_is_one_tab_a_level),
        cmocka_unit_test(text_is_escaped_and_broken_utf8_replaced),
        cmocka_unit_test(any_byte_gives_what_the_parser_accepts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
