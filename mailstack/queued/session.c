/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/queued/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/dot.h"
#include "mailstack/lib/net/conn.h"
#include "mailstack/lib/proto/smtp_cmd.h"
#include "mailstack/lib/proto/smtp_param.h"
#include "mailstack/lib/queue/qwrite.h"
#include "mailstack/queued/message.h"
#include "mailstack/queued/queued.h"

#define IN_MAX  (64U << 10)
#define OUT_MAX (256U << 10)
/* Messages that are made safe together. */
#define COMMITS_MAX 64

enum stage {
    STAGE_NEW,    /* before LHLO */
    STAGE_IDLE,   /* no transaction */
    STAGE_MAIL,   /* MAIL was accepted, perhaps recipients */
    STAGE_DATA,   /* the message is coming */
    STAGE_CHUNKS, /* some of it has come in chunks */
    STAGE_COMMIT, /* all of it has come: at the end of this turn it is made safe */
};

struct session {
    struct queued *q;
    struct list node;
    struct list commit; /* in queued's list, in STAGE_COMMIT */
    struct conn *conn;
    struct loop_call release;
    enum stage stage;
    bool over;
    unsigned errors_n;
    struct qmsg env;
    struct qwrite w;
    struct dot_in dot;
    struct err failed; /* of writing the message; empty text: none */
    uint64_t chunk_n;  /* bytes of a BDAT chunk still to come */
    bool in_chunk;     /* ... which is under way, perhaps with none left */
    bool chunk_last;
    bool chunk_thrown; /* it came where none was expected */
    char chunk_before; /* the last byte in front of it */
};

static const char ready_text[] = "250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
                                 "250-ENHANCEDSTATUSCODES\r\n250-DSN\r\n250-CHUNKING\r\n"
                                 "250-XOWNER\r\n";

static void reply(struct session *s, const char *text)
{
    conn_printf(s->conn, "%s\r\n", text);
}

static void refuse(struct session *s, const char *text)
{
    reply(s, text);
    if (++s->errors_n >= SESSION_ERRORS_MAX) {
        reply(s, "421 4.7.0 too many errors");
        conn_finish(s->conn);
    }
}

static void reset(struct session *s)
{
    qwrite_drop(&s->w, &s->q->dir, &s->env);
    qmsg_done(&s->env);
    qmsg_init(&s->env);
    err_reset(&s->failed);
    if (s->stage != STAGE_NEW)
        s->stage = STAGE_IDLE;
}

static void on_release(struct loop_call *call)
{
    free(container_of(call, struct session, release));
}

static void end(struct session *s)
{
    if (s->over)
        return;
    s->over = true;
    list_del(&s->commit);
    reset(s);
    qmsg_done(&s->env);
    conn_free(s->conn);
    list_del(&s->node);
    s->q->sessions_n--;
    s->release.fn = on_release;
    loop_defer(s->q->loop, &s->release);
    queued_check_drained(s->q);
}

/* --- commands --------------------------------------------------------------------------------- */

static void do_lhlo(struct session *s, struct str args)
{
    if (!smtp_is_helo_name(args)) {
        refuse(s, "501 5.5.4 expected a name");
        return;
    }
    s->stage = STAGE_IDLE;
    reset(s);
    conn_printf(s->conn, "250-%s\r\n%s250 SIZE %llu\r\n", s->q->conf.hostname, ready_text,
                (unsigned long long)QUEUED_MESSAGE_SIZE_MAX);
}

/* The parser's errors as replies (smtp_param.h). */
static void refuse_args(struct session *s, const struct err *err)
{
    static const struct {
        int code;
        const char *status;
    } known[] = {{EINVAL, "501 5.1.7"}, {EILSEQ, "553 5.6.7"}, {ENOTSUP, "555 5.5.4"}};
    own_buf struct buf b = BUF_INIT(ERR_TEXT_MAX + 32);
    const char *status = "501 5.5.4";

    for (size_t i = 0; i < ARRAY_N(known); i++) {
        if (err->code == known[i].code)
            status = known[i].status;
    }
    buf_printf(&b, "%s %s", status, err->text);
    refuse(s, buf_c(&b));
}

/* The last parameter, our own, taken off. */
static void take_owner(struct session *s, struct str *args)
{
    ptrdiff_t at = str_find_str(*args, STR(" XOWNER="));

    if (at < 0)
        return;
    struct str owner = str_skip(*args, (size_t)at + 8);

    if (owner.n == 0 || owner.n > SMTP_PATH_MAX || str_find(owner, ' ') >= 0)
        return; /* the parser refuses what it does not know */
    qmsg_set_owner(&s->env, owner);
    *args = str_head(*args, (size_t)at);
}

