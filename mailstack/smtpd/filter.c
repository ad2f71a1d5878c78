/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection negotiates once; then, for each job, it walks through the steps of a session. `step`
 * is what is sent next and `at` how far within it (which recipient, field, byte of the body);
 * `asked` is the command whose reply is awaited, 0 while there is none.
 */
#include "mailstack/smtpd/filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/loop.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"

#include "mailstack/lib/net/conn.h"
#include "mailstack/lib/proto/milter.h"
#include "mailstack/smtpd/fields.h"
#include "mailstack/smtpd/spool.h"

#define IN_MAX     (2 * (MILTER_PACKET_MAX + 4))
#define OUT_MAX    (4u << 20)
#define OUT_HIGH   262144
#define PACKET_OUT (2 * MILTER_PACKET_MAX)
#define CODE_N     3
#define CHANGES \
    (MILTER_F_ADD_HEADER | MILTER_F_CHANGE_HEADER | MILTER_F_CHANGE_BODY | MILTER_F_QUARANTINE)
#define PROTOCOL                                                                     \
    (MILTER_P_NO_CONNECT | MILTER_P_NO_HELO | MILTER_P_NO_MAIL | MILTER_P_NO_RCPT |  \
     MILTER_P_NO_BODY | MILTER_P_NO_HEADERS | MILTER_P_NO_EOH | MILTER_P_NR_HEADER | \
     MILTER_P_NO_UNKNOWN | MILTER_P_NO_DATA | MILTER_P_SKIP | MILTER_P_NR_CONNECT |  \
     MILTER_P_NR_HELO | MILTER_P_NR_MAIL | MILTER_P_NR_RCPT | MILTER_P_NR_DATA |     \
     MILTER_P_NR_UNKNOWN | MILTER_P_NR_EOH | MILTER_P_NR_BODY | MILTER_P_LEADING_SPACE)

enum step {
    STEP_CONNECT,
    STEP_HELO,
    STEP_MAIL,
    STEP_RCPT,
    STEP_DATA,
    STEP_HEADER,
    STEP_EOH,
    STEP_BODY,
    STEP_EOM,
    STEP_END, /* all was sent */
};

struct filter_conn {
    struct pool_conn in; /* first */
    struct milter_options options;
    enum step step;
    size_t at;
    char asked;
    bool was_used; /* by another client before this one */
    bool is_heard; /* of this job something came */
};

struct filter {
    struct pool pool;
};

static struct filter_job *job_of(struct pool_job *j)
{
    return container_of(j, struct filter_job, pooled);
}

/* Which it has: see in.job. */
static struct filter_job *job(const struct filter_conn *c)
{
    return job_of(c->in.job);
}

/* --- steps ------------------------------------------------------------------------------------ */

#define MACROS_MAX 8

struct macros {
    struct milter_pair at[MACROS_MAX];
    size_t n;
};

static void macro(struct macros *m, struct str name, struct str value)
{
    if (value.n && m->n < MACROS_MAX)
        m->at[m->n++] = (struct milter_pair){name, value};
}

static void put_macros(struct buf *out, char command, const struct macros *m)
{
    if (m->n)
        milter_format_macros(out, command, m->at, m->n);
}

/* Each puts what belongs to its step at c->at into out, and returns whether the step is over. */
typedef bool step_fn(struct filter_conn *c, const struct filter_job *j, struct buf *out);

static bool put_connect(struct filter_conn *c, const struct filter_job *j, struct buf *out)
{
    const struct filter_env *e = j->env;
    own_buf struct buf literal = BUF_INIT(128);
    struct macros m = {.n = 0};

    (void)c;
    macro(&m, STR("j"), e->hostname);
    macro(&m, STR("{daemon_name}"), e->daemon_name);
    macro(&m, STR("{client_addr}"), e->client_addr);
    macro(&m, STR("{client_name}"), e->client_name.n ? e->client_name : STR("unknown"));
    put_macros(out, MILTER_CONNECT, &m);
    buf_append_char(&literal, '[');
    buf_append(&literal, e->client_addr);
    buf_append_char(&literal, ']');
    milter_format_connect(
        out, &(struct milter_connect){
                 .host = e->client_name.n ? e->client_name : buf_str(&literal),
                 .family = str_find(e->client_addr, ':') < 0 ? MILTER_FAMILY_4 : MILTER_FAMILY_6,
                 .port = e->client_port,
                 .addr = e->client_addr,
             });
    return true;
}

