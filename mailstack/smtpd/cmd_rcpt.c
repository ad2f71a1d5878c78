/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RCPT: does the address lead anywhere, and is there room? A recipient in a domain of ours is
 * resolved by authd; lmtpd is then asked whether it would take a message of the announced size for
 * the mailboxes it leads to. A list is taken as long as one of its members has room.
 */
#include <errno.h>
#include <stdio.h>

#include "runtime/base/arena.h"
#include "runtime/base/counter.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"

#include "mailstack/lib/proto/smtp_reply.h"
#include "mailstack/smtpd/cmd.h"
#include "mailstack/smtpd/conf.h"
#include "mailstack/smtpd/room.h"
#include "mailstack/smtpd/session.h"
#include "mailstack/smtpd/smtpd.h"
#include "mailstack/smtpd/txn.h"

#define REPLY_MAX 512

static void refuse(struct session *s, const char *reply)
{
    counter_add(s->d->refused_rcpts, 1);
    log_info("smtp.refuse", LOG_S("at", "rcpt"), LOG_STR("from", s->txn->from),
             LOG_STR("to", smtp_path_str(&s->rcpt.to)), LOG_S("user", s->user),
             LOG_S("client", s->addr), LOG_S("helo", s->helo), LOG_S("tls", s->tls),
             LOG_S("reply", reply));
    session_reply(s, "%s", reply);
    if (reply[0] != '5' || ++s->refused_n < SESSION_REFUSED_MAX)
        return;
    session_reply(s, "421 4.7.0 %s too many refused recipients", s->d->conf->hostname);
    session_finish(s);
}

static void take_rcpt(struct session *s)
{
    struct err err = {0};

    if (txn_add(s->txn, &s->rcpt, s->targets, s->targets_n, &err) < 0)
        refuse(s, "452 4.5.3 too many recipients");
    else
        session_reply(s, "250 2.1.5 recipient taken");
}

/* --- room ------------------------------------------------------------------------------------- */

/* "CODE STATUS TEXT" as the next server said it; a temporary failure is always 451. */
static void refuse_as(struct session *s, const struct lmtp_rcpt *r)
{
    char reply[REPLY_MAX];
    unsigned code = r->code / 100 == 5 ? r->code : 451;
    struct str text;
    struct str status = smtp_reply_status(code, str_of(r->text), &text);

    if (status.n == 0)
        status = code / 100 == 5 ? STR("5.0.0") : STR("4.3.0");
    (void)snprintf(reply, sizeof(reply), "%u %.*s %.*s", code, STR_ARG(status), STR_ARG(text));
    refuse(s, reply);
}

static const struct lmtp_rcpt *first_but(const struct lmtp_job *j, unsigned class)
{
    for (size_t i = 0; i < j->rcpts_n; i++) {
        if (j->rcpts[i].code / 100 != class)
            return &j->rcpts[i];
    }
    return &j->rcpts[0];
}

static void on_probed(struct lmtp_job *j)
{
    struct session *s = container_of(j, struct session, probe);

    for (size_t i = 0; i < j->rcpts_n; i++) {
        if (j->rcpts[i].code / 100 == 2)
            room_put(s->d->room, j->rcpts[i].address, j->size);
    }
    if (lmtp_count(j, 2) || j->rcpts_n < s->targets_n)
        take_rcpt(s);
    else
        refuse_as(s, first_but(j, 5));
    session_go_on(s);
}

static size_t local_targets(const struct session *s, struct lmtp_rcpt *out)
{
    size_t n = 0;

    for (size_t i = 0; i < s->targets_n; i++) {
        const struct auth_target *t = &s->targets[i];

        if (!t->local)
            continue;
        if (out)
            out[n] = (struct lmtp_rcpt){.address = t->address,
                                        .quota = t->quota ? t->quota : LMTP_NO_QUOTA};
        n++;
    }
    return n;
}

static bool all_have_room(const struct session *s)
{
    for (size_t i = 0; i < s->targets_n; i++) {
        if (s->targets[i].local && !room_has(s->d->room, s->targets[i].address, s->txn->announced))
            return false;
    }
    return true;
}

