/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/lib/proto/imap_parser.h"
#include "mailstack/lib/proto/imap_quote.h"

#include "tests/lib/test.h"

static void the_shortest_form_that_can_carry_it_is_taken(void **state)
{
    static const struct {
        struct str in;
        const char *string;
        const char *astring;
    } cases[] = {
        {STR_INIT("INBOX"), "\"INBOX\"", "INBOX"},
        {STR_INIT(""), "\"\"", "\"\""},
        {STR_INIT("a b"), "\"a b\"", "\"a b\""},
        {STR_INIT("NIL"), "\"NIL\"", "\"NIL\""}, /* else it would mean "nothing" */
        {STR_INIT("nil"), "\"nil\"", "\"nil\""},
        {STR_INIT("a\"b\\c"), "\"a\\\"b\\\\c\"", "\"a\\\"b\\\\c\""},
        {STR_INIT("a*b"), "\"a*b\"", "\"a*b\""},
        {STR_INIT("a]b"), "\"a]b\"", "\"a]b\""},
        {STR_INIT("{3}"), "\"{3}\"", "\"{3}\""},
        {STR_INIT("a\tb"), "\"a\tb\"", "\"a\tb\""},
        {STR_INIT("a\r\nb"), "{4}\r\na\r\nb", "{4}\r\na\r\nb"},
        {STR_INIT("\n"), "{1}\r\n\n", "{1}\r\n\n"},
        {STR_INIT("\xc3\xbc"), "{2}\r\n\xc3\xbc", "{2}\r\n\xc3\xbc"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        own_buf struct buf b = BUF_INIT(256);

        imap_quote_string(&b, cases[i].in);
        assert_str(buf_str(&b), cases[i].string);
        buf_reset(&b);
        imap_quote_nstring(&b, cases[i].in);
        assert_str(buf_str(&b), cases[i].string);
        buf_reset(&b);
        imap_quote_astring(&b, cases[i].in);
        assert_str(buf_str(&b), cases[i].astring);
    }
}

static void nothing_is_nil_and_empty_is_not(void **state)
{
    own_buf struct buf b = BUF_INIT(64);

    (void)state;
    imap_quote_nstring(&b, STR_NONE);
    imap_quote_nstring(&b, STR(""));
    assert_str(buf_str(&b), "NIL\"\"");
}

/* Each single byte, and a long string of it, comes back through our own parser as it was. */
static void every_byte_survives(void **state)
{
    char text[1500];
    static const size_t sizes[] = {1, 2, 1024, 1025, 1500};

    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        memset(text, (int)c, sizeof(text));
        for (size_t i = 0; i < ARRAY_N(sizes); i++) {
            own_buf struct buf b = BUF_INIT(8192);
            struct arena *a = arena_new(65536);
            struct imap_cmd cmd;
            struct err err = {0};
            struct str got;

            buf_append(&b, STR("t X "));
            imap_quote_astring(&b, (struct str){text, sizes[i]});
            buf_append(&b, STR("\r\n"));
            assert_ok(imap_parse(buf_str(&b), a, &cmd, &err), &err);
            assert_int_equal(cmd.args_n, 1);
            assert_true(imap_arg_astring(&cmd.args[0], &got));
            assert_false(imap_arg_is_nil(&cmd.args[0]));
            assert_true(str_eq(got, (struct str){text, sizes[i]}));
            arena_free(a);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shortest_form_that_can_carry_it_is_taken),
        cmocka_unit_test(nothing_is_nil_and_empty_is_not),
        cmocka_unit_test(every_byte_survives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
