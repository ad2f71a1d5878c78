/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/smtpd/deliver.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/clock.h"
#include "runtime/base/counter.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/date.h"
#include "mailstack/lib/mail/received.h"
#include "mailstack/lib/net/conn.h"
#include "mailstack/lib/proto/smtp_reply.h"
#include "mailstack/smtpd/conf.h"
#include "mailstack/smtpd/session.h"
#include "mailstack/smtpd/smtpd.h"

#define REPLY_MAX    512
#define RECEIVED_MAX 4096

/* --- the end ---------------------------------------------------------------------------------- */

static void log_end(const struct txn *t, bool taken, const char *reply)
{
    const struct log_field fields[] = {
        LOG_S("id", t->id),
        LOG_STR("from", t->from),
        LOG_U("rcpts", t->rcpts_n),
        LOG_U("local", t->local_n),
        LOG_U("remote", t->remote_n),
        LOG_STR("to", t->rcpts_n ? t->rcpts[0].address : STR_NONE),
        LOG_U("bytes", t->size),
        LOG_STR("service", t->env.daemon_name),
        LOG_STR("client", t->env.client_addr),
        LOG_STR("helo", t->env.helo),
        LOG_STR("tls", t->env.tls_version),
        LOG_STR("user", t->env.user),
        LOG_S("reply", reply),
        {.key = NULL},
    };

    log_event(LOG_LEVEL_INFO, taken ? "smtp.accept" : "smtp.refuse", fields);
}

/* The reply goes to the client, if it is still there, and the transaction ends. */
static void end(struct txn *t, const char *reply)
{
    struct session *s = t->session;
    bool taken = reply[0] == '2';

    log_end(t, taken, reply);
    if (taken) {
        counter_add(t->d->messages, 1);
        counter_add(t->d->bytes, (int64_t)t->size);
    } else {
        counter_add(t->d->refused_messages, 1);
    }
    if (s)
        session_told(s, reply);
    txn_free(t);
}

static void accept_it(struct txn *t)
{
    char reply[REPLY_MAX];

    (void)snprintf(reply, sizeof(reply), "250 2.0.0 accepted as %s", t->id);
    end(t, reply);
}

/* "CODE STATUS TEXT" from what another server said; status is used where it said none. */
static void end_as(struct txn *t, unsigned code, const struct lmtp_rcpt *r, const char *status)
{
    char reply[REPLY_MAX];
    struct str text;
    struct str said = smtp_reply_status(code, str_of(r->text), &text);

    if (said.n == 0)
        said = str_of(status);
    (void)snprintf(reply, sizeof(reply), "%u %.*s %.*s", code, STR_ARG(said), STR_ARG(text));
    end(t, reply);
}

/* Every recipient of this job failed. */
static void end_failed(struct txn *t, const struct lmtp_job *j)
{
    const struct lmtp_rcpt *first = &j->rcpts[0];

    for (size_t i = 0; i < j->rcpts_n; i++) {
        if (j->rcpts[i].code / 100 != 5) {
            end_as(t, 451, &j->rcpts[i], "4.3.0");
            return;
        }
    }
    end_as(t, first->code == 552 ? 552 : 554, first, "5.0.0");
}

/* --- handing over ----------------------------------------------------------------------------- */

static void fill_job(struct txn *t, struct lmtp_job *j)
{
    j->from = t->from;
    j->is_8bit = t->is_8bit;
    j->is_utf8 = t->is_utf8;
    j->ret = t->ret;
    j->envid = t->envid;
    j->owner = t->env.user;
    j->parts = t->parts;
    j->parts_n = t->parts_n;
    j->size = 0;
    for (size_t i = 0; i < t->parts_n; i++)
        j->size += t->parts[i].n;
}

static struct lmtp_rcpt recipient(const struct txn *t, const struct txn_target *at)
{
    const struct txn_rcpt *r = &t->rcpts[at->rcpt];

    return (struct lmtp_rcpt){
        .address = at->address,
        .quota = at->quota,
        .notify = r->notify,
        .orcpt = r->orcpt,
    };
}

