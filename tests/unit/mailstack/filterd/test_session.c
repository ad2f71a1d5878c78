/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/buf.h"
#include "runtime/base/counter.h"
#include "runtime/base/log.h"
#include "runtime/base/own.h"

#include "mailstack/filterd/conf.h"
#include "mailstack/filterd/session.h"

#include "tests/lib/test.h"

static size_t held;

static const struct conf conf = {.hostname = (char[]){"mail.org"}};
static const struct message_env env = {.held_n = &held, .conf = &conf};

struct fixture {
    struct session s;
    struct buf out;
    int judged;
    struct counter counter;
    struct session_counters counters;
};

static void on_send(struct session *s, struct str packets)
{
    struct fixture *f = s->ctx;

    buf_append(&f->out, packets);
}

static void on_judged(struct session *s)
{
    struct fixture *f = s->ctx;

    f->judged++;
}

static void begin(struct fixture *f)
{
    *f = (struct fixture){.out = BUF_INIT(1 << 20)};
    f->counters = (struct session_counters){&f->counter, &f->counter, &f->counter, &f->counter};
    session_init(&f->s, &env, &f->counters);
    f->s.send = on_send;
    f->s.judged = on_judged;
    f->s.ctx = f;
}

static void end(struct fixture *f)
{
    session_done(&f->s);
    buf_done(&f->out);
}

static void give(struct fixture *f, char command, struct str data)
{
    struct milter_packet p = {command, data};

    session_take(&f->s, &p);
}

#define GIVE(f, command, literal) give((f), (command), STR(literal))

static void negotiate(struct fixture *f, uint32_t protocol)
{
    struct milter_options o = {6, 0x1ff, protocol};
    own_buf struct buf b = BUF_INIT(64);

    milter_format_options(&b, &o);
    give(f, MILTER_OPTNEG, str_skip(buf_str(&b), 5));
    buf_reset(&f->out);
}

/* The commands that came out, one letter each. */
static void assert_commands(struct fixture *f, const char *want)
{
    own_buf struct buf got = BUF_INIT(256);
    struct str rest = buf_str(&f->out);
    struct milter_packet p;
    struct err err = {0};
    size_t used;

    while (milter_parse(rest, &p, &used, &err) == PARSE_DONE) {
        buf_append_char(&got, p.command);
        rest = str_skip(rest, used);
    }
    assert_string_equal(buf_c(&got), want);
    buf_reset(&f->out);
}

static void message(struct fixture *f, struct str macros)
{
    if (macros.n > 0)
        give(f, MILTER_MACRO, macros);
    GIVE(f, MILTER_MAIL, "<a@example.org>\0SIZE=1\0");
    GIVE(f, MILTER_HEADER, "From\0 a@example.org\0");
    GIVE(f, MILTER_EOH, "");
    GIVE(f, MILTER_BODY, "x\r\n");
    GIVE(f, MILTER_EOM, "");
}

static void a_session_takes_message_after_message(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f);
    negotiate(&f, UINT32_MAX);
    GIVE(&f, MILTER_CONNECT, "client.example\0004\0\031192.0.2.1\0");
    GIVE(&f, MILTER_HELO, "client.example\0");
    assert_int_equal(f.s.addr_n, 4);
    message(&f, STR_NONE);
    assert_commands(&f, "ia");
    message(&f, STR("M{auth_authen}\0ann\0i\0Q1\0"));
    assert_commands(&f, "a");
    message(&f, STR("Mi\0Q2\0"));
    assert_commands(&f, "ia");
    assert_int_equal(f.judged, 3);
    GIVE(&f, MILTER_QUIT_NC, "");
    assert_int_equal(f.s.addr_n, 0);
    assert_false(f.s.over);
    GIVE(&f, MILTER_QUIT, "");
    assert_true(f.s.over);
    end(&f);
}

static void a_login_is_forgotten_with_its_message(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f);
    negotiate(&f, UINT32_MAX);
    GIVE(&f, MILTER_MACRO, "M{auth_authen}\0ann\0");
    GIVE(&f, MILTER_ABORT, "");
    message(&f, STR_NONE);
    assert_commands(&f, "ia");
    /* Only in front of MAIL, and not as an empty name. */
    message(&f, STR("C{auth_authen}\0ann\0"));
    assert_commands(&f, "ia");
    message(&f, STR("M{auth_authen}\0\0"));
    assert_commands(&f, "ia");
    end(&f);
}

static void replies_are_given_where_none_was_negotiated_away(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f);
    negotiate(&f, 0);
    GIVE(&f, MILTER_CONNECT, "client.example\0U");
    GIVE(&f, MILTER_HELO, "x\0");
    GIVE(&f, MILTER_MAIL, "<>\0");
    GIVE(&f, MILTER_RCPT, "<b@c>\0");
    GIVE(&f, MILTER_DATA, "");
    GIVE(&f, MILTER_UNKNOWN, "X\0");
    GIVE(&f, MILTER_HEADER, "From\0a@example.org\0");
    GIVE(&f, MILTER_EOH, "");
    GIVE(&f, MILTER_BODY, "x");
    assert_commands(&f, "ccccccccc");
    GIVE(&f, MILTER_EOM, "y"); /* with the last piece */
    assert_commands(&f, "ia");
    end(&f);
}

static void what_is_out_of_place_ends_the_session(void **state)
{
    static const struct {
        const char *commands; /* L: a field, N, B, E, M; O: negotiation with nothing offered */
    } rows[] = {{"L"}, {"N"}, {"B"}, {"E"}, {"MNL"}, {"MNN"}, {"MBL"}, {"MNEE"}, {"Z"}, {"O"}};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct fixture f;

        begin(&f);
        negotiate(&f, UINT32_MAX);
        for (const char *c = rows[i].commands; *c != '\0'; c++) {
            assert_false(f.s.over);
            give(&f, *c,
                 *c == 'L'   ? STR("A\0b\0")
                 : *c == 'M' ? STR("<>\0")
                             : STR("\0\0\0\6\0\0\0\0\0\0\0\0"));
        }
        assert_true(f.s.over);
        end(&f);
    }
}

static void nothing_goes_before_the_negotiation(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f);
    GIVE(&f, MILTER_MAIL, "<>\0");
    assert_true(f.s.over);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_takes_message_after_message),
        cmocka_unit_test(a_login_is_forgotten_with_its_message),
        cmocka_unit_test(replies_are_given_where_none_was_negotiated_away),
        cmocka_unit_test(what_is_out_of_place_ends_the_session),
        cmocka_unit_test(nothing_goes_before_the_negotiation),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
