/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection waits for the greeting, then for the answer to LHLO, and is ready. In a job, `step`
 * counts the replies of the transaction: 0 is MAIL's, then one a recipient, then 354 (if DATA was
 * used), then one for each recipient that was taken; RSET's where it came to nothing, or nothing
 * was to be sent.
 */
#include "mailstack/smtpd/lmtp.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/loop.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/dot.h"
#include "mailstack/lib/net/conn.h"
#include "mailstack/lib/proto/smtp_reply.h"

#define IN_MAX      (2 * SMTP_REPLY_MAX)
#define OUT_MAX     (4u << 20)
#define OUT_HIGH    262144 /* no more of a message is queued while this much waits */
#define COMMAND_MAX 4096
#define PIECE       65536

enum {
    CAP_CHUNKING = 1,
    CAP_SIZE = 2,
    CAP_XQUOTA = 4,
    CAP_8BIT = 8,
    CAP_UTF8 = 16,
    CAP_DSN = 32,
    CAP_XOWNER = 64,
};

struct lmtp_conn {
    struct pool_conn in; /* first */
    bool greeted;
    unsigned caps;
    size_t step;
    size_t next;      /* the recipient whose answer comes next, behind the message */
    size_t taken;     /* recipients taken so far */
    bool by_data;     /* DATA, not BDAT */
    bool resetting;   /* the last reply to come is RSET's */
    bool sending;     /* parts of the message are still to be queued */
    size_t part;      /* where the next bytes are */
    size_t part_done; /* of that part */
    struct dot_out dot;
};

struct lmtp {
    struct pool pool;
    const char *hostname;
};

static struct lmtp_job *job_of(struct pool_job *j)
{
    return container_of(j, struct lmtp_job, pooled);
}

/* Which it has: see in.job. */
static struct lmtp_job *job(const struct lmtp_conn *c)
{
    return job_of(c->in.job);
}

/* --- results ---------------------------------------------------------------------------------- */

static void put_text(struct lmtp_rcpt *r, unsigned code, struct str text)
{
    text = str_head(text, LMTP_TEXT_MAX - 1);
    r->code = code;
    if (text.n)
        memcpy(r->text, text.p, text.n);
    r->text[text.n] = '\0';
}

static void finish_job(struct lmtp_job *j)
{
    pool_finish(&j->pooled);
    j->fn(j);
}

/* Whoever has no answer yet, or one that the message was to confirm, has failed for now. */
static void fail_job(struct lmtp_job *j, size_t answered)
{
    for (size_t i = 0; i < j->rcpts_n; i++) {
        struct lmtp_rcpt *r = &j->rcpts[i];

        if (r->code == 0 || (r->code < 300 && i >= answered))
            put_text(r, 451, STR("4.3.0 the next server cannot be reached, try again later"));
    }
    finish_job(j);
}

size_t lmtp_count(const struct lmtp_job *j, unsigned class)
{
    size_t n = 0;

    for (size_t i = 0; i < j->rcpts_n; i++)
        n += j->rcpts[i].code / 100 == class;
    return n;
}

/* --- sending ---------------------------------------------------------------------------------- */

static void put_mail(const struct lmtp_conn *c, struct buf *out)
{
    const struct lmtp_job *j = job(c);

    buf_append_c(out, "MAIL FROM:<");
    buf_append(out, j->from);
    buf_append_char(out, '>');
    if ((c->caps & CAP_SIZE) && j->size)
        buf_printf(out, " SIZE=%" PRIu64, j->size);
    if ((c->caps & CAP_8BIT) && j->is_8bit)
        buf_append_c(out, " BODY=8BITMIME");
    if ((c->caps & CAP_UTF8) && j->is_utf8)
        buf_append_c(out, " SMTPUTF8");
    if ((c->caps & CAP_DSN) && j->ret)
        buf_append_c(out, j->ret == SMTP_RET_FULL ? " RET=FULL" : " RET=HDRS");
    if ((c->caps & CAP_DSN) && j->envid.n) {
        buf_append_c(out, " ENVID=");
        buf_append(out, j->envid);
    }
    if ((c->caps & CAP_XOWNER) && j->owner.n) {
        buf_append_c(out, " XOWNER=");
        buf_append(out, j->owner);
    }
    buf_append_c(out, "\r\n");
}

