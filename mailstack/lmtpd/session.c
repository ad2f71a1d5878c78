/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lmtpd/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/counter.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"

#include "mailstack/lib/net/stream.h"
#include "mailstack/lib/proto/lmtp_cmd.h"
#include "mailstack/lib/store/store.h"
#include "mailstack/lmtpd/conf.h"
#include "mailstack/lmtpd/job.h"
#include "mailstack/lmtpd/undot.h"

enum stage {
    STAGE_NEW,   /* before LHLO */
    STAGE_IDLE,  /* no transaction */
    STAGE_MAIL,  /* MAIL was accepted */
    STAGE_RCPT,  /* and a recipient */
    STAGE_CHUNK, /* within BDAT chunks */
};

struct session {
    const struct session_env *env;
    struct stream *stream;
    struct job job;
    enum stage stage;
    uint64_t size; /* what MAIL announced */
    unsigned errors_n;
    bool over;
};

typedef void verb_fn(struct session *s, const struct lmtp_cmd *c);

/* A reply that cannot be written ends the session. */
static void reply(struct session *s, const char *text)
{
    struct err err = {0};

    if (stream_printf(s->stream, &err, "%s\r\n", text) < 0)
        s->over = true;
}

static void refuse(struct session *s, const char *text)
{
    reply(s, text);
    if (++s->errors_n >= SESSION_ERRORS_MAX) {
        reply(s, "421 4.7.0 too many errors");
        s->over = true;
    }
}

static void reset(struct session *s)
{
    job_reset(&s->job);
    s->size = 0;
    if (s->stage != STAGE_NEW)
        s->stage = STAGE_IDLE;
}

/* --- commands
 * ------------------------------------------------------------------------------------- */

static void do_lhlo(struct session *s, const struct lmtp_cmd *c)
{
    struct err err = {0};

    (void)c;
    s->stage = STAGE_IDLE;
    reset(s);
    if (stream_printf(s->stream, &err,
                      "250-%s\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
                      "250-ENHANCEDSTATUSCODES\r\n250-CHUNKING\r\n250-XQUOTA\r\n250 SIZE %llu\r\n",
                      s->env->conf->hostname, (unsigned long long)s->env->conf->message_size) < 0)
        s->over = true;
}

static void do_mail(struct session *s, const struct lmtp_cmd *c)
{
    if (s->stage != STAGE_IDLE) {
        refuse(s, s->stage == STAGE_NEW ? "503 5.5.1 LHLO first" : "503 5.5.1 nested MAIL");
        return;
    }
    if (c->size > s->env->conf->message_size) {
        reply(s, "552 5.3.4 message too large");
        return;
    }
    memcpy(s->job.sender, c->addr, sizeof(c->addr));
    s->size = c->size;
    s->stage = STAGE_MAIL;
    reply(s, "250 2.1.0 sender ok");
}

static bool is_ours(const struct session *s, const char *addr)
{
    struct str local, domain;

    if (!str_rcut(str_of(addr), '@', &local, &domain) || local.n == 0)
        return false;
    for (size_t i = 0; i < s->env->conf->domains_n; i++)
        if (str_ieq_c(domain, s->env->conf->domains[i]))
            return true;
    return false;
}

/* The reply for a recipient's failure, and a line in the log where the cause is ours. */
static const char *failure(const struct session *s, const char *addr, const struct err *why)
{
    static const struct {
        int code;
        const char *text;
    } known[] = {
        {EDQUOT, "552 5.2.2 mailbox is full"},
        {ENOSPC, "452 4.3.1 insufficient system storage"},
        {EINVAL, "550 5.1.1 no such mailbox"},
        {EMSGSIZE, "452 4.5.3 too many recipients"},
    };

    for (size_t i = 0; i < ARRAY_N(known); i++) {
        if (why->code != known[i].code)
            continue;
        if (why->code == ENOSPC)
            log_error("lmtp.disk_full", LOG_S("to", addr), LOG_S("error", why->text));
        return known[i].text;
    }
    log_error("lmtp.failed", LOG_S("to", addr), LOG_S("error", why->text));
    (void)s;
    return "451 4.3.0 cannot deliver now";
}

