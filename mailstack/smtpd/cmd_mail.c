/* SPDX-License-Identifier: Apache-2.0 */
/* MAIL: who may send. */
#include <errno.h>

#include "runtime/base/counter.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"

#include "mailstack/smtpd/cmd.h"
#include "mailstack/smtpd/conf.h"
#include "mailstack/smtpd/session.h"
#include "mailstack/smtpd/smtpd.h"
#include "mailstack/smtpd/txn.h"

static void accept_sender(struct session *s)
{
    session_reply(s, "250 2.1.0 sender taken");
}

static void refuse_sender(struct session *s)
{
    counter_add(s->d->refused_messages, 1);
    log_info("smtp.refuse", LOG_S("at", "mail"), LOG_STR("from", s->txn->from),
             LOG_S("user", s->user), LOG_S("client", s->addr), LOG_S("tls", s->tls),
             LOG_S("why", "not an address of the user"));
    session_reset(s);
    session_bad(s, "553 5.7.1 this sender's address is not yours");
}

static void on_answer(struct auth_sender *q, enum auth_verdict verdict)
{
    struct session *s = container_of(q, struct session, sender);

    switch (verdict) {
    case AUTH_YES:
        accept_sender(s);
        break;
    case AUTH_NO:
        refuse_sender(s);
        break;
    case AUTH_TEMP:
        session_reset(s);
        session_reply(s, "451 4.3.0 cannot check the sender now, try again later");
        break;
    }
    session_go_on(s);
}

static const char *why_not(const struct session *s)
{
    if (!s->helo[0])
        return "503 5.5.1 HELO or EHLO first";
    if (s->txn)
        return "503 5.5.1 there is a sender already";
    if (!s->service->is_submission || s->user[0])
        return NULL;
    return session_may_login(s) ? "530 5.7.0 log in first"
                                : "530 5.7.0 STARTTLS first, then log in";
}

static void bad_syntax(struct session *s, const struct err *err)
{
    const char *code = err->code == EILSEQ    ? "553 5.6.7"
                       : err->code == ENOTSUP ? "555 5.5.4"
                       : err->code == EBADMSG ? "501 5.5.4"
                                              : "501 5.1.7";

    session_bad(s, "%s %.*s", code, err_plain_n(err), err->text);
}

void cmd_mail(struct session *s, struct str args)
{
    const char *why = why_not(s);
    struct smtp_mail m;
    struct err err = {0};

    if (why) {
        session_bad(s, "%s", why);
        return;
    }
    if (smtp_mail_parse(args, &m, &err) < 0) {
        bad_syntax(s, &err);
        return;
    }
    if (m.size > s->d->conf->message_size) {
        session_reply(s, "552 5.3.4 message too large");
        return;
    }
    s->txn = txn_new(s->d, s, &m);
    if (!s->user[0] || m.from.n == 0) {
        accept_sender(s);
        return;
    }
    s->sender.fn = on_answer;
    session_wait(s);
    auth_sender_ask(s->d->auth, &s->sender, str_of(s->user), s->txn->from);
}