static void put_rcpt(const struct lmtp_conn *c, const struct lmtp_rcpt *r, struct buf *out)
{
    char notify[SMTP_NOTIFY_TEXT_MAX];

    buf_append_c(out, "RCPT TO:<");
    buf_append(out, r->address);
    buf_append_char(out, '>');
    if ((c->caps & CAP_XQUOTA) && r->quota != LMTP_NO_QUOTA)
        buf_printf(out, " XQUOTA=%" PRIu64, r->quota);
    if ((c->caps & CAP_DSN) && r->notify) {
        smtp_notify_format(r->notify, notify);
        buf_printf(out, " NOTIFY=%s", notify);
    }
    if ((c->caps & CAP_DSN) && r->orcpt.n) {
        buf_append_c(out, " ORCPT=");
        buf_append(out, r->orcpt);
    }
    buf_append_c(out, "\r\n");
}

static uint64_t message_n(const struct lmtp_job *j)
{
    uint64_t n = 0;

    for (size_t i = 0; i < j->parts_n; i++)
        n += j->parts[i].n;
    return n;
}

static void put_piece(struct lmtp_conn *c, struct str piece)
{
    own_buf struct buf out = BUF_INIT(DOT_OUT_MAX(PIECE));

    if (!c->by_data) {
        conn_write(c->in.conn, piece);
        return;
    }
    dot_out_feed(&c->dot, piece, &out);
    conn_write(c->in.conn, buf_str(&out));
}

static void end_message(struct lmtp_conn *c)
{
    own_buf struct buf out = BUF_INIT(16);

    c->sending = false;
    conn_deadline(c->in.conn, LMTP_DELIVER_MS);
    if (!c->by_data)
        return;
    dot_out_end(&c->dot, &out);
    conn_write(c->in.conn, buf_str(&out));
}

/* Queues as much of the message as is sensible; `drained` goes on. */
static void send_message(struct lmtp_conn *c)
{
    const struct lmtp_job *j = job(c);

    while (c->sending && conn_out_n(c->in.conn) < OUT_HIGH) {
        if (c->part == j->parts_n) {
            end_message(c);
            return;
        }
        struct str piece = str_head(str_skip(j->parts[c->part], c->part_done), PIECE);

        put_piece(c, piece);
        c->part_done += piece.n;
        if (c->part_done == j->parts[c->part].n) {
            c->part++;
            c->part_done = 0;
        }
    }
}

static void begin_message(struct lmtp_conn *c)
{
    c->sending = true;
    c->part = 0;
    c->part_done = 0;
    c->dot = dot_out_start();
    send_message(c);
}

/* With CHUNKING all commands and the message go out without waiting. */
static void send_job(struct lmtp_conn *c)
{
    const struct lmtp_job *j = job(c);
    own_buf struct buf out = BUF_INIT(COMMAND_MAX * (2 + j->rcpts_n));

    put_mail(c, &out);
    for (size_t i = 0; i < j->rcpts_n; i++)
        put_rcpt(c, &j->rcpts[i], &out);
    c->by_data = !(c->caps & CAP_CHUNKING);
    if (!j->parts)
        buf_append_c(&out, "RSET\r\n");
    else if (!c->by_data)
        buf_printf(&out, "BDAT %" PRIu64 " LAST\r\n", message_n(j));
    conn_write(c->in.conn, buf_str(&out));
    conn_deadline(c->in.conn, LMTP_REPLY_MS);
    if (j->parts && !c->by_data)
        begin_message(c);
}

/* --- connections ------------------------------------------------------------------------------ */