static bool take_targets(struct txn *t, struct lmtp_job *j, bool local, size_t n)
{
    j->rcpts = arena_array(t->arena, n, sizeof(*j->rcpts));
    j->rcpts_n = 0;
    for (size_t i = 0; i < t->targets_n && j->rcpts; i++) {
        if (t->targets[i].is_local == local)
            j->rcpts[j->rcpts_n++] = recipient(t, &t->targets[i]);
    }
    fill_job(t, j);
    return j->rcpts != NULL;
}

/* The rest of the local ones is the queue's matter now, or it is not, and the client tries again.
 */
static void on_rest_queued(struct lmtp_job *j)
{
    struct txn *t = container_of(j, struct txn, queue);

    if (lmtp_count(j, 2) == j->rcpts_n)
        accept_it(t);
    else
        end(t, "451 4.3.0 some recipients could not be reached, try again later");
}

static void queue_rest(struct txn *t)
{
    struct lmtp_job *q = &t->queue;
    size_t failed = t->local.rcpts_n - lmtp_count(&t->local, 2);

    if (!t->d->queue) {
        end(t, "451 4.3.0 some recipients could not be reached, try again later");
        return;
    }
    q->rcpts = arena_array(t->arena, failed, sizeof(*q->rcpts));
    q->rcpts_n = 0;
    for (size_t i = 0; i < t->local.rcpts_n && q->rcpts; i++) {
        if (t->local.rcpts[i].code / 100 != 2)
            q->rcpts[q->rcpts_n++] = t->local.rcpts[i];
    }
    if (!q->rcpts) {
        end(t, "451 4.3.1 out of memory for this message");
        return;
    }
    fill_job(t, q);
    q->fn = on_rest_queued;
    lmtp_run(t->d->queue, q);
}

static void on_local(struct lmtp_job *j)
{
    struct txn *t = container_of(j, struct txn, local);
    size_t ok = lmtp_count(j, 2);

    if (ok == j->rcpts_n)
        accept_it(t);
    else if (ok == 0 && t->remote_n == 0)
        end_failed(t, j);
    else
        queue_rest(t);
}

static void deliver_local(struct txn *t)
{
    if (!take_targets(t, &t->local, true, t->local_n)) {
        end(t, "451 4.3.1 out of memory for this message");
        return;
    }
    t->local.fn = on_local;
    lmtp_run(t->d->local, &t->local);
}

static void on_remote(struct lmtp_job *j)
{
    struct txn *t = container_of(j, struct txn, queue);

    if (lmtp_count(j, 2) == 0)
        end_failed(t, j);
    else if (lmtp_count(j, 2) != j->rcpts_n)
        end(t, "451 4.3.0 some recipients could not be queued, try again later");
    else if (t->local_n)
        deliver_local(t);
    else
        accept_it(t);
}

static void hand_over(struct txn *t)
{
    if (t->remote_n == 0) {
        deliver_local(t);
        return;
    }
    if (!t->d->queue) {
        end(t, "451 4.3.0 mail to other servers cannot be taken now");
        return;
    }
    if (!take_targets(t, &t->queue, false, t->remote_n)) {
        end(t, "451 4.3.1 out of memory for this message");
        return;
    }
    t->queue.fn = on_remote;
    lmtp_run(t->d->queue, &t->queue);
}

/* --- the filter ------------------------------------------------------------------------------- */

/* Header and body as they go out, without a copy. */
static int assemble(struct txn *t, struct str body, struct err *err)
{
    struct str *head;
    size_t n;

    if (t->filter.has_new_body && spool_view(&t->new_body, &body, err) < 0)
        return -1;
    if (fields_parts(&t->fields, &head, &n, err) < 0)
        return -1;
    t->parts = arena_array(t->arena, n + 1, sizeof(*t->parts));
    if (!t->parts)
        return err_set(err, 0, "out of memory for this message");
    memcpy(t->parts, head, n * sizeof(*head));
    t->parts[n] = body;
    t->parts_n = n + 1;
    return 0;
}

