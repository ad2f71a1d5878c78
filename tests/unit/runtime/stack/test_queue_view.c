/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/buf.h"
#include "runtime/base/own.h"
#include "runtime/stack/queue_view.h"

#include "tests/lib/test.h"

#define NOW 1764000100

#define ONE                                                                                   \
    "{\"id\":\"1K10RTBW773QDQ\",\"arrival_s\":1764000000,\"size\":1536,\"sender\":\"a@b\","   \
    "\"sending\":false,\"recipients\":[{\"address\":\"x@far.test\",\"state\":\"pending\","    \
    "\"attempts\":2,\"last_s\":1764000090,\"next_s\":1764000160,\"status\":\"4.2.1\","        \
    "\"remote\":\"mx[1.2.3.4]:25\",\"error\":\"450 4.2.1 later\",\"notify\":[\"failure\"]},"  \
    "{\"address\":\"y@far.test\",\"state\":\"relayed\",\"attempts\":1,\"last_s\":1764000090," \
    "\"next_s\":0,\"status\":\"2.0.0\",\"remote\":\"mx\",\"error\":\"250 ok\"}]"

static void a_list_says_who_waits_and_why(void **state)
{
    own_buf struct buf b = BUF_INIT(65536);
    struct err err = {0};

    (void)state;
    assert_ok(queue_view_list(STR(ONE "}\n" ONE "}\n"), NOW, &b, &err), &err);
    assert_true(str_starts(buf_str(&b), STR("1K10RTBW773QDQ  1.5K  1m40s ago  from <a@b>\n"
                                            "    to <x@far.test>  2 attempts, next in 1m0s\n"
                                            "        4.2.1 mx[1.2.3.4]:25 said: 450 4.2.1 later\n"
                                            "    to <y@far.test>  relayed\n1K10")));
    assert_true(str_ends(buf_str(&b), STR("\n2 messages, 3K\n")));
}

static void an_empty_list_and_a_cut_one_say_so(void **state)
{
    own_buf struct buf b = BUF_INIT(65536);
    struct err err = {0};

    (void)state;
    assert_ok(queue_view_list(STR_NONE, NOW, &b, &err), &err);
    assert_str(buf_str(&b), "the queue is empty\n");
    buf_reset(&b);
    assert_ok(queue_view_list(STR(ONE "}\n{\"more\":7}\n"), NOW, &b, &err), &err);
    assert_true(str_ends(buf_str(&b), STR("... and 7 more\n8 messages, 1.5K\n")));
}

static void one_message_is_shown_whole(void **state)
{
    static const char *const lines[] = {
        "message    1K10RTBW773QDQ\n",
        "from       <a@b>\n",
        "arrived    2025-11-24 16:00:00 UTC, 1m40s ago\n",
        "options    RET=hdrs ENVID=e 8BITMIME \n",
        "NOTIFY=failure\n",
        "pending, 2 attempts, the last at 2025-11-24 16:01:30 UTC, next in 1m0s\n",
        "\nSubject: x\n\n",
    };
    own_buf struct buf b = BUF_INIT(65536);
    struct err err = {0};

    (void)state;
    assert_ok(queue_view_show(STR(ONE ",\"envid\":\"e\",\"ret\":\"hdrs\",\"8bit\":true,"
                                      "\"smtputf8\":false,\"header\":\"Subject: x\\r\\n\\r\\n\"}"),
                              NOW, &b, &err),
              &err);
    for (size_t i = 0; i < ARRAY_N(lines); i++) {
        if (str_find_str(buf_str(&b), str_of(lines[i])) < 0)
            fail_msg("'%s' is not in:\n%s", lines[i], buf_c(&b));
    }
}

static void a_server_cannot_write_to_the_terminal(void **state)
{
    own_buf struct buf b = BUF_INIT(65536);
    struct err err = {0};

    (void)state;
    assert_ok(
        queue_view_list(
            STR("{\"id\":\"1\",\"sender\":\"a\\u001b[2J\",\"recipients\":[{\"address\":\"x\\u0007\","
                "\"state\":\"pending\",\"error\":\"550 \\u001b]0;evil\\u009b\\r\\nid\"}]}\n"),
            NOW, &b, &err),
        &err);
    for (size_t i = 0; i < b.n; i++)
        assert_true((unsigned char)b.p[i] >= ' ' || b.p[i] == '\n');
    assert_true(str_find_str(buf_str(&b), STR("550 ?]0;evil???id\n")) > 0);
    assert_true(str_find_str(buf_str(&b), STR("\xc2\x9b")) < 0);
}

static void what_was_done_is_said(void **state)
{
    own_buf struct buf b = BUF_INIT(65536);
    struct err err = {0};

    (void)state;
    assert_ok(queue_view_flush(STR("{\"flushed\":3}"), NOW, &b, &err), &err);
    assert_ok(queue_view_flush(STR("{\"flushed\":1}"), NOW, &b, &err), &err);
    assert_ok(queue_view_rm(STR("{\"removed\":\"1K\"}"), NOW, &b, &err), &err);
    assert_str(buf_str(&b),
               "3 messages are tried now\n1 message is tried now\nmessage 1K is removed\n");
}

static void what_queued_does_not_say_is_an_error(void **state)
{
    own_buf struct buf b = BUF_INIT(65536);
    struct err err = {0};

    (void)state;
    assert_int_equal(queue_view_list(STR("hello\n"), NOW, &b, &err), -1);
    assert_int_equal(queue_view_list(STR("{\"id\":\"1\"}\n"), NOW, &b, &err), -1);
    assert_int_equal(queue_view_show(STR("[]"), NOW, &b, &err), -1);
    assert_int_equal(queue_view_flush(STR(""), NOW, &b, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_says_who_waits_and_why),
        cmocka_unit_test(an_empty_list_and_a_cut_one_say_so),
        cmocka_unit_test(one_message_is_shown_whole),
        cmocka_unit_test(a_server_cannot_write_to_the_terminal),
        cmocka_unit_test(what_was_done_is_said),
        cmocka_unit_test(what_queued_does_not_say_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