static void begin_job(struct pool_conn *in)
{
    struct lmtp_conn *c = container_of(in, struct lmtp_conn, in);
    struct lmtp_job *j = job(c);

    c->step = 0;
    c->next = 0;
    c->taken = 0;
    c->sending = false;
    c->resetting = !j->parts;
    for (size_t i = 0; i < j->rcpts_n; i++)
        j->rcpts[i].code = 0;
    send_job(c);
}

static void on_failed(struct pool_job *j, struct pool_conn *in)
{
    fail_job(job_of(j), in ? container_of(in, struct lmtp_conn, in)->next : 0);
}

static void lose(struct lmtp_conn *c, const char *why)
{
    pool_lose(&c->in, !c->in.is_ready || c->step == 0, why);
}

/* The transaction is over; the callback may begin another or free the pool's other jobs. */
static void job_over(struct lmtp_conn *c)
{
    finish_job(job_of(pool_free(&c->in, true)));
}

/* --- replies ---------------------------------------------------------------------------------- */

static const struct {
    const char *word;
    unsigned cap;
} caps[] = {
    {"CHUNKING", CAP_CHUNKING}, {"SIZE", CAP_SIZE}, {"XQUOTA", CAP_XQUOTA}, {"8BITMIME", CAP_8BIT},
    {"SMTPUTF8", CAP_UTF8},     {"DSN", CAP_DSN},   {"XOWNER", CAP_XOWNER},
};

static void take_caps(struct lmtp_conn *c, struct str all)
{
    struct str text;

    while (smtp_reply_line(&all, &text)) {
        struct str word = text;
        struct str rest;

        (void)str_cut(text, ' ', &word, &rest); /* most have no parameter */
        for (size_t i = 0; i < ARRAY_N(caps); i++) {
            if (str_ieq_c(word, caps[i].word))
                c->caps |= caps[i].cap;
        }
    }
}

static bool on_greeting(struct lmtp_conn *c, const struct smtp_reply *r)
{
    if (r->code != 220)
        return false;
    c->greeted = true;
    conn_printf(c->in.conn, "LHLO %s\r\n", container_of(c->in.pool, struct lmtp, pool)->hostname);
    return true;
}

static bool on_hello(struct lmtp_conn *c, const struct smtp_reply *r)
{
    if (r->code != 250)
        return false;
    take_caps(c, r->all);
    pool_ready(&c->in);
    return true;
}

/* MAIL was refused: so is everybody, whatever else the server says. */
static void refuse_all(struct lmtp_job *j, const struct smtp_reply *r)
{
    for (size_t i = 0; i < j->rcpts_n; i++)
        put_text(&j->rcpts[i], r->code, r->text);
}

/* The transaction came to nothing, but the server still has its sender. */
static void reset(struct lmtp_conn *c)
{
    c->resetting = true;
    conn_write_c(c->in.conn, "RSET\r\n");
}

static void after_rcpts(struct lmtp_conn *c)
{
    if (!job(c)->parts || !c->by_data)
        return; /* RSET, or the message, is under way already */
    if (c->taken == 0)
        reset(c);
    else
        conn_write_c(c->in.conn, "DATA\r\n");
}

static bool on_rcpt(struct lmtp_conn *c, const struct smtp_reply *r, size_t i)
{
    struct lmtp_rcpt *to = &job(c)->rcpts[i];

    if (to->code == 0) {
        put_text(to, r->code, r->text);
        c->taken += r->code / 100 == 2;
    }
    if (i + 1 == job(c)->rcpts_n)
        after_rcpts(c);
    return true;
}

/* DATA was answered by something else than 354: for all that were taken. */
static void no_data(struct lmtp_conn *c, const struct smtp_reply *r)
{
    struct lmtp_job *j = job(c);

    for (size_t i = 0; i < j->rcpts_n; i++) {
        if (j->rcpts[i].code / 100 == 2)
            put_text(&j->rcpts[i], r->code / 100 == 5 ? r->code : 451, r->text);
    }
    reset(c);
}

