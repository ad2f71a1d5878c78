/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that came from elsewhere passes through `clean`, which leaves printable text in lines
 * of bounded length, so that no remote server writes headers or parts of its own into our report.
 */
#include "mailstack/lib/mail/dsn.h"

#include "runtime/base/buf.h"

#include "mailstack/lib/mail/date.h"
#include "mailstack/lib/mail/header.h"

#define TEXT_MAX   998 /* of one thing a peer said */
#define LINE_BREAK 72

struct words {
    const char *name;   /* of the action field */
    const char *status; /* where nobody gave one */
    const char *subject;
    const char *intro;
};

static const struct words words[] = {
    [DSN_FAILED] =
        {"failed", "5.0.0", "Undelivered mail returned to sender",
         "Your message could not be delivered to the recipients below. It will not be\r\n"
         "tried again.\r\n"},
    [DSN_DELAYED] =
        {"delayed", "4.0.0", "Delivery of your mail is delayed",
         "Your message could not be delivered yet to the recipients below. It will be\r\n"
         "tried again; you need not send it a second time.\r\n"},
    [DSN_DELIVERED] = {"delivered", "2.0.0", "Your mail was delivered",
                       "Your message was delivered to the recipients below.\r\n"},
    [DSN_RELAYED] =
        {"relayed", "2.0.0", "Your mail was relayed",
         "Your message was handed on for the recipients below to a server that does not\r\n"
         "tell what becomes of it.\r\n"},
    [DSN_EXPANDED] = {"expanded", "2.0.0", "Your mail was delivered to a list",
                      "Your message was delivered to the lists below, which send it on.\r\n"},
};

/* Printable characters, UTF-8 as it is if allowed; broken at spaces into lines that begin with a
 * tab. */
static void clean(struct buf *out, struct str s, bool utf8)
{
    size_t column = LINE_BREAK / 3;

    s = str_trim(str_head(s, TEXT_MAX));
    utf8 = utf8 && str_is_utf8(s);
    for (size_t i = 0; i < s.n; i++, column++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c == '\r' || c == '\n' || c == '\t')
            c = ' ';
        if (c == ' ' && column > LINE_BREAK) {
            buf_append_c(out, "\r\n\t");
            column = 8;
            continue;
        }
        buf_append_u8(out, c < ' ' || c == 0x7f || (c > 0x7f && !utf8) ? (uint8_t)'?' : c);
    }
}

static void field(struct buf *out, const char *name, struct str value, bool utf8)
{
    if (value.n == 0)
        return;
    buf_append_c(out, name);
    clean(out, value, utf8);
    buf_append_c(out, "\r\n");
}

static void date_field(struct buf *out, const char *name, int64_t unix_s)
{
    char text[DATE_TEXT_MAX];

    if (unix_s == 0)
        return;
    date_format(text, unix_s, 0);
    buf_printf(out, "%s%s\r\n", name, text);
}

/* The worst outcome gives the report its subject. */
static enum dsn_action worst(const struct dsn *d)
{
    enum dsn_action w = DSN_EXPANDED;

    for (size_t i = 0; i < d->rcpts_n; i++) {
        if (d->rcpts[i].action < w)
            w = d->rcpts[i].action;
    }
    return w;
}

static void boundary(struct buf *out, const struct dsn *d)
{
    buf_append_c(out, "=_");
    clean(out, d->queue_id, false);
    buf_printf(out, ".%llx", (unsigned long long)d->now_s);
}

static void part(struct buf *out, const struct dsn *d, const char *type, const char *description)
{
    buf_append_c(out, "\r\n--");
    boundary(out, d);
    buf_printf(out, "\r\nContent-Type: %s\r\nContent-Description: %s\r\n", type, description);
    if (d->smtputf8)
        buf_append_c(out, "Content-Transfer-Encoding: 8bit\r\n");
    buf_append_c(out, "\r\n");
}

static void header(struct buf *out, const struct dsn *d)
{
    date_field(out, "Date: ", d->now_s);
    field(out, "From: Mail Delivery System <MAILER-DAEMON@", d->hostname, d->smtputf8);
    buf_truncate(out, out->n >= 2 && !out->failed ? out->n - 2 : out->n);
    buf_append_c(out, ">\r\nTo: <");
    clean(out, d->to, d->smtputf8);
    buf_printf(out, ">\r\nSubject: %s\r\nMessage-ID: <", words[worst(d)].subject);
    clean(out, d->queue_id, false);
    buf_printf(out, ".%llx@", (unsigned long long)d->now_s);
    clean(out, d->hostname, d->smtputf8);
    buf_append_c(out, ">\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
                      "Content-Type: multipart/report; report-type=delivery-status;\r\n"
                      "\tboundary=\"");
    boundary(out, d);
    buf_append_c(out, "\"\r\n\r\nThis is a report in MIME format (RFC 3464).\r\n");
}

