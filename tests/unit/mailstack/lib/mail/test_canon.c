/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/canon.h"

#include "tests/lib/test.h"

static void collect(void *ctx, struct str bytes)
{
    buf_append(ctx, bytes);
}

static const struct {
    const char *body;
    const char *simple;
    const char *relaxed;
} bodies[] = {
    {"", "\r\n", ""},
    {"\r\n\r\n", "\r\n", ""},
    {" \t\r\n\r\n", " \t\r\n", ""},
    {" C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n", " C\r\nD E\r\n"}, /* RFC 6376 3.4.5 */
    {"no end", "no end\r\n", "no end\r\n"},
    {"no end \t", "no end \t\r\n", "no end\r\n"},
    {"a\r\n\r\n\r\nb", "a\r\n\r\n\r\nb\r\n", "a\r\n\r\n\r\nb\r\n"},
    {"a\r\n \t \r\n\tb\r\n", "a\r\n \t \r\n\tb\r\n", "a\r\n\r\n b\r\n"},
    {"lone\rand\nlone\n", "lone\rand\nlone\n\r\n", "lone\rand\nlone\n\r\n"},
    {"end\r", "end\r\r\n", "end\r\r\n"},
    {"a \r b\r\r\n", "a \r b\r\r\n", "a \r b\r\r\n"},
    {"\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\nx", "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\nx\r\n",
     "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\nx\r\n"},
};

static void run(enum canon_kind kind, struct str body, size_t cut, const char *want)
{
    own_buf struct buf out = BUF_INIT(4096);
    struct canon_body c = canon_body_start(kind, collect, &out);

    canon_body_feed(&c, str_head(body, cut));
    canon_body_feed(&c, str_skip(body, cut));
    canon_body_end(&c);
    assert_str(buf_str(&out), want);
}

static void every_cut_of_a_body_gives_its_canonical_form(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_N(bodies); i++) {
        struct str body = str_of(bodies[i].body);

        for (size_t cut = 0; cut <= body.n; cut++) {
            run(CANON_SIMPLE, body, cut, bodies[i].simple);
            run(CANON_RELAXED, body, cut, bodies[i].relaxed);
        }
    }
}

static void fields_are_lowered_unfolded_and_squeezed(void **state)
{
    static const struct {
        const char *field;
        const char *relaxed;
    } rows[] = {
        {"A: X\r\n", "a:X\r\n"},
        {"B : Y\t\r\n\tZ  \r\n", "b:Y Z\r\n"},
        {"Subject:\r\n", "subject:\r\n"},
        {"X-Y:  \r\n \t\r\n", "x-y:\r\n"},
        {"C:a\r\n  b\t c:d\r\n", "c:a b c:d\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        own_buf struct buf simple = BUF_INIT(256);
        own_buf struct buf relaxed = BUF_INIT(256);

        canon_header(CANON_SIMPLE, str_of(rows[i].field), &simple);
        canon_header(CANON_RELAXED, str_of(rows[i].field), &relaxed);
        assert_str(buf_str(&simple), rows[i].field);
        assert_str(buf_str(&relaxed), rows[i].relaxed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut_of_a_body_gives_its_canonical_form),
        cmocka_unit_test(fields_are_lowered_unfolded_and_squeezed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
