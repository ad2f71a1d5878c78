/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/dsn.h"
#include "mailstack/lib/mail/header.h"
#include "mailstack/lib/mail/mime.h"

#include "tests/lib/test.h"

static const struct dsn_recipient rcpts[] = {
    {.address = STR_INIT("bob@example.net"),
     .original = STR_INIT("rfc822;robert@example.net"),
     .action = DSN_FAILED,
     .status = STR_INIT("5.1.1"),
     .diagnostic = STR_INIT("550 5.1.1 no such user,\r\nand never was\r\n\r\n--boundary"),
     .remote_mta = STR_INIT("mx.example.net"),
     .last_attempt_s = 1795517178},
    {.address = STR_INIT("eve@example.com"),
     .action = DSN_DELAYED,
     .reason = STR_INIT("no MX host answers"),
     .retry_until_s = 1795603578},
};

static struct dsn sample(void)
{
    return (struct dsn){.hostname = STR("mail.example.org"),
                        .to = STR("alice@example.org"),
                        .envid = STR("env-1"),
                        .queue_id = STR("4f2a"),
                        .arrival_s = 1795517100,
                        .now_s = 1795517178,
                        .rcpts = rcpts,
                        .rcpts_n = ARRAY_N(rcpts),
                        .message = STR("Subject: hello\n\nsecret body\n")};
}

static struct mime_part *parse(const struct buf *b, struct arena *a)
{
    struct mime_part *root = NULL;
    struct err err = {0};

    assert_false(b->failed);
    assert_ok(mime_parse(buf_str(b), a, &root, &err), &err);
    return root;
}

static void a_report_has_its_three_parts(void **state)
{
    struct arena *a = arena_new(1 << 20);
    own_buf struct buf out = BUF_INIT(1 << 16);
    struct dsn d = sample();
    struct header_field f;

    (void)state;
    dsn_format(&out, &d);
    const struct mime_part *root = parse(&out, a);

    assert_true(mime_is(root, "multipart", "report"));
    assert_str(mime_param(&root->content_type, "report-type"), "delivery-status");
    assert_true(header_find(root->header, "From", &f));
    assert_str(f.value, " Mail Delivery System <MAILER-DAEMON@mail.example.org>");
    assert_true(header_find(root->header, "Auto-Submitted", &f));
    const struct mime_part *text = root->child;
    const struct mime_part *status = text->next;
    const struct mime_part *header = status->next;

    assert_null(header->next);
    assert_true(mime_is(text, "text", "plain"));
    assert_true(str_find_str(text->body, STR("<bob@example.net>")) > 0);
    assert_true(mime_is(status, "message", "delivery-status"));
    assert_str(status->body,
               "Reporting-MTA: dns; mail.example.org\r\n"
               "Original-Envelope-Id: env-1\r\n"
               "X-Queue-ID: 4f2a\r\n"
               "Arrival-Date: Tue, 24 Nov 2026 10:45:00 +0000\r\n"
               "\r\n"
               "Original-Recipient: rfc822;robert@example.net\r\n"
               "Final-Recipient: rfc822; bob@example.net\r\n"
               "Action: failed\r\n"
               "Status: 5.1.1\r\n"
               "Remote-MTA: dns; mx.example.net\r\n"
               "Diagnostic-Code: smtp; 550 5.1.1 no such user,  and never was    --boundary\r\n"
               "Last-Attempt-Date: Tue, 24 Nov 2026 10:46:18 +0000\r\n"
               "\r\n"
               "Final-Recipient: rfc822; eve@example.com\r\n"
               "Action: delayed\r\n"
               "Status: 4.0.0\r\n"
               "Diagnostic-Code: x-mailbox-run; no MX host answers\r\n"
               "Will-Retry-Until: Wed, 25 Nov 2026 10:46:18 +0000\r\n");
    assert_true(mime_is(header, "text", "rfc822-headers"));
    assert_str(header->body, "Subject: hello\r\n");
    arena_free(a);
}

static void the_whole_message_comes_back_if_asked(void **state)
{
    struct arena *a = arena_new(1 << 20);
    own_buf struct buf out = BUF_INIT(1 << 16);
    struct dsn d = sample();

    (void)state;
    d.whole = true;
    dsn_format(&out, &d);
    const struct mime_part *original = parse(&out, a)->child->next->next;

    assert_true(mime_is_message(original));
    assert_str(original->body, "Subject: hello\r\n\r\nsecret body\r\n");
    arena_free(a);
}

static void lines_end_in_crlf_and_are_short(void **state)
{
    own_buf struct buf out = BUF_INIT(1 << 16);
    own_buf struct buf words = BUF_INIT(4000);
    struct dsn_recipient r = {.address = STR("a@b"), .action = DSN_FAILED};
    struct dsn d = sample();
    struct str rest;
    struct str line;

    (void)state;
    for (int i = 0; i < 300; i++)
        buf_append_c(&words, "550 said \x80 ");
    r.diagnostic = buf_str(&words);
    d.rcpts = &r;
    d.rcpts_n = 1;
    dsn_format(&out, &d);
    for (rest = buf_str(&out); header_line(&rest, &line);) {
        assert_true(str_ends(line, STR("\r\n")));
        assert_true(line.n < 100);
        assert_true(str_find(header_chomp(line), '\r') < 0);
    }
    assert_true(str_is_ascii(buf_str(&out)));
}

static void internationalised_mail_is_reported_as_such(void **state)
{
    struct arena *a = arena_new(1 << 20);
    own_buf struct buf out = BUF_INIT(1 << 16);
    struct dsn_recipient r = {.address = STR("j\xc3\xbc@b"), .action = DSN_FAILED};
    struct dsn d = sample();

    (void)state;
    d.smtputf8 = true;
    d.rcpts = &r;
    d.rcpts_n = 1;
    dsn_format(&out, &d);
    const struct mime_part *status = parse(&out, a)->child->next;

    assert_true(mime_is(status, "message", "global-delivery-status"));
    assert_true(str_find_str(status->body, STR("Final-Recipient: utf-8; j\xc3\xbc@b\r\n")) > 0);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_has_its_three_parts),
        cmocka_unit_test(the_whole_message_comes_back_if_asked),
        cmocka_unit_test(lines_end_in_crlf_and_are_short),
        cmocka_unit_test(internationalised_mail_is_reported_as_such),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