static void do_mail(struct session *s, struct str args)
{
    static const enum qret rets[] = {
        [SMTP_RET_UNSET] = QRET_UNSET, [SMTP_RET_FULL] = QRET_FULL, [SMTP_RET_HDRS] = QRET_HDRS};
    struct smtp_mail m;
    struct err err = {0};

    if (s->stage != STAGE_IDLE) {
        refuse(s, s->stage == STAGE_NEW ? "503 5.5.1 LHLO first" : "503 5.5.1 nested MAIL");
        return;
    }
    take_owner(s, &args);
    if (smtp_mail_parse(args, &m, &err) < 0) {
        refuse_args(s, &err);
        return;
    }
    if (m.size > QUEUED_MESSAGE_SIZE_MAX) {
        reply(s, "552 5.3.4 message too large");
        return;
    }
    if (s->q->messages_n >= QUEUED_MESSAGES_MAX) {
        reply(s, "452 4.3.1 the queue is full");
        return;
    }
    qmsg_set_sender(&s->env, smtp_path_str(&m.from));
    qmsg_set_envid(&s->env, m.envid);
    s->env.ret = rets[m.ret];
    s->env.is_8bit = m.is_8bit;
    s->env.is_utf8 = m.is_utf8;
    s->stage = STAGE_MAIL;
    reply(s, "250 2.1.0 sender ok");
}

static void do_rcpt(struct session *s, struct str args)
{
    struct smtp_rcpt r;
    struct err err = {0};

    if (s->stage != STAGE_MAIL) {
        refuse(s, "503 5.5.1 MAIL first");
        return;
    }
    if (smtp_rcpt_parse(args, s->env.is_utf8, &r, &err) < 0) {
        refuse_args(s, &err);
        return;
    }
    if (smtp_path_domain(&r.to).n == 0) {
        reply(s, "550 5.1.3 an address without a domain");
        return;
    }
    /* The bits of NOTIFY are the same by design. */
    if (qmsg_add_rcpt(&s->env, smtp_path_str(&r.to), r.notify, r.orcpt, &err) < 0)
        reply(s, "452 4.5.3 too many recipients");
    else
        reply(s, "250 2.1.5 recipient ok");
}

_Static_assert((int)QNOTIFY_NEVER == (int)SMTP_NOTIFY_NEVER &&
                   (int)QNOTIFY_SUCCESS == (int)SMTP_NOTIFY_SUCCESS &&
                   (int)QNOTIFY_FAILURE == (int)SMTP_NOTIFY_FAILURE &&
                   (int)QNOTIFY_DELAY == (int)SMTP_NOTIFY_DELAY,
               "NOTIFY is kept as it is parsed");

/* A failure is heard at the end. */
static void begin_message(struct session *s)
{
    qdir_new_id(s->env.id);
    s->env.arrival_us = clock_wall_us();
    s->dot = dot_in_start();
    s->chunk_before = '\n';
    if (qwrite_begin(&s->w, &s->q->dir, &s->env, &s->failed) < 0)
        log_error("queue.write", LOG_S("id", s->env.id), LOG_S("error", s->failed.text));
}

static void do_data(struct session *s, struct str args)
{
    if (args.n || s->stage != STAGE_MAIL || s->env.rcpts_n == 0) {
        refuse(s, args.n ? "501 5.5.4 unexpected argument" : "503 5.5.1 no valid recipients");
        return;
    }
    begin_message(s);
    if (s->failed.text[0]) {
        reply(s, "452 4.3.1 the spool cannot be written");
        reset(s);
        return;
    }
    s->stage = STAGE_DATA;
    reply(s, "354 go ahead");
}

/* The bytes of a chunk come in any case; what they are worth is said behind them. */
static void do_bdat(struct session *s, struct str args)
{
    struct err err = {0};

    if (smtp_bdat_parse(args, &s->chunk_n, &s->chunk_last, &err) < 0) {
        reply(s, "501 5.5.4 expected a size"); /* what follows cannot be told from commands */
        conn_finish(s->conn);
        return;
    }
    s->in_chunk = true;
    s->chunk_thrown = s->stage != STAGE_CHUNKS && (s->stage != STAGE_MAIL || s->env.rcpts_n == 0);
    if (s->stage == STAGE_MAIL && !s->chunk_thrown) {
        begin_message(s);
        s->stage = STAGE_CHUNKS;
    }
}