static bool put_helo(struct filter_conn *c, const struct filter_job *j, struct buf *out)
{
    struct macros m = {.n = 0};

    (void)c;
    macro(&m, STR("{tls_version}"), j->env->tls_version);
    macro(&m, STR("{cipher}"), j->env->tls_cipher);
    put_macros(out, MILTER_HELO, &m);
    milter_format_text(out, MILTER_HELO, j->env->helo);
    return true;
}

static void put_path(struct buf *out, char command, struct str address)
{
    own_buf struct buf path = BUF_INIT(1024);

    buf_append_char(&path, '<');
    buf_append(&path, address);
    buf_append_char(&path, '>');
    milter_format_path(out, command, buf_str(&path), NULL, 0);
}

static bool put_mail(struct filter_conn *c, const struct filter_job *j, struct buf *out)
{
    struct macros m = {.n = 0};

    (void)c;
    macro(&m, STR("i"), j->env->id);
    macro(&m, STR("{auth_authen}"), j->env->user);
    macro(&m, STR("{mail_addr}"), j->env->from);
    put_macros(out, MILTER_MAIL, &m);
    put_path(out, MILTER_MAIL, j->env->from);
    return true;
}

static bool put_rcpt(struct filter_conn *c, const struct filter_job *j, struct buf *out)
{
    struct str rcpt = j->env->rcpts[c->at++];
    struct macros m = {.n = 0};

    macro(&m, STR("{rcpt_addr}"), rcpt);
    put_macros(out, MILTER_RCPT, &m);
    put_path(out, MILTER_RCPT, rcpt);
    return c->at == j->env->rcpts_n;
}

static bool put_data(struct filter_conn *c, const struct filter_job *j, struct buf *out)
{
    (void)c;
    (void)j;
    milter_format(out, MILTER_DATA, STR_NONE);
    return true;
}

static bool put_header(struct filter_conn *c, const struct filter_job *j, struct buf *out)
{
    const struct fields *f = j->fields;

    while (c->at < f->n && f->at[c->at].is_own)
        c->at++;
    if (c->at < f->n) {
        const struct field *field = &f->at[c->at++];
        struct milter_pair h = {field->name, field->value};

        if (!(c->options.protocol & MILTER_P_LEADING_SPACE) && h.value.n && h.value.p[0] == ' ')
            h.value = str_skip(h.value, 1);
        milter_format_header(out, &h);
    }
    return c->at >= f->n;
}

static bool put_eoh(struct filter_conn *c, const struct filter_job *j, struct buf *out)
{
    (void)c;
    (void)j;
    milter_format(out, MILTER_EOH, STR_NONE);
    return true;
}

static bool put_body(struct filter_conn *c, const struct filter_job *j, struct buf *out)
{
    struct str piece = str_head(str_skip(j->body, c->at), MILTER_CHUNK_MAX);

    if (piece.n)
        milter_format(out, MILTER_BODY, piece);
    c->at += piece.n;
    return c->at == j->body.n;
}

static bool put_eom(struct filter_conn *c, const struct filter_job *j, struct buf *out)
{
    struct macros m = {.n = 0};

    (void)c;
    macro(&m, STR("i"), j->env->id);
    put_macros(out, MILTER_EOM, &m);
    milter_format(out, MILTER_EOM, STR_NONE);
    return true;
}

