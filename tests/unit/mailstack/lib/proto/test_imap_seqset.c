/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/lib/proto/imap_seqset.h"

#include "tests/lib/test.h"

#define ARENA_MAX (1u << 20)

static int set_up(void **state)
{
    *state = arena_new(ARENA_MAX);
    return 0;
}

static int tear_down(void **state)
{
    arena_free(*state);
    return 0;
}

static struct imap_seqset set_of(void **state, const char *text)
{
    struct imap_seqset set = {NULL, 0};
    struct err err = {0};

    assert_ok(imap_seqset_parse(str_of(text), *state, &set, &err), &err);
    return set;
}

static void sets_hold_what_they_say(void **state)
{
    static const struct {
        const char *text;
        uint32_t largest;
        const char *members; /* of 1..9 */
    } cases[] = {
        {"1", 9, "1"},
        {"1,3,5", 9, "135"},
        {"2:4", 9, "234"},
        {"4:2", 9, "234"},
        {"7:*", 9, "789"},
        {"*:7", 9, "789"},
        {"*", 9, "9"},
        {"*:*", 5, "5"},
        {"8:*", 5, "5678"}, /* RFC 3501: always holds the last one */
        {"1:3,2:5,9", 9, "123459"},
        {"1:4294967295", 9, "123456789"},
        {"4294967295", 9, ""},
        {"4294967294:4294967295", 9, ""},
        {"*", 0, ""}, /* nothing there */
        {"1:*", 0, ""},
        {"*:9", 0, ""},
    };

    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct imap_seqset set = set_of(state, cases[i].text);

        assert_false(imap_seqset_has(&set, 0, cases[i].largest));
        for (uint32_t n = 1; n <= 9; n++) {
            bool want = strchr(cases[i].members, '0' + (int)n) != NULL;

            assert_int_equal(imap_seqset_has(&set, n, cases[i].largest), want);
        }
    }
}

static void ranges_come_the_right_way_round(void **state)
{
    struct imap_seqset set = set_of(state, "9:2,*:3,*");
    struct imap_range r = imap_seqset_range(&set, 0, 7);

    assert_int_equal(set.n, 3);
    assert_true(r.lo == 2 && r.hi == 9);
    r = imap_seqset_range(&set, 1, 7);
    assert_true(r.lo == 3 && r.hi == 7);
    r = imap_seqset_range(&set, 1, 1);
    assert_true(r.lo == 1 && r.hi == 3);
    r = imap_seqset_range(&set, 2, 7);
    assert_true(r.lo == 7 && r.hi == 7);
}

static void what_is_malformed_is_refused(void **state)
{
    static const char *const bad[] = {
        "",   "0",    "1,", ",1",  "1,,2", "1:", ":1", ":",          "1:2:3",         "a",  "1 2",
        "-1", "1:-1", "**", "1.5", "0:5",  "+1", " 1", "4294967296", "1:99999999999", "*,", "1;2"};

    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        struct imap_seqset set = {NULL, 77};
        struct err err = {0};

        assert_int_equal(imap_seqset_parse(str_of(bad[i]), *state, &set, &err), -1);
        assert_int_equal(set.n, 77);
        assert_true(err.text[0] != '\0');
    }
}

static void more_ranges_than_the_limit_are_refused(void **state)
{
    own_buf struct buf b = BUF_INIT(4 * IMAP_SEQSET_MAX);
    struct imap_seqset set;
    struct err err = {0};

    for (size_t i = 0; i < IMAP_SEQSET_MAX; i++)
        buf_append(&b, STR("5,"));
    assert_int_equal(imap_seqset_parse(buf_str(&b), *state, &set, &err), -1);
    assert_err(&err, "more than");
    buf_truncate(&b, b.n - 1);
    assert_ok(imap_seqset_parse(buf_str(&b), *state, &set, &err), &err);
    assert_int_equal(set.n, IMAP_SEQSET_MAX);
}

static void numbers_are_joined_to_ranges(void **state)
{
    static const struct {
        uint32_t in[8];
        const char *out;
    } cases[] = {
        {{0}, ""},
        {{5}, "5"},
        {{1, 2, 3}, "1:3"},
        {{1, 3, 4, 9}, "1,3:4,9"},
        {{4, 3, 2}, "4,3,2"},
        {{7, 7}, "7,7"},
        {{UINT32_MAX - 1, UINT32_MAX}, "4294967294:4294967295"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct imap_seqset_out o = {.started = false};
        own_buf struct buf b = BUF_INIT(256);

        for (size_t k = 0; k < 8 && cases[i].in[k]; k++)
            imap_seqset_add(&o, &b, cases[i].in[k]);
        imap_seqset_end(&o, &b);
        assert_str(buf_str(&b), cases[i].out);
        assert_false(o.started);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sets_hold_what_they_say, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ranges_come_the_right_way_round, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_malformed_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(more_ranges_than_the_limit_are_refused, set_up, tear_down),
        cmocka_unit_test(numbers_are_joined_to_ranges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
