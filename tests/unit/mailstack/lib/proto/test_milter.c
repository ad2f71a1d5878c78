/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/lib/proto/milter.h"

#include "tests/lib/test.h"

/* Formats by the caller, then takes the one packet out again. */
static struct milter_packet only(struct buf *b)
{
    struct milter_packet p = {0};
    struct err err = {0};
    size_t used;

    for (size_t n = 0; n < b->n; n++) {
        assert_int_equal(milter_parse(str_head(buf_str(b), n), &p, &used, &err), PARSE_MORE);
        assert_int_equal(used, 0);
    }
    assert_int_equal(milter_parse(buf_str(b), &p, &used, &err), PARSE_DONE);
    assert_int_equal(used, b->n);
    return p;
}

static void negotiation_goes_both_ways(void **state)
{
    own_buf struct buf b = BUF_INIT(1000);
    struct milter_options o = {0};
    struct err err = {0};

    (void)state;
    milter_format_options(&b, &(struct milter_options){6, 0x1ff, 0x1fffff});
    assert_memory_equal(b.p, "\0\0\0\x0dO\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff", 17);
    struct milter_packet p = only(&b);

    assert_ok(milter_read_options(&p, &o, &err), &err);
    assert_int_equal(o.version, 6);
    assert_int_equal(o.changes, 0x1ff);
    assert_int_equal(o.protocol, 0x1fffff);
    p.data.n = 11;
    assert_int_equal(milter_read_options(&p, &o, &err), -1);
}

