/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "runtime/base/attr.h"
#include "runtime/base/buf.h"

#include "mailstack/lmtpd/undot.h"

#include "tests/lib/test.h"

/* Feeds in two pieces; the bytes used up to the end, or -1. */
static int feed(const char *in, size_t cut, struct buf *out)
{
    size_t n = strlen(in);
    struct str pieces[] = {{in, cut}, {in + cut, n - cut}};
    struct undot u = {0};

    for (size_t i = 0; i < 2; i++) {
        struct str rest = pieces[i], piece;

        while (rest.n > 0) {
            bool end = undot_next(&u, &rest, &piece);

            buf_append(out, piece);
            if (end)
                return (int)(rest.p - in);
        }
    }
    return -1;
}

static void only_crlf_dot_crlf_ends_a_message_however_it_was_cut(void **state)
{
    static const struct {
        const char *in, *content;
        int used;
    } cases[] = {
        {".\r\nMAIL", "", 3},
        {"a\r\n.\r\nRCPT", "a\r\n", 6},
        {"a\r\n..\r\n.\r\n", "a\r\n.\r\n", 10},
        {"a\n.\r\nb\r\n.\r\n", "a\n.\r\nb\r\n", 11},
        {"a\r.\r\nb\r\n.\r\n", "a\r.\r\nb\r\n", 11},
        {"a\r\n.\nb\r\n.\r\n", "a\r\n\nb\r\n", 11},
        {"a\r\n.\rb\r\n.\r\n", "a\r\n\rb\r\n", 11},
        {"a\r\r\n.\r\n", "a\r\r\n", 7},
        {"a\r\n.\r\r\n.\r\n", "a\r\n\r\r\n", 10},
        {"a\r\n", "a\r\n", -1},
        {"\r\n.", "\r\n", -1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        for (size_t cut = 0; cut <= strlen(cases[i].in); cut++) {
            struct buf out = BUF_INIT(64);

            assert_int_equal(feed(cases[i].in, cut, &out), cases[i].used);
            assert_string_equal(buf_c(&out), cases[i].content);
            buf_done(&out);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_crlf_dot_crlf_ends_a_message_however_it_was_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