/* True if lmtpd is being asked. */
static bool probe(struct session *s)
{
    struct txn *t = s->txn;
    size_t n = local_targets(s, NULL);
    struct lmtp_rcpt *rcpts;

    if (all_have_room(s))
        return false;
    rcpts = arena_array(t->arena, n, sizeof(*rcpts));
    if (!rcpts)
        return false; /* txn_add will find that out */
    (void)local_targets(s, rcpts);
    s->probe = (struct lmtp_job){
        .fn = on_probed,
        .from = t->from,
        .size = t->announced,
        .is_8bit = t->is_8bit,
        .is_utf8 = t->is_utf8,
        .rcpts = rcpts,
        .rcpts_n = n,
    };
    lmtp_run(s->d->local, &s->probe);
    return true;
}

/* --- where does it lead ----------------------------------------------------------------------- */

static bool keep_targets(struct session *s, const struct auth_resolve_answer *a)
{
    struct arena *arena = s->txn->arena;

    s->targets_n = a->targets_n;
    s->targets = arena_array(arena, a->targets_n, sizeof(*s->targets));
    for (size_t i = 0; s->targets && i < a->targets_n; i++) {
        s->targets[i] = a->targets[i];
        s->targets[i].address = arena_str(arena, a->targets[i].address);
        if (!s->targets[i].address.p)
            return false;
    }
    return s->targets != NULL;
}

static void unknown(struct session *s, struct str reason)
{
    char reply[REPLY_MAX];
    bool forbidden = str_starts(reason, STR("only ")); /* may post to this list */

    if (reason.n == 0)
        reason = STR("no such recipient");
    (void)snprintf(reply, sizeof(reply), "550 %s %.*s", forbidden ? "5.7.1" : "5.1.1",
                   (int)(reason.n < REPLY_MAX / 2 ? reason.n : REPLY_MAX / 2), reason.p);
    refuse(s, reply);
}

static void on_resolved(struct auth_resolve *q, const struct auth_resolve_answer *a)
{
    struct session *s = container_of(q, struct session, resolve);

    switch (a->verdict) {
    case AUTH_YES:
        if (!keep_targets(s, a))
            refuse(s, "452 4.5.3 too many recipients");
        else if (probe(s))
            return;
        else
            take_rcpt(s);
        break;
    case AUTH_NO:
        unknown(s, a->reason);
        break;
    case AUTH_TEMP:
        refuse(s, "451 4.3.0 cannot check the recipient now, try again later");
        break;
    }
    session_go_on(s);
}

/* To another server: for those who logged in. */
static void take_remote(struct session *s)
{
    struct auth_target t = {.address = smtp_path_str(&s->rcpt.to)};

    if (!s->user[0]) {
        refuse(s, "550 5.7.1 no relaying");
        return;
    }
    if (!s->d->queue) {
        refuse(s, "550 5.7.1 no mail to other domains from here");
        return;
    }
    s->targets = &t;
    s->targets_n = 1;
    take_rcpt(s);
    s->targets = NULL;
}

static void bad_syntax(struct session *s, const struct err *err)
{
    const char *code = err->code == EILSEQ    ? "553 5.6.7"
                       : err->code == ENOTSUP ? "555 5.5.4"
                       : err->code == EBADMSG ? "501 5.5.4"
                                              : "501 5.1.3";

    session_bad(s, "%s %.*s", code, err_plain_n(err), err->text);
}

void cmd_rcpt(struct session *s, struct str args)
{
    struct txn *t = s->txn;
    struct err err = {0};

    if (!t) {
        session_bad(s, "503 5.5.1 MAIL first");
        return;
    }
    if (smtp_rcpt_parse(args, t->is_utf8, &s->rcpt, &err) < 0) {
        bad_syntax(s, &err);
        return;
    }
    if (t->rcpts_n >= s->d->conf->recipients) {
        session_reply(s, "452 4.5.3 too many recipients");
        return;
    }
    s->rcpt.orcpt = arena_str(t->arena, s->rcpt.orcpt); /* the line goes */
    struct str domain = smtp_path_domain(&s->rcpt.to);

    if (domain.n && !conf_is_ours(s->d->conf, domain)) {
        take_remote(s);
        return;
    }
    s->resolve.fn = on_resolved;
    session_wait(s);
    auth_resolve_ask(s->d->auth, &s->resolve, smtp_path_str(&s->rcpt.to), t->from);
}
