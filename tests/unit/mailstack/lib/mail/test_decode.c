/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/buf.h"
#include "runtime/base/own.h"
#include "runtime/base/rand.h"

#include "mailstack/lib/mail/decode.h"

#include "tests/lib/test.h"

struct row {
    enum decode_kind kind;
    const char *in;
    const char *out;
    bool flawed;
};

static const struct row rows[] = {
    {DECODE_NONE, "a=\r\nb", "a=\r\nb", false},
    {DECODE_BASE64, "aGVsbG8=", "hello", false},
    {DECODE_BASE64, "aGVs\r\nbG8h", "hello!", false},
    {DECODE_BASE64, "aGVsbG8", "hello", false},
    {DECODE_BASE64, "aGU=aGU=", "hehe", false},
    {DECODE_BASE64, "aG*Vs.bG8=", "hello", true},
    {DECODE_BASE64, "aGVsb", "hel", true},
    {DECODE_BASE64, "====", "", false},
    {DECODE_QUOTED, "a=3Db=C3=a9", "a=b\xc3\xa9", false},
    {DECODE_QUOTED, "soft=\r\nline= \t\r\nend", "softlineend", false},
    {DECODE_QUOTED, "space \t\r\nend  ", "space\r\nend", false},
    {DECODE_QUOTED, "inner \t space", "inner \t space", false},
    {DECODE_QUOTED, "lf \nlf=\nx", "lf\nlfx", false},
    {DECODE_QUOTED, "bad=ZZ=4", "bad=ZZ=4", true},
    {DECODE_QUOTED, "a_b\rc\r", "a_b\rc\r", false},
    {DECODE_QUOTED, "end=", "end", false},
    {DECODE_QUOTED, "==41", "=A", true},
    {DECODE_Q_HEADER, "a_b=5F c", "a b_ c", false},
};

static void any_cut_gives_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct str in = str_of(rows[i].in);

        for (size_t cut = 1; cut <= in.n; cut++) {
            struct decode d = decode_start(rows[i].kind);
            own_buf struct buf out = BUF_INIT(100);

            for (size_t at = 0; at < in.n; at += cut)
                decode_feed(&d, str_sub(in, at, cut), &out);
            decode_end(&d, &out);
            assert_str(buf_str(&out), rows[i].out);
            assert_int_equal(d.flawed, rows[i].flawed);
        }
    }
}

static void what_is_encoded_comes_back(void **state)
{
    (void)state;
    for (size_t n = 0; n < 100; n++) {
        own_buf struct buf b64 = BUF_INIT(1000);
        own_buf struct buf out = BUF_INIT(1000);
        char raw[100];

        rand_bytes(raw, n);
        buf_append_base64(&b64, (struct str){raw, n});
        decode_all(DECODE_BASE64, buf_str(&b64), &out);
        assert_int_equal(out.n, n);
        assert_true(n == 0 || memcmp(out.p, raw, n) == 0);
    }
}

static void much_white_space_is_bounded(void **state)
{
    own_buf struct buf in = BUF_INIT(5000);
    own_buf struct buf out = BUF_INIT(5000);

    (void)state;
    for (int i = 0; i < 4000; i++)
        buf_append_char(&in, ' ');
    buf_append_char(&in, 'x');
    decode_all(DECODE_QUOTED, buf_str(&in), &out);
    assert_true(str_eq(buf_str(&in), buf_str(&out)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_cut_gives_the_same),
        cmocka_unit_test(what_is_encoded_comes_back),
        cmocka_unit_test(much_white_space_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