static void go_out(struct txn *t)
{
    struct err err = {0};

    if (assemble(t, t->filter.body, &err) == 0) {
        hand_over(t);
        return;
    }
    log_error("smtp.assemble", LOG_S("id", t->id), LOG_S("error", err.text));
    end(t, "451 4.3.0 the message cannot be handled now");
}

/* A mailbox of ours has a folder for what is suspicious; other servers must not be sent it. */
static void quarantine(struct txn *t)
{
    struct err err = {0};

    if (t->remote_n) {
        end(t, "550 5.7.1 the content filter holds this message back");
        return;
    }
    if (fields_insert(&t->fields, 0, STR("X-Spam-Flag"), STR(" YES"), &err) < 0) {
        end(t, "451 4.3.0 the message cannot be handled now");
        return;
    }
    log_info("smtp.quarantine", LOG_S("id", t->id));
    go_out(t);
}

static void on_filtered(struct filter_job *j)
{
    struct txn *t = container_of(j, struct txn, filter);

    switch (j->verdict) {
    case FILTER_ACCEPT:
        if (j->is_quarantined)
            quarantine(t);
        else
            go_out(t);
        return;
    case FILTER_REJECT:
        end(t, j->text[0] ? j->text : "550 5.7.1 refused by the content filter");
        return;
    case FILTER_TEMPFAIL:
        end(t, j->text[0] ? j->text : "451 4.7.1 held up by the content filter, try again later");
        return;
    case FILTER_DISCARD:
        log_info("smtp.discard", LOG_S("id", t->id));
        accept_it(t);
        return;
    case FILTER_AWAY:
        end(t, "451 4.3.0 the content filter is not available, try again later");
        return;
    }
}

/* --- before the filter ------------------------------------------------------------------------ */

static int add_missing(struct txn *t, struct err *err)
{
    char date[DATE_TEXT_MAX];
    char *id = arena_printf(t->arena, " <%s.%lld@%s>", t->id, (long long)clock_wall_s(),
                            t->d->conf->hostname);

    date_format(date, clock_wall_s(), 0);
    char *spaced = arena_printf(t->arena, " %s", date);

    if (!id || !spaced)
        return err_set(err, 0, "out of memory for this message");
    if (fields_count(&t->fields, "Date") == 0 &&
        fields_insert(&t->fields, FIELDS_MAX, STR("Date"), str_of(spaced), err) < 0)
        return -1;
    if (fields_count(&t->fields, "Message-ID") == 0)
        return fields_insert(&t->fields, FIELDS_MAX, STR("Message-ID"), str_of(id), err);
    return 0;
}

/* RFC 3848 and 6531. */
static const char *protocol(const struct session *s, bool is_utf8)
{
    static const char *const names[2][2][2] = {
        {{"ESMTP", "ESMTPA"}, {"ESMTPS", "ESMTPSA"}},
        {{"UTF8SMTP", "UTF8SMTPA"}, {"UTF8SMTPS", "UTF8SMTPSA"}},
    };

    if (!s->is_extended)
        return "SMTP";
    return names[is_utf8][s->tls[0] != '\0'][s->user[0] != '\0'];
}

static int add_trace(struct txn *t, const struct session *s, struct err *err)
{
    own_buf struct buf text = BUF_INIT(RECEIVED_MAX);
    char tls[sizeof(s->tls) + 16] = "";

    if (s->tls[0])
        (void)snprintf(tls, sizeof(tls), "%s", s->tls);
    received_format(&text, &(struct received){
                               .helo = str_of(s->helo),
                               .client_name = str_of(s->name),
                               .client_addr = str_of(s->addr),
                               .by = str_of(t->d->conf->hostname),
                               .with = str_of(protocol(s, t->is_utf8)),
                               .tls = str_of(tls),
                               .id = str_of(t->id),
                               .rcpt = t->rcpts_n == 1 ? t->rcpts[0].address : STR_NONE,
                               .unix_s = clock_wall_s(),
                           });
    if (buf_check(&text, "the Received field", err) < 0)
        return -1;
    struct str raw = arena_str(t->arena, buf_str(&text));

    return raw.p ? fields_put_own(&t->fields, raw, err)
                 : err_set(err, 0, "out of memory for this message");
}