/* What became of one, for people. */
static void tell(struct buf *out, const struct dsn *d, const struct dsn_recipient *r)
{
    buf_append_c(out, "\r\n  <");
    clean(out, r->address, d->smtputf8);
    buf_append_c(out, ">\r\n");
    if (r->remote_mta.n && r->diagnostic.n)
        field(out, "\tthe server said this: ", r->remote_mta, d->smtputf8);
    field(out, "\t", r->diagnostic.n ? r->diagnostic : r->reason, d->smtputf8);
    date_field(out, "\ttried until ", r->action == DSN_DELAYED ? r->retry_until_s : 0);
}

static void for_people(struct buf *out, const struct dsn *d)
{
    part(out, d, "text/plain; charset=utf-8", "Notification");
    buf_append_c(out, "This is the mail system at ");
    clean(out, d->hostname, d->smtputf8);
    buf_append_c(out, ".\r\n");
    for (size_t a = 0; a < ARRAY_N(words); a++) {
        bool said = false;

        for (size_t i = 0; i < d->rcpts_n; i++) {
            if (d->rcpts[i].action != (enum dsn_action)a)
                continue;
            if (!said)
                buf_printf(out, "\r\n%s", words[a].intro);
            said = true;
            tell(out, d, &d->rcpts[i]);
        }
    }
}

/* Original-Recipient has its type in it already. */
static void for_programs(struct buf *out, const struct dsn *d)
{
    const char *rfc822 = d->smtputf8 ? "utf-8; " : "rfc822; ";

    part(out, d, d->smtputf8 ? "message/global-delivery-status" : "message/delivery-status",
         "Delivery report");
    field(out, "Reporting-MTA: dns; ", d->hostname, d->smtputf8);
    field(out, "Original-Envelope-Id: ", d->envid, d->smtputf8);
    field(out, "X-Queue-ID: ", d->queue_id, false);
    date_field(out, "Arrival-Date: ", d->arrival_s);
    for (size_t i = 0; i < d->rcpts_n; i++) {
        const struct dsn_recipient *r = &d->rcpts[i];

        buf_append_c(out, "\r\n");
        field(out, "Original-Recipient: ", r->original, d->smtputf8);
        buf_printf(out, "Final-Recipient: %s", rfc822);
        field(out, "", r->address, d->smtputf8);
        buf_printf(out, "Action: %s\r\n", words[r->action].name);
        field(out, "Status: ", r->status.n ? r->status : str_of(words[r->action].status), false);
        field(out, "Remote-MTA: dns; ", r->remote_mta, d->smtputf8);
        if (r->diagnostic.n)
            field(out, "Diagnostic-Code: smtp; ", r->diagnostic, d->smtputf8);
        else
            field(out, "Diagnostic-Code: x-mailbox-run; ", r->reason, d->smtputf8);
        date_field(out, "Last-Attempt-Date: ", r->last_attempt_s);
        date_field(out, "Will-Retry-Until: ", r->action == DSN_DELAYED ? r->retry_until_s : 0);
    }
}

/* Line by line, so that stored text comes out with CRLF. */
static void copy(struct buf *out, struct str text)
{
    struct str l;

    while (header_line(&text, &l)) {
        buf_append(out, header_chomp(l));
        buf_append_c(out, "\r\n");
    }
}

static void original(struct buf *out, const struct dsn *d)
{
    if (d->whole) {
        part(out, d, d->smtputf8 ? "message/global" : "message/rfc822", "Undelivered message");
        copy(out, d->message);
        return;
    }
    part(out, d, d->smtputf8 ? "message/global-headers" : "text/rfc822-headers",
         "Header of the message");
    copy(out, str_trim_set(str_head(d->message, header_end(d->message)), "\r\n"));
}

void dsn_format(struct buf *out, const struct dsn *d)
{
    header(out, d);
    for_people(out, d);
    for_programs(out, d);
    original(out, d);
    buf_append_c(out, "\r\n--");
    boundary(out, d);
    buf_append_c(out, "--\r\n");
}