static void do_rset(struct session *s, struct str args)
{
    (void)args;
    reset(s);
    reply(s, "250 2.0.0 ok");
}

static void do_noop(struct session *s, struct str args)
{
    (void)args;
    reply(s, "250 2.0.0 ok");
}

static void do_vrfy(struct session *s, struct str args)
{
    (void)args;
    reply(s, "252 2.3.3 try RCPT");
}

static void do_quit(struct session *s, struct str args)
{
    (void)args;
    reply(s, "221 2.0.0 bye");
    conn_finish(s->conn);
}

static const struct {
    const char *name;
    void (*run)(struct session *s, struct str args);
} verbs[] = {
    {"LHLO", do_lhlo}, {"MAIL", do_mail}, {"RCPT", do_rcpt}, {"DATA", do_data}, {"BDAT", do_bdat},
    {"RSET", do_rset}, {"NOOP", do_noop}, {"VRFY", do_vrfy}, {"QUIT", do_quit},
};

static void command(struct session *s, const struct smtp_cmd *c)
{
    for (size_t i = 0; i < ARRAY_N(verbs); i++) {
        if (str_ieq_c(c->name, verbs[i].name)) {
            verbs[i].run(s, c->args);
            return;
        }
    }
    refuse(s, "500 5.5.2 unknown command");
}

/* --- the message ------------------------------------------------------------------------------ */

static void content(struct session *s, struct str bytes)
{
    if (s->failed.text[0])
        return; /* read to its end, for the reply to be heard */
    if (s->dot.size > QUEUED_MESSAGE_SIZE_MAX)
        (void)err_set(&s->failed, EMSGSIZE, "a message too large");
    else if (qwrite_content(&s->w, bytes, &s->failed) == 0)
        return;
    log_warn("queue.write", LOG_S("id", s->env.id), LOG_S("error", s->failed.text));
}

static const char *failure(const struct session *s)
{
    if (s->failed.code == EMSGSIZE)
        return "552 5.3.4 message too large";
    if (s->failed.code == ENOSPC || s->failed.code == EDQUOT)
        return "452 4.3.1 insufficient system storage";
    return "451 4.3.0 the spool cannot be written";
}

static void reply_all(struct session *s, size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++)
        reply(s, text);
}

static void accept_it(struct session *s)
{
    char text[64];
    size_t n = s->env.rcpts_n;

    (void)snprintf(text, sizeof(text), "250 2.0.0 queued as %s", s->env.id);
    log_info("queue.accept", LOG_S("id", s->env.id), LOG_S("from", s->env.sender),
             LOG_U("rcpts", n), LOG_U("bytes", s->env.size));
    reply_all(s, n, text);
    (void)message_add(s->q, &s->env); /* the queue's from now on */
    qmsg_init(&s->env);
}

static void on_input(struct conn *c);

/* The promise, or that there is none. The client may have said more meanwhile. */
static void committed(struct session *s, const struct err *failed)
{
    s->failed = *failed;
    if (s->failed.text[0]) {
        log_error("queue.write", LOG_S("id", s->env.id), LOG_S("error", s->failed.text));
        reply_all(s, s->env.rcpts_n, failure(s));
    } else {
        accept_it(s);
    }
    reset(s);
    on_input(s->conn);
}

static void commit_some(struct queued *q)
{
    struct session *some[COMMITS_MAX];
    struct qwrite_one all[COMMITS_MAX];
    size_t n = 0;

    for (; n < COMMITS_MAX && !list_empty(&q->commits); n++) {
        struct session *s = list_of(q->commits.next, struct session, commit);

        list_del(&s->commit);
        some[n] = s;
        all[n] = (struct qwrite_one){.w = &s->w, .m = &s->env};
    }
    qwrite_commit_all(&q->dir, all, n);
    for (size_t i = 0; i < n; i++)
        committed(some[i], &all[i].failed);
}

/* What sessions finish from within this comes in the next turn: others want to be heard, too. */
static void on_commit(struct loop_call *call)
{
    commit_some(container_of(call, struct queued, commit));
}

static void commit_later(struct session *s)
{
    s->stage = STAGE_COMMIT;
    list_add_tail(&s->q->commits, &s->commit);
    s->q->commit.fn = on_commit;
    loop_defer(s->q->loop, &s->q->commit);
}

static void finish(struct session *s)
{
    size_t n = s->env.rcpts_n;

    if (!s->dot.bare && !s->failed.text[0]) {
        commit_later(s);
        return;
    }
    reply_all(s, n, s->dot.bare ? "554 5.6.0 a bare CR or LF in the message" : failure(s));
    reset(s);
}