static void on_result(struct lmtp_conn *c, const struct smtp_reply *r)
{
    struct lmtp_job *j = job(c);

    while (c->next < j->rcpts_n && j->rcpts[c->next].code / 100 != 2)
        c->next++;
    assert(c->next < j->rcpts_n); /* `taken` counts those who wait */
    put_text(&j->rcpts[c->next++], r->code, r->text);
    if (--c->taken == 0)
        job_over(c);
}

/* Behind the recipients' replies. */
static bool on_rest(struct lmtp_conn *c, const struct smtp_reply *r, size_t step)
{
    if (c->resetting)
        job_over(c);
    else if (c->taken == 0) /* the one reply to a message that nobody takes */
        reset(c);
    else if (!c->by_data || step > 0)
        on_result(c, r);
    else if (r->code == 354)
        begin_message(c);
    else
        no_data(c, r);
    return true;
}

static bool on_busy(struct lmtp_conn *c, const struct smtp_reply *r)
{
    size_t step = c->step++;
    size_t n = job(c)->rcpts_n;

    if (r->code == 421) {
        c->step = step; /* not an answer to this one */
        return false;
    }
    if (step == 0) {
        if (r->code / 100 != 2)
            refuse_all(job(c), r);
        return true;
    }
    if (step <= n)
        return on_rcpt(c, r, step - 1);
    return on_rest(c, r, step - 1 - n);
}

static bool on_reply(struct lmtp_conn *c, const struct smtp_reply *r)
{
    if (!c->greeted)
        return on_greeting(c, r);
    if (!c->in.is_ready)
        return on_hello(c, r);
    return c->in.job && on_busy(c, r); /* else a 421, as a rule: the server leaves */
}

static void on_input(struct conn *conn)
{
    struct lmtp_conn *c = container_of(conn_ctx(conn), struct lmtp_conn, in);
    struct smtp_reply r;
    struct err err = {0};
    size_t used;

    for (;;) {
        enum parse_result p = smtp_reply_parse(conn_in(conn), &r, &used, &err);

        if (p == PARSE_MORE)
            return;
        if (p == PARSE_ERROR) {
            lose(c, err.text);
            return;
        }
        if (!on_reply(c, &r)) {
            lose(c, "the server left, or spoke out of turn");
            return;
        }
        if (c->in.is_dead) /* by the job's owner */
            return;
        conn_consume(conn, used);
    }
}

static void on_drained(struct conn *conn)
{
    struct lmtp_conn *c = container_of(conn_ctx(conn), struct lmtp_conn, in);

    if (c->sending)
        send_message(c);
}

static void on_closed(struct conn *conn, const struct err *why)
{
    lose(container_of(conn_ctx(conn), struct lmtp_conn, in),
         why->code ? why->text : "the server closed the connection");
}

static const struct conn_ops ops = {.input = on_input, .drained = on_drained, .closed = on_closed};

static void on_dialled(struct pool_conn *in)
{
    conn_deadline(in->conn, LMTP_REPLY_MS);
}

static const struct pool_ops pool_ops = {
    .name = "lmtp",
    .conn = &ops,
    .conn_limits = {IN_MAX, OUT_MAX},
    .conn_size = sizeof(struct lmtp_conn),
    .conns_max = LMTP_CONNS_MAX,
    .dialled = on_dialled,
    .begin = begin_job,
    .failed = on_failed,
};

/* --- jobs ------------------------------------------------------------------------------------- */

void lmtp_run(struct lmtp *p, struct lmtp_job *j)
{
    for (size_t i = 0; i < j->rcpts_n; i++)
        j->rcpts[i].code = 0;
    pool_run(&p->pool, &j->pooled);
}

void lmtp_cancel(struct lmtp_job *j)
{
    pool_cancel(&j->pooled);
}

struct lmtp *lmtp_new(struct loop *l, const char *path, const char *hostname)
{
    struct lmtp *p = mem_type(struct lmtp);

    pool_init(&p->pool, l, path, &pool_ops);
    p->hostname = hostname;
    return p;
}

void lmtp_free(struct lmtp *p)
{
    if (p)
        pool_done(&p->pool);
    free(p);
}