static void a_client_is_described_both_ways(void **state)
{
    static const struct milter_connect cases[] = {
        {STR_INIT("mx.example.org"), MILTER_FAMILY_4, 4711, STR_INIT("192.0.2.1")},
        {STR_INIT("[2001:db8::1]"), MILTER_FAMILY_6, 25, STR_INIT("2001:db8::1")},
        {STR_INIT("localhost"), MILTER_FAMILY_UNIX, 0, STR_INIT("/run/x.sock")},
        {STR_INIT("unknown"), MILTER_FAMILY_UNKNOWN, 0, {"", 0}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        own_buf struct buf b = BUF_INIT(1000);
        struct milter_connect c = {0};
        struct err err = {0};

        milter_format_connect(&b, &cases[i]);
        struct milter_packet p = only(&b);

        assert_ok(milter_read_connect(&p, &c, &err), &err);
        assert_true(str_eq(c.host, cases[i].host));
        assert_true(str_eq(c.addr, cases[i].addr));
        assert_int_equal(c.family, cases[i].family);
        assert_int_equal(c.port, cases[i].port);
    }
}

static void a_tagged_address_loses_its_tag(void **state)
{
    struct milter_packet p = {MILTER_CONNECT, STR("x\0"
                                                  "6\0\x19IPv6:::1\0")};
    struct milter_connect c = {0};
    struct err err = {0};

    (void)state;
    assert_ok(milter_read_connect(&p, &c, &err), &err);
    assert_str(c.addr, "::1");
    assert_int_equal(c.port, 25);
}

static void macros_are_walked(void **state)
{
    static const struct milter_pair pairs[] = {{STR_INIT("j"), STR_INIT("mail.example.org")},
                                               {STR_INIT("{auth_authen}"), STR_INIT("alice")}};
    own_buf struct buf b = BUF_INIT(1000);
    struct milter_macros m = {0};
    struct str name;
    struct str value;
    struct err err = {0};

    (void)state;
    milter_format_macros(&b, MILTER_MAIL, pairs, 2);
    struct milter_packet p = only(&b);

    assert_ok(milter_read_macros(&p, &m, &err), &err);
    assert_int_equal(m.command, MILTER_MAIL);
    for (size_t i = 0; i < 2; i++) {
        assert_true(milter_next_macro(&m, &name, &value));
        assert_true(str_eq(name, pairs[i].name));
        assert_true(str_eq(value, pairs[i].value));
    }
    assert_false(milter_next_macro(&m, &name, &value));
}

static void paths_carry_their_parameters(void **state)
{
    static const struct str params[] = {STR_INIT("SIZE=1"), STR_INIT("BODY=8BITMIME")};
    own_buf struct buf b = BUF_INIT(1000);
    struct milter_path path = {0};
    struct str one;
    struct err err = {0};

    (void)state;
    milter_format_path(&b, MILTER_MAIL, STR("<a@b>"), params, 2);
    struct milter_packet p = only(&b);

    assert_ok(milter_read_path(&p, &path, &err), &err);
    assert_str(path.path, "<a@b>");
    assert_true(str_next(&path.params, '\0', &one));
    assert_str(one, "SIZE=1");
    assert_true(str_next(&path.params, '\0', &one));
    assert_str(one, "BODY=8BITMIME");
    assert_false(str_next(&path.params, '\0', &one));
}

static void header_lines_travel_with_lf(void **state)
{
    own_buf struct buf b = BUF_INIT(1000);
    struct milter_pair h = {0};
    struct err err = {0};

    (void)state;
    milter_format_header(&b, &(struct milter_pair){STR("Subject"), STR(" a\r\n b\0c")});
    struct milter_packet p = only(&b);

    assert_ok(milter_read_header(&p, &h, &err), &err);
    assert_str(h.name, "Subject");
    assert_str(h.value, " a\n bc");
}

static void changes_go_both_ways(void **state)
{
    static const struct milter_header_change cases[] = {
        {MILTER_ADD_HEADER, 0, STR_INIT("X-A"), STR_INIT("1")},
        {MILTER_INSERT_HEADER, 1, STR_INIT("X-B"), STR_INIT("a\n\tb")},
        {MILTER_CHANGE_HEADER, 3, STR_INIT("X-C"), {"", 0}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        own_buf struct buf b = BUF_INIT(1000);
        struct milter_header_change c = {0};
        struct err err = {0};

        milter_format_header_change(&b, &cases[i]);
        struct milter_packet p = only(&b);

        assert_false(milter_is_verdict(p.command));
        assert_ok(milter_read_header_change(&p, &c, &err), &err);
        assert_int_equal(c.command, cases[i].command);
        assert_int_equal(c.index, cases[i].index);
        assert_true(str_eq(c.name, cases[i].name));
        assert_true(str_eq(c.value, cases[i].value));
    }
}

static void a_reply_is_one_line_and_escapes_percent(void **state)
{
    own_buf struct buf b = BUF_INIT(1000);
    struct str text;
    struct err err = {0};

    (void)state;
    milter_format_reply(&b, 550, STR("5.7.1"), STR("100%\r\nbad"));
    struct milter_packet p = only(&b);

    assert_true(milter_is_verdict(p.command));
    assert_ok(milter_read_reply(&p, &text, &err), &err);
    assert_str(text, "550 5.7.1 100%%  bad");
    p.data = STR("250 ok\0");
    assert_int_equal(milter_read_reply(&p, &text, &err), -1);
}

static void malformed_packets_are_refused(void **state)
{
    static const struct str streams[] = {STR_INIT("\0\0\0\0"), STR_INIT("\0\x10\0\x01"),
                                         STR_INIT("\xff\xff\xff\xff")};
    struct milter_packet p;
    struct milter_path path;
    struct milter_pair h;
    struct milter_connect c;
    struct milter_header_change change;
    struct err err = {0};
    size_t used;

    (void)state;
    for (size_t i = 0; i < ARRAY_N(streams); i++)
        assert_int_equal(milter_parse(streams[i], &p, &used, &err), PARSE_ERROR);
    p = (struct milter_packet){MILTER_MAIL, STR("no end")};
    assert_int_equal(milter_read_path(&p, &path, &err), -1);
    assert_int_equal(milter_read_header(&p, &h, &err), -1);
    assert_int_equal(milter_read_connect(&p, &c, &err), -1);
    p.data = STR("x\0"
                 "4\0");
    assert_int_equal(milter_read_connect(&p, &c, &err), -1);
    p.data = STR("x\0"
                 "7\0\0a\0");
    assert_int_equal(milter_read_connect(&p, &c, &err), -1);
    p = (struct milter_packet){MILTER_INSERT_HEADER, STR("\0\0\0")};
    assert_int_equal(milter_read_header_change(&p, &change, &err), -1);
}

static void bits_belong_to_commands(void **state)
{
    (void)state;
    assert_int_equal(milter_no_reply_bit(MILTER_BODY), MILTER_P_NR_BODY);
    assert_int_equal(milter_no_send_bit(MILTER_HEADER), MILTER_P_NO_HEADERS);
    assert_int_equal(milter_no_reply_bit(MILTER_EOM), 0);
    assert_int_equal(milter_no_reply_bit(MILTER_ABORT), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(negotiation_goes_both_ways),
        cmocka_unit_test(a_client_is_described_both_ways),
        cmocka_unit_test(a_tagged_address_loses_its_tag),
        cmocka_unit_test(macros_are_walked),
        cmocka_unit_test(paths_carry_their_parameters),
        cmocka_unit_test(header_lines_travel_with_lf),
        cmocka_unit_test(changes_go_both_ways),
        cmocka_unit_test(a_reply_is_one_line_and_escapes_percent),
        cmocka_unit_test(malformed_packets_are_refused),
        cmocka_unit_test(bits_belong_to_commands),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