static void do_rcpt(struct session *s, const struct lmtp_cmd *c)
{
    struct err err = {0};

    if (s->stage != STAGE_MAIL && s->stage != STAGE_RCPT) {
        refuse(s, "503 5.5.1 MAIL first");
        return;
    }
    if (!is_ours(s, c->addr)) {
        reply(s, "550 5.1.2 not a domain of this server");
        return;
    }
    if (job_add_rcpt(&s->job, c, s->size, &err) < 0) {
        reply(s, failure(s, c->addr, &err));
        return;
    }
    s->stage = STAGE_RCPT;
    reply(s, "250 2.1.5 recipient ok");
}

static void reply_for(struct session *s, size_t i)
{
    const struct job_rcpt *r = &s->job.rcpts[i];
    const struct err *why = job_result(&s->job, i);
    struct err err = {0};

    if (why != NULL) {
        counter_add(s->env->failures, 1);
        reply(s, failure(s, r->addr, why));
        return;
    }
    counter_add(s->env->messages, 1);
    counter_add(s->env->bytes, (int64_t)s->job.size);
    log_info("lmtp.deliver", LOG_S("to", r->addr), LOG_S("from", s->job.sender),
             LOG_U("bytes", s->job.size), LOG_U("uid", s->job.rcpts[r->same_as].uid));
    if (stream_printf(s->stream, &err, "250 2.0.0 <%s> delivered\r\n", r->addr) < 0)
        s->over = true;
}

static bool too_large(const struct session *s)
{
    return s->job.size > s->env->conf->message_size;
}

/* RFC 2033: one reply for each recipient that was accepted. */
static void finish(struct session *s)
{
    bool large = too_large(s);

    if (!large)
        job_finish(&s->job);
    for (size_t i = 0; i < s->job.rcpts_n; i++) {
        if (large)
            reply(s, "552 5.3.4 message too large");
        else
            reply_for(s, i);
    }
    reset(s);
}

static void content(struct session *s, struct str bytes)
{
    if (too_large(s) || s->job.rcpts_n == 0)
        s->job.size += bytes.n; /* read to its end, for the reply to be heard */
    else
        job_write(&s->job, bytes);
}

/* Takes what has arrived; true at the end of the message. */
static bool take_content(struct session *s, struct undot *u, struct str in, size_t *used)
{
    struct str rest = in, piece;
    bool end = false;

    while (!end && rest.n > 0) {
        end = undot_next(u, &rest, &piece);
        content(s, piece);
    }
    *used = in.n - rest.n;
    return end;
}

static void do_data(struct session *s, const struct lmtp_cmd *c)
{
    struct undot u = {0};
    struct err err = {0};
    bool end = false;

    (void)c;
    if (s->stage != STAGE_RCPT) {
        refuse(s,
               s->stage == STAGE_MAIL ? "503 5.5.1 no valid recipients" : "503 5.5.1 RCPT first");
        return;
    }
    reply(s, "354 go ahead");
    while (!end && !s->over) {
        struct str in;
        size_t used;

        if (stream_some(s->stream, &in, &err) < 0 || in.n == 0) {
            s->over = true; /* nothing was promised: job_reset takes it back */
            return;
        }
        end = take_content(s, &u, in, &used);
        stream_consume(s->stream, used);
    }
    finish(s);
}

static bool take_chunk(struct session *s, uint64_t n)
{
    struct err err = {0};

    while (n > 0) {
        struct str in;

        if (stream_some(s->stream, &in, &err) < 0 || in.n == 0) {
            s->over = true;
            return false;
        }
        in = str_head(in, n < in.n ? (size_t)n : in.n);
        content(s, in);
        stream_consume(s->stream, in.n);
        n -= in.n;
    }
    return true;
}