/* What the filter, and the log, are told of the client: it may be gone before they are done. */
static int keep_env(struct txn *t, const struct session *s, struct err *err)
{
    struct str *rcpts = arena_array(t->arena, t->rcpts_n, sizeof(*rcpts));
    struct str version = str_of(s->tls);
    struct str cipher = STR_NONE;

    if (!rcpts)
        return err_set(err, 0, "out of memory for this message");
    for (size_t i = 0; i < t->rcpts_n; i++)
        rcpts[i] = t->rcpts[i].address;
    (void)str_cut(version, ' ', &version, &cipher);
    (void)str_cut(cipher, ' ', &(struct str){0}, &cipher);
    t->env = (struct filter_env){
        .hostname = str_of(t->d->conf->hostname),
        .daemon_name = str_of(s->service->name),
        .client_name = arena_str(t->arena, str_of(s->name)),
        .client_addr = arena_str(t->arena, str_of(s->addr)),
        .client_port = s->port,
        .helo = arena_str(t->arena, str_of(s->helo)),
        .tls_version = arena_str(t->arena, version),
        .tls_cipher = arena_str(t->arena, cipher),
        .user = arena_str(t->arena, str_of(s->user)),
        .id = str_of(t->id),
        .from = t->from,
        .rcpts = rcpts,
        .rcpts_n = t->rcpts_n,
    };
    return 0;
}

static int prepare(struct txn *t, struct str message, struct err *err)
{
    if (fields_parse(&t->fields, t->arena, message, &t->filter.body, err) < 0)
        return -1;
    if (fields_count(&t->fields, "Received") > RECEIVED_HOPS_MAX)
        return err_set(err, 0, "5.4.6 too many hops, this mail is in a loop");
    if (t->is_submitted && add_missing(t, err) < 0)
        return -1;
    return add_trace(t, t->session, err);
}

static void filter_it(struct txn *t)
{
    t->filter.fields = &t->fields;
    t->filter.new_body = &t->new_body;
    t->filter.body_max = t->d->conf->message_size;
    t->filter.fn = on_filtered;
    if (t->d->filter)
        filter_run(t->d->filter, &t->filter);
    else
        go_out(t);
}

static void on_author(struct author *a, enum auth_verdict verdict)
{
    struct txn *t = container_of(a, struct txn, author);

    switch (verdict) {
    case AUTH_YES:
        filter_it(t);
        return;
    case AUTH_NO:
        end(t, "550 5.7.1 the address in From is not yours");
        return;
    case AUTH_TEMP:
        end(t, "451 4.3.0 cannot check the author now, try again later");
        return;
    }
}

void deliver_begin(struct txn *t)
{
    struct err err = {0};
    struct str message;

    assert(t->session && t->rcpts_n);
    t->is_begun = true;
    t->is_submitted = t->session->user[0] != '\0';
    if (keep_env(t, t->session, &err) < 0 || spool_view(&t->spool, &message, &err) < 0) {
        log_error("smtp.spool", LOG_S("id", t->id), LOG_S("error", err.text));
        end(t, "451 4.3.0 the message cannot be handled now");
        return;
    }
    if (prepare(t, message, &err) < 0) {
        struct str rest;
        struct str status = smtp_reply_status(554, str_of(err.text), &rest);
        char reply[REPLY_MAX];

        (void)snprintf(reply, sizeof(reply), "554 %s%.*s", status.n ? "" : "5.6.0 ",
                       (int)sizeof(reply) / 2, err.text);
        end(t, reply);
        return;
    }
    t->filter.env = &t->env;
    if (!t->is_submitted) {
        filter_it(t);
        return;
    }
    t->author.fn = on_author;
    t->author.d = t->d;
    t->author.user = t->env.user;
    author_check(&t->author, &t->fields, t->arena);
}

void deliver_abandon(struct txn *t)
{
    t->session = NULL;
    if (!t->local.pooled.pool && !t->queue.pooled.pool)
        end(t, "421 4.4.2 the client went away");
}