/* A bare CR or LF; `before` is the byte in front. */
static bool has_bare(struct str bytes, char *before)
{
    bool bare = false;

    for (size_t i = 0; i < bytes.n; i++) {
        bare = bare || (bytes.p[i] == '\n') != (*before == '\r');
        *before = bytes.p[i];
    }
    return bare;
}

static void end_chunk(struct session *s)
{
    s->in_chunk = false;
    if (s->chunk_thrown) {
        refuse(s, "503 5.5.1 RCPT first");
        return;
    }
    if (!s->chunk_last) {
        reply(s, "250 2.0.0 chunk ok");
        return;
    }
    s->dot.bare = s->dot.bare || s->chunk_before == '\r';
    finish(s);
}

/* The same for a chunk. */
static bool take_chunk(struct session *s)
{
    struct str in = str_head(conn_in(s->conn), s->chunk_n < IN_MAX ? (size_t)s->chunk_n : IN_MAX);

    if (s->chunk_n == 0) {
        end_chunk(s);
        return true;
    }
    if (in.n == 0)
        return false;
    if (!s->chunk_thrown) {
        s->dot.bare = has_bare(in, &s->chunk_before) || s->dot.bare;
        s->dot.size += in.n;
        content(s, in);
    }
    s->chunk_n -= in.n;
    conn_consume(s->conn, in.n);
    return true;
}

/* Takes what has arrived of the message; true if there may be more to do. */
static bool take_content(struct session *s)
{
    own_buf struct buf out = BUF_INIT(IN_MAX);
    struct str in = conn_in(s->conn);
    size_t used = 0;
    bool ended;

    if (in.n == 0)
        return false;
    ended = dot_in_feed(&s->dot, in, &used, &out);
    content(s, buf_str(&out));
    conn_consume(s->conn, used);
    if (ended)
        finish(s);
    return true;
}

/* --- the connection --------------------------------------------------------------------------- */

static bool take_command(struct session *s)
{
    struct smtp_cmd c;
    struct err err = {0};
    size_t used = 0;

    switch (smtp_cmd_parse(conn_in(s->conn), &c, &used, &err)) {
    case PARSE_MORE:
        return false;
    case PARSE_DONE:
        command(s, &c);
        conn_consume(s->conn, used);
        return true;
    case PARSE_ERROR:
        break;
    }
    reply(s, "500 5.5.2 bad line");
    conn_finish(s->conn);
    return false;
}

static bool in_message(const struct session *s)
{
    return s->in_chunk || s->stage >= STAGE_DATA;
}

static bool take_some(struct session *s)
{
    if (s->stage == STAGE_COMMIT)
        return false;
    if (s->in_chunk)
        return take_chunk(s);
    return s->stage == STAGE_DATA ? take_content(s) : take_command(s);
}

static void bye_if_draining(struct session *s)
{
    if (!s->q->draining || in_message(s))
        return;
    reply(s, "421 4.3.2 shutting down");
    conn_finish(s->conn);
}

static void on_input(struct conn *c)
{
    struct session *s = conn_ctx(c);
    bool more = true;

    while (more && !s->over)
        more = take_some(s);
    if (s->over)
        return;
    conn_deadline(c, in_message(s) ? SESSION_DATA_MS : SESSION_IDLE_MS);
    bye_if_draining(s);
}

static void on_closed(struct conn *c, const struct err *why)
{
    struct session *s = conn_ctx(c);

    if (why->code)
        log_info("queue.session", LOG_S("error", why->text));
    end(s);
}

int session_accept(struct queued *q, int fd, struct err *err)
{
    static const struct conn_ops ops = {.input = on_input, .closed = on_closed};
    struct conn_limits limits = {IN_MAX, OUT_MAX};
    struct session *s = mem_type(struct session);

    s->q = q;
    s->w.fd = -1;
    s->conn = conn_new(q->loop, fd, &ops, s, limits, err);
    if (!s->conn) {
        free(s);
        return -1;
    }
    qmsg_init(&s->env);
    list_init(&s->commit);
    list_add_tail(&q->sessions, &s->node);
    q->sessions_n++;
    conn_printf(s->conn, "220 %s LMTP ready\r\n", q->conf.hostname);
    conn_deadline(s->conn, SESSION_IDLE_MS);
    return 0;
}

void session_drain_all(struct queued *q)
{
    list_for_each (it, next, &q->sessions)
        bye_if_draining(list_of(it, struct session, node));
}
