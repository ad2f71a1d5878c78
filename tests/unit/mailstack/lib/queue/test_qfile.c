/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/lib/queue/qfile.h"

#include "tests/lib/test.h"

static void make(struct qmsg *m)
{
    struct err err = {0};

    qmsg_init(m);
    qmsg_set_sender(m, STR("al ice%@home.test"));
    qmsg_set_owner(m, STR("alice@home.test"));
    qmsg_set_envid(m, STR("id+2B"));
    m->arrival_us = 1764000000123456;
    m->ret = QRET_HDRS;
    m->is_8bit = true;
    m->is_utf8 = true;
    m->size = 77;
    assert_ok(qmsg_add_rcpt(m, STR("bob@far.test"), 0, STR_NONE, &err), &err);
    assert_ok(qmsg_add_rcpt(m, STR("-"), QNOTIFY_NEVER, STR("rfc822;x"), &err), &err);
    assert_ok(qmsg_add_rcpt(m, STR("j\xc3\xbcrgen@far.test"), QNOTIFY_FAILURE | QNOTIFY_DELAY,
                            STR_NONE, &err),
              &err);
}

static int read_back(struct str text, struct qmsg *m, struct err *err)
{
    qmsg_init(m);
    if (qfile_parse_first(text, m, err) < 0)
        return -1;
    if (m->head_n > text.n)
        return err_set(err, 0, "short");
    return qfile_parse_envelope(str_sub(text, QFILE_FIRST_N, (size_t)m->head_n - QFILE_FIRST_N), m,
                                err);
}

static void an_envelope_is_read_as_it_was_written(void **state)
{
    own_buf struct buf b = BUF_INIT(4096);
    struct err err = {0};
    struct qmsg m;
    struct qmsg r;

    (void)state;
    make(&m);
    qfile_format_head(&b, &m);
    assert_int_equal(m.head_n, b.n);
    assert_ok(read_back(buf_str(&b), &r, &err), &err);
    assert_int_equal(r.head_n, b.n);
    assert_int_equal(r.size, 77);
    assert_int_equal(r.arrival_us, m.arrival_us);
    assert_string_equal(r.sender, m.sender);
    assert_string_equal(r.owner, "alice@home.test");
    assert_string_equal(r.envid, "id+2B");
    assert_true(r.ret == QRET_HDRS && r.is_8bit && r.is_utf8);
    assert_int_equal(r.rcpts_n, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(r.rcpts[i].addr, m.rcpts[i].addr);
        assert_string_equal(r.rcpts[i].orcpt, m.rcpts[i].orcpt);
        assert_int_equal(r.rcpts[i].notify, m.rcpts[i].notify);
        assert_int_equal(r.rcpts[i].state, QSTATE_PENDING);
    }
    qmsg_done(&m);
    qmsg_done(&r);
}

static void the_null_sender_is_kept(void **state)
{
    own_buf struct buf b = BUF_INIT(4096);
    struct err err = {0};
    struct qmsg m;
    struct qmsg r;

    (void)state;
    qmsg_init(&m);
    assert_ok(qmsg_add_rcpt(&m, STR("a@b"), 0, STR_NONE, &err), &err);
    qfile_format_head(&b, &m);
    assert_ok(read_back(buf_str(&b), &r, &err), &err);
    assert_string_equal(r.sender, "");
    qmsg_done(&m);
    qmsg_done(&r);
}

static void a_changed_first_line_is_damaged(void **state)
{
    char first[QFILE_FIRST_N + 1];
    struct err err = {0};
    struct qmsg m;

    (void)state;
    make(&m);
    m.head_n = 100;
    qfile_format_first(&m, first);
    assert_ok(qfile_parse_first(str_of(first), &m, &err), &err);
    for (size_t i = 0; i < QFILE_FIRST_N; i++) {
        first[i] ^= 1;
        assert_int_equal(qfile_parse_first(str_of(first), &m, &err), -1);
        first[i] ^= 1;
    }
    assert_int_equal(qfile_parse_first(str_head(str_of(first), QFILE_FIRST_N - 1), &m, &err), -1);
    qmsg_done(&m);
}

static void what_was_not_written_here_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "\n",
        "\n\n",
        "from a@b\n\n",
        "rcpt a@b - -\n",
        "rcpt a@b -\n\n",
        "rcpt - - -\n\n",
        "rcpt a@b never,never -\n\n",
        "rcpt a@b delay,success -\n\n",
        "rcpt a@b - %2\n\n",
        "rcpt a@b - %zz\n\n",
        "rcpt a@b - %00\n\n",
        "rcpt a\x7f - -\n\n",
        "rcpt a@b - -\nmore x\n\n",
        "rcpt a@b - -\nret some\n\n",
        "rcpt a@b - -\nutf8 yes\n\n",
        "rcpt a@b - -\narrival -5\n\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        struct err err = {0};
        struct qmsg m;

        qmsg_init(&m);
        if (qfile_parse_envelope(str_of(bad[i]), &m, &err) == 0)
            fail_msg("'%s' was taken", bad[i]);
        assert_true(err.text[0] != '\0');
        qmsg_done(&m);
    }
}

