/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/lib/proto/handoff.h"

#include "tests/lib/test.h"

static const struct handoff sample = {.user = STR_INIT("alice@example.org"),
                                      .remote = STR_INIT("192.0.2.1:53211"),
                                      .tag = STR_INIT("a1"),
                                      .input = STR_INIT("a2 NOOP\r\n\0\xff"),
                                      .quota = UINT64_MAX,
                                      .tls = true};

static void what_is_handed_off_arrives(void **state)
{
    own_buf struct buf b = BUF_INIT(HANDOFF_MAX);
    struct handoff got = {0};
    struct err err = {0};

    (void)state;
    handoff_format(&sample, &b);
    assert_ok(handoff_parse(buf_str(&b), &got, &err), &err);
    assert_str(got.user, "alice@example.org");
    assert_str(got.remote, "192.0.2.1:53211");
    assert_str(got.tag, "a1");
    assert_true(str_eq(got.input, sample.input));
    assert_true(got.quota == UINT64_MAX);
    assert_true(got.tls);
}

/* A cut between two fields leaves a message that is whole; every other cut is an error. */
static void a_cut_never_changes_a_field(void **state)
{
    own_buf struct buf b = BUF_INIT(HANDOFF_MAX);
    struct err err = {0};

    (void)state;
    handoff_format(&sample, &b);
    for (size_t n = 0; n < b.n; n++) {
        struct handoff got = {.quota = 7};

        if (handoff_parse(str_head(buf_str(&b), n), &got, &err) < 0) {
            assert_true(got.quota == 7 && got.user.p == NULL);
            continue;
        }
        assert_str(got.user, "alice@example.org");
        assert_true(got.remote.n == 0 || str_eq(got.remote, sample.remote));
        assert_true(got.input.n == 0 || str_eq(got.input, sample.input));
        assert_true(got.quota == 0 || got.quota == UINT64_MAX);
    }
}

static void what_is_malformed_is_refused(void **state)
{
    static const struct str cases[] = {
        STR_INIT(""),
        STR_INIT("\x01"),                            /* no user */
        STR_INIT("\x02\x01\x00\x01u"),               /* another version */
        STR_INIT("\x01\x01\x00\x00"),                /* an empty user */
        STR_INIT("\x01\x02\x00\x01r"),               /* a remote alone */
        STR_INIT("\x01\x01\x00\x01u\x01\x00\x01v"),  /* two users */
        STR_INIT("\x01\x01\x00\x01u\x07\x00\x01v"),  /* an unknown field */
        STR_INIT("\x01\x01\x00\x01u\x00\x00\x01v"),  /* field 0 */
        STR_INIT("\x01\x01\x00\x01u\x21\x00\x01v"),  /* 1 + 32: no shift may wrap round */
        STR_INIT("\x01\x01\x00\x01u\x05\x00\x01x"),  /* a quota that is no number */
        STR_INIT("\x01\x01\x00\x01u\x05\x00\x00"),   /* an empty one */
        STR_INIT("\x01\x01\x00\x01u\x05\x00\x02-1"), /* below 0 */
        STR_INIT("\x01\x01\x00\x02u"),               /* longer than the message */
        STR_INIT("\x01\x01\xff\xffu"),               /* much longer */
        STR_INIT("\x01\x01\x00\x01u\x02"),           /* half a head */
        STR_INIT("\x01\x01\x00\x01u\x02\x00"),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct handoff got = {0};
        struct err err = {0};

        assert_int_equal(handoff_parse(cases[i], &got, &err), -1);
        assert_err(&err, "hand-off");
    }
}

static void limits_hold_on_both_sides(void **state)
{
    static char big[HANDOFF_MAX + 1];
    own_buf struct buf b = BUF_INIT(HANDOFF_MAX);
    own_buf struct buf full = BUF_INIT(HANDOFF_MAX);
    struct handoff h = {.user = STR("u"), .input = {big, 65536}};
    struct handoff got = {0};
    struct err err = {0};

    (void)state;
    handoff_format(&h, &b);
    assert_int_equal(buf_check(&b, "message", &err), -1);
    h.input.n = 65535;
    handoff_format(&h, &full);
    assert_ok(buf_check(&full, "message", &err), &err);
    assert_ok(handoff_parse(buf_str(&full), &got, &err), &err);
    assert_int_equal(got.input.n, 65535);
    big[0] = 1;
    assert_int_equal(handoff_parse((struct str){big, sizeof(big)}, &got, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_handed_off_arrives),
        cmocka_unit_test(a_cut_never_changes_a_field),
        cmocka_unit_test(what_is_malformed_is_refused),
        cmocka_unit_test(limits_hold_on_both_sides),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
