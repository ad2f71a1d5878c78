/* SPDX-License-Identifier: Apache-2.0 */
/* AUTH (RFC 4954). */
#include <string.h>

#include "runtime/base/counter.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"

#include "mailstack/lib/net/conn.h"
#include "mailstack/smtpd/cmd.h"
#include "mailstack/smtpd/conf.h"
#include "mailstack/smtpd/session.h"
#include "mailstack/smtpd/smtpd.h"

static void welcome(struct session *s, struct str user)
{
    memcpy(s->user, user.p, user.n);
    s->user[user.n] = '\0';
    counter_add(s->d->logins, 1);
    log_info("smtp.login", LOG_STR("user", user), LOG_S("client", s->addr), LOG_S("tls", s->tls));
    session_reply(s, "235 2.7.0 welcome");
}

static void turn_away(struct session *s)
{
    counter_add(s->d->login_failures, 1);
    session_reply(s, "535 5.7.8 authentication failed");
    if (++s->failures_n < SESSION_FAILURES_MAX)
        return;
    session_reply(s, "421 4.7.0 %s too many refused logins", s->d->conf->hostname);
    session_finish(s);
}

static void on_answer(struct auth_login *q, const struct auth_login_answer *a)
{
    struct session *s = container_of(q, struct session, login);

    sasl_done(&s->sasl);
    if (a->verdict == AUTH_YES && a->user.n && a->user.n <= SESSION_USER_MAX)
        welcome(s, a->user);
    else if (a->verdict == AUTH_NO)
        turn_away(s);
    else
        session_reply(s, "454 4.7.0 cannot check logins now, try again later");
    session_go_on(s);
}

static void ask(struct session *s)
{
    const struct auth_credentials k = {
        .user = sasl_user(&s->sasl),
        .password = sasl_password(&s->sasl),
        .service = "smtp",
        .remote = str_of(s->addr),
        .tls = s->tls[0] != '\0',
    };

    s->login.fn = on_answer;
    session_wait(s);
    auth_login_ask(s->d->auth, &s->login, &k);
}

static void go_on(struct session *s, enum sasl_result r, const struct err *err)
{
    s->phase = PHASE_COMMAND;
    switch (r) {
    case SASL_CHALLENGE:
        s->phase = PHASE_SASL;
        session_reply(s, "334 %s", s->sasl.challenge);
        return;
    case SASL_DONE:
        ask(s);
        return;
    case SASL_ERROR:
        sasl_done(&s->sasl);
        session_bad(s, "501 5.5.2 %.*s", err_plain_n(err), err->text);
        return;
    }
}

void cmd_auth_response(struct session *s, struct str line)
{
    struct err err = {0};

    go_on(s, sasl_feed(&s->sasl, line, &err), &err);
}

/* Why AUTH is out of place now, or NULL. */
static const char *why_not(const struct session *s)
{
    if (!s->service->is_submission)
        return "502 5.5.1 no login on this port";
    if (!s->is_extended)
        return "503 5.5.1 EHLO first";
    if (s->user[0] || s->txn)
        return "503 5.5.1 not now";
    return session_may_login(s) ? NULL : "538 5.7.11 log in under TLS only";
}

void cmd_auth(struct session *s, struct str args)
{
    const char *why = why_not(s);
    struct str name = args;
    struct str initial = STR_NONE;
    enum sasl_mech mech;
    struct err err = {0};

    if (why) {
        session_bad(s, "%s", why);
        return;
    }
    (void)str_cut(args, ' ', &name, &initial); /* without it, there is no initial response */
    if (!sasl_mech_parse(name, &mech)) {
        session_bad(s, "504 5.5.4 that mechanism is not offered");
        return;
    }
    go_on(s, sasl_begin(&s->sasl, mech, str_trim(initial), &err), &err);
}