static void a_limit_is_said_when_it_is_reached(void **state)
{
    own_buf struct buf b = BUF_INIT(2048);
    struct err err = {0};
    struct qmsg m;

    (void)state;
    qmsg_init(&m);
    for (int i = 0; i < QFILE_RCPTS_MAX; i++)
        assert_ok(qmsg_add_rcpt(&m, STR("a@b"), 0, STR_NONE, &err), &err);
    assert_int_equal(qmsg_add_rcpt(&m, STR("a@b"), 0, STR_NONE, &err), -1);
    qmsg_done(&m);
    qmsg_init(&m);
    for (int i = 0; i < QFILE_VALUE_MAX / 3 + 1; i++)
        buf_append_char(&b, ' ');
    assert_int_equal(qmsg_add_rcpt(&m, buf_str(&b), 0, STR_NONE, &err), -1);
    qmsg_done(&m);
}

static void the_last_sound_record_counts(void **state)
{
    own_buf struct buf b = BUF_INIT(65536);
    struct qmsg m;
    struct qmsg r;

    (void)state;
    make(&m);
    make(&r);
    m.rcpts[1].attempts = 3;
    m.rcpts[1].last_s = 1764000001;
    m.rcpts[1].next_s = 1764000061;
    qrcpt_set(&m.rcpts[1], QSTATE_PENDING, STR("4.2.1"), STR("mx[1.2.3.4]:25"),
              STR("450 4.2.1 come back\r\nlater"));
    qfile_format_record(&b, &m, 1);
    qrcpt_set(&m.rcpts[0], QSTATE_FAILED, STR("5.1.1"), STR_NONE, STR("no"));
    m.rcpts[0].told = QTOLD_END;
    qfile_format_record(&b, &m, 0);
    m.rcpts[1].attempts = 4;
    qrcpt_set(&m.rcpts[1], QSTATE_RELAYED, STR("2.0.0"), STR("mx"), STR("250 ok"));
    qfile_format_record(&b, &m, 1);
    assert_int_equal(qfile_apply_records(buf_str(&b), &r), 0);
    assert_int_equal(r.rcpts[0].state, QSTATE_FAILED);
    assert_int_equal(r.rcpts[0].told, QTOLD_END);
    assert_string_equal(r.rcpts[0].status, "5.1.1");
    assert_int_equal(r.rcpts[1].state, QSTATE_RELAYED);
    assert_int_equal(r.rcpts[1].attempts, 4);
    assert_int_equal(r.rcpts[1].next_s, 1764000061);
    assert_string_equal(r.rcpts[1].text, "250 ok");
    assert_int_equal(r.rcpts[2].state, QSTATE_PENDING);
    qmsg_done(&m);
    qmsg_done(&r);
}

/* A write may be torn at any byte, and the next one begins on a line of its own. */
static void a_torn_record_is_passed_over(void **state)
{
    own_buf struct buf torn = BUF_INIT(65536);
    struct qmsg m;
    size_t whole;

    (void)state;
    make(&m);
    qrcpt_set(&m.rcpts[0], QSTATE_FAILED, STR("5.1.1"), STR_NONE, STR("no such user"));
    qfile_format_record(&torn, &m, 0);
    whole = torn.n;
    for (size_t n = 0; n < whole; n++) {
        own_buf struct buf b = BUF_INIT(65536);
        struct qmsg r;

        make(&r);
        buf_append(&b, str_head(buf_str(&torn), n));
        assert_int_equal(qfile_apply_records(buf_str(&b), &r), n ? 1 : 0);
        assert_int_equal(r.rcpts[0].state, QSTATE_PENDING);
        buf_append_char(&b, '\n');
        qrcpt_set(&m.rcpts[1], QSTATE_DELIVERED, STR("2.0.0"), STR_NONE, STR("ok"));
        qfile_format_record(&b, &m, 1);
        (void)qfile_apply_records(buf_str(&b), &r); /* the number of bad lines was checked */
        assert_int_equal(r.rcpts[1].state, QSTATE_DELIVERED);
        qmsg_done(&r);
    }
    qmsg_done(&m);
}

static void a_record_with_one_wrong_bit_is_passed_over(void **state)
{
    own_buf struct buf b = BUF_INIT(4096);
    struct qmsg m;
    struct qmsg r;

    (void)state;
    make(&m);
    make(&r);
    qrcpt_set(&m.rcpts[2], QSTATE_DELIVERED, STR("2.0.0"), STR("lmtpd"), STR("250 ok"));
    qfile_format_record(&b, &m, 2);
    for (size_t i = 0; i + 1 < b.n; i++) {
        b.p[i] ^= 4;
        assert_true(qfile_apply_records(buf_str(&b), &r) > 0);
        assert_int_equal(r.rcpts[2].state, QSTATE_PENDING);
        b.p[i] ^= 4;
    }
    qmsg_done(&m);
    qmsg_done(&r);
}

static void an_id_is_a_harmless_file_name(void **state)
{
    static const char *const good[] = {"1K10RTBW773QDQ", "A-1", "0-d99"};
    static const char *const bad[] = {"",    "-A",  ".",   "..",
                                      "a/b", "a.b", "A B", "0123456789012345678901234"};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(good); i++)
        assert_true(qfile_is_id(str_of(good[i])));
    for (size_t i = 0; i < ARRAY_N(bad); i++)
        assert_false(qfile_is_id(str_of(bad[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_envelope_is_read_as_it_was_written),
        cmocka_unit_test(the_null_sender_is_kept),
        cmocka_unit_test(a_changed_first_line_is_damaged),
        cmocka_unit_test(what_was_not_written_here_is_refused),
        cmocka_unit_test(a_limit_is_said_when_it_is_reached),
        cmocka_unit_test(the_last_sound_record_counts),
        cmocka_unit_test(a_torn_record_is_passed_over),
        cmocka_unit_test(a_record_with_one_wrong_bit_is_passed_over),
        cmocka_unit_test(an_id_is_a_harmless_file_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