static const struct {
    char command;
    step_fn *put;
} steps[STEP_END] = {
    [STEP_CONNECT] = {MILTER_CONNECT, put_connect},
    [STEP_HELO] = {MILTER_HELO, put_helo},
    [STEP_MAIL] = {MILTER_MAIL, put_mail},
    [STEP_RCPT] = {MILTER_RCPT, put_rcpt},
    [STEP_DATA] = {MILTER_DATA, put_data},
    [STEP_HEADER] = {MILTER_HEADER, put_header},
    [STEP_EOH] = {MILTER_EOH, put_eoh},
    [STEP_BODY] = {MILTER_BODY, put_body},
    [STEP_EOM] = {MILTER_EOM, put_eom},
};

static void next_step(struct filter_conn *c)
{
    c->step++;
    c->at = 0;
}

/* One packet (with its macros), if this filter wants such ones. */
static void one_step(struct filter_conn *c, struct buf *out)
{
    char command = steps[c->step].command;
    size_t before = out->n;

    if (c->options.protocol & milter_no_send_bit(command)) {
        next_step(c);
        return;
    }
    if (steps[c->step].put(c, job(c), out))
        next_step(c);
    if (out->n > before && !(c->options.protocol & milter_no_reply_bit(command)))
        c->asked = command;
}

/* Sends until a reply is to be awaited, or enough is queued; `drained` goes on. */
static void advance(struct filter_conn *c)
{
    own_buf struct buf out = BUF_INIT(PACKET_OUT);

    while (!c->asked && c->step < STEP_END && conn_out_n(c->in.conn) < OUT_HIGH) {
        one_step(c, &out);
        if (out.n < OUT_HIGH && !c->asked && c->step < STEP_END)
            continue;
        conn_write(c->in.conn, buf_str(&out));
        buf_reset(&out);
    }
    conn_write(c->in.conn, buf_str(&out));
    conn_deadline(c->in.conn, c->step == STEP_END ? FILTER_END_MS : FILTER_REPLY_MS);
}

/* --- connections ------------------------------------------------------------------------------ */

static void finish_job(struct filter_job *j, enum filter_verdict v)
{
    pool_finish(&j->pooled);
    j->verdict = v;
    j->fn(j);
}

static void begin_job(struct pool_conn *in)
{
    struct filter_conn *c = container_of(in, struct filter_conn, in);
    own_buf struct buf out = BUF_INIT(64);

    if (c->was_used)
        milter_format(&out, MILTER_QUIT_NC, STR_NONE);
    conn_write(c->in.conn, buf_str(&out));
    c->was_used = true;
    c->is_heard = false;
    c->step = STEP_CONNECT;
    c->at = 0;
    c->asked = 0;
    advance(c);
}

static void on_failed(struct pool_job *j, struct pool_conn *in)
{
    (void)in;
    finish_job(job_of(j), FILTER_AWAY);
}

static void lose(struct filter_conn *c, const char *why)
{
    pool_lose(&c->in, !c->is_heard, why);
}

/* The filter has given its verdict. Only behind the end of a message can a connection be used
 * again: elsewhere it would have to be told what becomes of the rest. */
static void job_over(struct filter_conn *c, enum filter_verdict v)
{
    bool reusable = c->step == STEP_END && c->options.version >= MILTER_VERSION;

    finish_job(job_of(pool_free(&c->in, reusable)), v);
}

/* --- what the filter says --------------------------------------------------------------------- */

/* Appends text to the reply as one line: "%%" is "%". */
static void put_line(struct filter_job *j, size_t *n, struct str text)
{
    for (size_t i = 0; i < text.n && *n < FILTER_TEXT_MAX - 1; i++) {
        char ch = text.p[i];

        if (ch == '%' && i + 1 < text.n && text.p[i + 1] == '%')
            i++;
        j->text[(*n)++] = (unsigned char)ch < ' ' || ch == 0x7f ? ' ' : ch;
    }
    j->text[*n] = '\0';
}