static void do_bdat(struct session *s, const struct lmtp_cmd *c)
{
    bool allowed = s->stage == STAGE_RCPT || s->stage == STAGE_CHUNK;

    if (!take_chunk(s, c->size)) /* the bytes come in any case */
        return;
    if (!allowed) {
        s->job.size = 0;
        refuse(s, "503 5.5.1 RCPT first");
        return;
    }
    s->stage = STAGE_CHUNK;
    if (c->last)
        finish(s);
    else
        reply(s, "250 2.0.0 chunk ok");
}

static void do_rset(struct session *s, const struct lmtp_cmd *c)
{
    (void)c;
    reset(s);
    reply(s, "250 2.0.0 ok");
}

static void do_noop(struct session *s, const struct lmtp_cmd *c)
{
    (void)c;
    reply(s, "250 2.0.0 ok");
}

static void do_vrfy(struct session *s, const struct lmtp_cmd *c)
{
    (void)c;
    reply(s, "252 2.3.3 try RCPT");
}

static void do_quit(struct session *s, const struct lmtp_cmd *c)
{
    (void)c;
    reply(s, "221 2.0.0 bye");
    s->over = true;
}

static void do_unknown(struct session *s, const struct lmtp_cmd *c)
{
    (void)c;
    refuse(s, "500 5.5.2 unknown command");
}

static verb_fn *const verbs[] = {
    [LMTP_LHLO] = do_lhlo,       [LMTP_MAIL] = do_mail, [LMTP_RCPT] = do_rcpt,
    [LMTP_DATA] = do_data,       [LMTP_BDAT] = do_bdat, [LMTP_RSET] = do_rset,
    [LMTP_NOOP] = do_noop,       [LMTP_VRFY] = do_vrfy, [LMTP_QUIT] = do_quit,
    [LMTP_UNKNOWN] = do_unknown,
};

static void command(struct session *s, struct str line)
{
    struct err err = {0};
    struct lmtp_cmd c;

    if (lmtp_cmd_parse(line, &c, &err) < 0) {
        log_debug("lmtp.syntax", LOG_S("error", err.text));
        refuse(s, "501 5.5.4 syntax error in parameters");
        return;
    }
    if (s->stage == STAGE_CHUNK && (c.verb == LMTP_DATA || c.verb == LMTP_MAIL)) {
        refuse(s, "503 5.5.1 in the middle of BDAT");
        return;
    }
    verbs[c.verb](s, &c);
}

/* --- the session
 * ----------------------------------------------------------------------------------- */

static void flush(struct session *s)
{
    struct err err = {0};

    if (stream_flush(s->stream, &err) < 0)
        s->over = true;
}

struct session *session_new(const struct session_env *env, int fd)
{
    struct session *s = mem_type(struct session);
    struct err err = {0};

    s->env = env;
    s->stream = stream_new(fd, SESSION_WAIT_MS);
    job_init(&s->job, env->store);
    if (stream_printf(s->stream, &err, "220 %s LMTP ready\r\n", env->conf->hostname) < 0)
        s->over = true;
    flush(s);
    return s;
}

void session_free(struct session *s)
{
    if (s == NULL)
        return;
    job_done(&s->job);
    stream_free(s->stream);
    free(s);
}

int session_fd(const struct session *s)
{
    return stream_fd(s->stream);
}

bool session_serve(struct session *s)
{
    do {
        struct err err = {0};
        struct str line;

        if (stream_line(s->stream, LMTP_LINE_MAX, &line, &err) < 0) {
            if (err.code == EBADMSG || err.code == EMSGSIZE)
                reply(s, "500 5.5.2 bad line");
            s->over = true;
            break;
        }
        command(s, line);
    } while (!s->over && stream_pending(s->stream).n > 0);
    flush(s);
    return !s->over;
}

void session_bye(struct session *s, const char *why)
{
    struct err err = {0};

    if (stream_printf(s->stream, &err, "421 4.3.2 %s\r\n", why) < 0)
        return; /* the peer is gone already */
    flush(s);
}
