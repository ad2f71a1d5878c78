/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/jplain.h"

#include "tests/lib/test.h"

static json_t *by_jansson(struct str text)
{
    return json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
}

/* The same values, and the members in the same order. */
static void check_same(struct str text)
{
    json_t *quick = jplain_load(text), *slow = by_jansson(text);
    char *a = NULL, *b = NULL;

    assert_non_null(quick);
    assert_non_null(slow);
    a = json_dumps(quick, JSON_COMPACT);
    b = json_dumps(slow, JSON_COMPACT);
    assert_string_equal(a, b);
    free(a);
    free(b);
    json_decref(quick);
    json_decref(slow);
}

static void what_is_plain_is_what_jansson_reads(void **state)
{
    static const char *const texts[] = {
        "{}",
        "[]",
        " \t\r\n{ } \n",
        "[1, -2 ,0,999999999999999999,-999999999999999999]",
        "{\"b\": 1, \"a\": [true, false, null], \"c\": {\"x\": 1}}",
        "{\"b\": \"\", \"a\": \" ~!\", \"c\": {\"b\": {}}}",
        "[[[]], {\"a\": [{}]}]",
        "[\"\\n\\t\\\\\\\"\\/\", \"a\\nb\", \"\\\\\", {\"a\": \"::\\n\"}]",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(texts); i++)
        check_same(str_of(texts[i]));
}

/* Right or wrong: none of this is for it. */
static void of_all_else_it_says_nothing(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        "1",
        "\"a\"",
        "true",
        "[1.0]",
        "[1e2]",
        "[-]",
        "[-0]",
        "[01]",
        "[+1]",
        "[1234567890123456789]",
        "[\"\\u0041\"]",
        "[\"a\\",
        "[\"\\n",
        "[\"\\n\t\"]",
        "[\"\\x\"]",
        "{\"\\n\": 1}",
        "[\"\xc3\xa4\"]",
        "[\"\x7f\"]",
        "[\"\t\"]",
        "[\"a]",
        "[1 2]",
        "[1,]",
        "[,1]",
        "[1]]",
        "[1] x",
        "[truex]",
        "[tru]",
        "[nul",
        "{\"a\" 1}",
        "{\"a\": }",
        "{a: 1}",
        "{\"a\": 1,}",
        "{,}",
        "{\"a\": 1]",
        "[1}",
        "{\"\": 1}",
        "{\"a\": 1, \"a\": 2}",
        "\xef\xbb\xbf{}",
        "[\f1]",
        "{\"a\": 1, \"b\": 2, \"a\": 1}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(texts); i++)
        assert_null(jplain_load(str_of(texts[i])));
    assert_null(jplain_load(STR_NONE));
    assert_null(jplain_load(STR("[\"a\0b\"]")));
    assert_null(jplain_load(STR("{}\0")));
}

/* A text that is cut off anywhere is no text, and nothing behind its end is looked at. */
static void a_text_that_is_cut_is_refused(void **state)
{
    static const char text[] = "{\"a\": [1, -23, true, \"text\"], \"b\": {\"c\": null}}";

    (void)state;
    check_same(str_of(text));
    for (size_t n = 0; n < sizeof text - 1; n++) {
        char *exact = malloc(n + 1);

        assert_non_null(exact);
        memcpy(exact, text, n);
        assert_null(jplain_load((struct str){exact, n}));
        free(exact);
    }
}

/* As state.json has it; one that is longer is for jansson. */
static void a_text_with_escapes_may_be_so_long(void **state)
{
    char content[1024], text[2048];

    (void)state;
    memset(content, 'x', sizeof content - 1);
    content[sizeof content - 1] = '\0';
    (void)snprintf(text, sizeof text, "[\"\\n%s\"]", content);
    check_same(str_of(text));
    (void)snprintf(text, sizeof text, "[\"\\nx%s\"]", content);
    assert_null(jplain_load(str_of(text)));
}

static struct str nested(char *out, size_t depth)
{
    memset(out, '[', depth);
    memset(out + depth, ']', depth);
    return (struct str){out, 2 * depth};
}

static void it_goes_so_deep_and_no_deeper(void **state)
{
    char text[2 * JPLAIN_DEPTH_MAX + 2];

    (void)state;
    check_same(nested(text, JPLAIN_DEPTH_MAX));
    assert_null(jplain_load(nested(text, JPLAIN_DEPTH_MAX + 1)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_plain_is_what_jansson_reads),
        cmocka_unit_test(of_all_else_it_says_nothing),
        cmocka_unit_test(a_text_that_is_cut_is_refused),
        cmocka_unit_test(a_text_with_escapes_may_be_so_long),
        cmocka_unit_test(it_goes_so_deep_and_no_deeper),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