/* "550-5.7.1 a" CRLF "550 5.7.1 b" becomes "550 5.7.1 a b". */
static void put_reply(struct filter_job *j, struct str text)
{
    struct str line;
    size_t n = 0;

    while (str_next(&text, '\n', &line)) {
        struct str rest = str_skip(str_trim(line), CODE_N + 1);

        if (n == 0) {
            put_line(j, &n, str_head(line, CODE_N));
        } else {
            struct str behind;

            if (str_cut(rest, ' ', &(struct str){0}, &behind) && str_find(rest, '.') == 1)
                rest = behind;
        }
        put_line(j, &n, STR(" "));
        put_line(j, &n, rest);
    }
}

static enum filter_verdict read_reply(struct filter_job *j, const struct milter_packet *p)
{
    struct str text;
    struct err err = {0};

    if (milter_read_reply(p, &text, &err) < 0)
        return FILTER_TEMPFAIL;
    put_reply(j, text);
    if (j->text[0] == '5')
        return FILTER_REJECT;
    if (j->text[0] != '4')
        j->text[0] = '\0';
    return FILTER_TEMPFAIL;
}

/* Goes on after an answer that lets us: with the next packet of this kind, or (skip) the next
 * kind. */
static bool go_on(struct filter_conn *c, bool skip)
{
    char asked = c->asked;

    c->asked = 0;
    if (asked == MILTER_EOM) {
        job_over(c, FILTER_ACCEPT);
        return true;
    }
    if (skip && c->step < STEP_END && steps[c->step].command == asked)
        next_step(c);
    advance(c);
    return true;
}

static bool on_verdict(struct filter_conn *c, const struct milter_packet *p)
{
    if (!c->asked)
        return false;
    switch ((enum milter_verdict)p->command) {
    case MILTER_CONTINUE:
        return go_on(c, false);
    case MILTER_SKIP:
        return go_on(c, true);
    case MILTER_ACCEPT:
        job_over(c, FILTER_ACCEPT);
        return true;
    case MILTER_DISCARD:
        job_over(c, FILTER_DISCARD);
        return true;
    case MILTER_REJECT:
        job_over(c, FILTER_REJECT);
        return true;
    case MILTER_TEMPFAIL:
        job_over(c, FILTER_TEMPFAIL);
        return true;
    case MILTER_REPLY:
        job_over(c, read_reply(job(c), p));
        return true;
    case MILTER_CONN_FAIL:
    case MILTER_SHUTDOWN:
        return false;
    }
    return false;
}

static bool change_header(struct filter_job *j, const struct milter_packet *p, bool leading_space)
{
    own_buf struct buf value = BUF_INIT(MILTER_PACKET_MAX);
    struct milter_header_change h;
    struct err err = {0};
    int rc;

    if (milter_read_header_change(p, &h, &err) < 0)
        return false;
    if (!leading_space && h.value.n)
        buf_append_char(&value, ' ');
    buf_append(&value, h.value);
    if (h.command == MILTER_CHANGE_HEADER)
        rc = fields_change(j->fields, h.index, h.name, buf_str(&value), &err);
    else
        rc = fields_insert(j->fields, h.command == MILTER_INSERT_HEADER ? h.index : FIELDS_MAX,
                           h.name, buf_str(&value), &err);
    if (rc < 0)
        log_warn("filter.change", LOG_STR("id", j->env->id), LOG_S("error", err.text));
    return rc == 0;
}

static bool replace_body(struct filter_job *j, const struct milter_packet *p)
{
    struct err err = {0};

    j->has_new_body = true;
    j->new_body_n += p->data.n;
    if (j->new_body_n > j->body_max)
        return false;
    if (spool_append(j->new_body, p->data, &err) == 0)
        return true;
    log_error("filter.body", LOG_STR("id", j->env->id), LOG_S("error", err.text));
    return false;
}

static bool on_change(struct filter_conn *c, const struct milter_packet *p)
{
    struct filter_job *j = job(c);

    conn_deadline(c->in.conn, FILTER_END_MS);
    if (p->command == MILTER_PROGRESS)
        return true;
    if (c->asked != MILTER_EOM)
        return false;
    if (p->command == MILTER_REPLACE_BODY)
        return replace_body(j, p);
    if (++j->changes_n > FILTER_CHANGES_MAX)
        return false;
    if (p->command == MILTER_QUARANTINE) {
        j->is_quarantined = true;
        return true;
    }
    if (p->command != MILTER_ADD_HEADER && p->command != MILTER_INSERT_HEADER &&
        p->command != MILTER_CHANGE_HEADER)
        return false; /* nobody offered it */
    return change_header(j, p, (c->options.protocol & MILTER_P_LEADING_SPACE) != 0);
}

static bool on_options(struct filter_conn *c, const struct milter_packet *p)
{
    struct err err = {0};

    if (p->command != MILTER_OPTNEG || milter_read_options(p, &c->options, &err) < 0)
        return false;
    if ((c->options.changes & ~(uint32_t)CHANGES) || c->options.version < 2) {
        log_error("filter.options", LOG_S("socket", c->in.pool->path),
                  LOG_U("version", c->options.version), LOG_U("changes", c->options.changes));
        return false;
    }
    c->options.protocol &= PROTOCOL;
    pool_ready(&c->in);
    return true;
}

static bool on_packet(struct filter_conn *c, const struct milter_packet *p)
{
    if (!c->in.is_ready)
        return on_options(c, p);
    if (!c->in.job)
        return false;
    c->is_heard = true;
    return milter_is_verdict(p->command) ? on_verdict(c, p) : on_change(c, p);
}

static void on_input(struct conn *conn)
{
    struct filter_conn *c = container_of(conn_ctx(conn), struct filter_conn, in);
    struct milter_packet p;
    struct err err = {0};
    size_t used;

    for (;;) {
        enum parse_result r = milter_parse(conn_in(conn), &p, &used, &err);

        if (r == PARSE_MORE)
            return;
        if (r == PARSE_ERROR) {
            lose(c, err.text);
            return;
        }
        if (!on_packet(c, &p)) {
            lose(c, "the filter left, or said what was not asked for");
            return;
        }
        if (c->in.is_dead)
            return;
        conn_consume(conn, used);
    }
}

static void on_drained(struct conn *conn)
{
    struct filter_conn *c = container_of(conn_ctx(conn), struct filter_conn, in);

    if (c->in.is_ready && c->in.job && c->step < STEP_END && !c->asked)
        advance(c);
}

static void on_closed(struct conn *conn, const struct err *why)
{
    lose(container_of(conn_ctx(conn), struct filter_conn, in),
         why->code ? why->text : "the filter closed the connection");
}

static const struct conn_ops ops = {.input = on_input, .drained = on_drained, .closed = on_closed};

static void on_dialled(struct pool_conn *in)
{
    static const struct milter_options ours = {MILTER_VERSION, CHANGES, PROTOCOL};
    own_buf struct buf out = BUF_INIT(64);

    milter_format_options(&out, &ours);
    conn_write(in->conn, buf_str(&out));
    conn_deadline(in->conn, FILTER_REPLY_MS);
}

static const struct pool_ops pool_ops = {
    .name = "filter",
    .conn = &ops,
    .conn_limits = {IN_MAX, OUT_MAX},
    .conn_size = sizeof(struct filter_conn),
    .conns_max = FILTER_CONNS_MAX,
    .dialled = on_dialled,
    .begin = begin_job,
    .failed = on_failed,
};

/* --- jobs ------------------------------------------------------------------------------------- */

void filter_run(struct filter *f, struct filter_job *j)
{
    j->changes_n = 0;
    j->has_new_body = false;
    j->new_body_n = 0;
    j->is_quarantined = false;
    j->text[0] = '\0';
    pool_run(&f->pool, &j->pooled);
}

void filter_cancel(struct filter_job *j)
{
    pool_cancel(&j->pooled);
}

struct filter *filter_new(struct loop *l, const char *path)
{
    struct filter *f = mem_type(struct filter);

    pool_init(&f->pool, l, path, &pool_ops);
    return f;
}

void filter_free(struct filter *f)
{
    if (f)
        pool_done(&f->pool);
    free(f);
}
