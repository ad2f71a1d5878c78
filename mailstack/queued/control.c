/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/queued/control.h"

#include <stdlib.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/jw.h"
#include "runtime/base/log.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/header.h"
#include "mailstack/lib/net/conn.h"
#include "mailstack/lib/queue/qread.h"
#include "mailstack/queued/message.h"
#include "mailstack/queued/queued.h"

#define MORE_N 64 /* room for the line that says that there is more */

/* --- as JSON ---------------------------------------------------------------------------------- */

static void put_notify(struct jw *w, unsigned notify)
{
    static const char *const names[] = {"never", "success", "failure", "delay"};

    jw_array(w, "notify");
    for (unsigned i = 0; i < ARRAY_N(names); i++) {
        if (notify & (1U << i))
            jw_c(w, NULL, names[i]);
    }
    jw_end(w);
}

static void put_rcpt(struct jw *w, const struct message *m, size_t i)
{
    const struct qrcpt *r = &m->env.rcpts[i];

    jw_object(w, NULL);
    jw_c(w, "address", r->addr);
    jw_c(w, "state", qfile_state_name(r->state));
    jw_uint(w, "attempts", r->attempts);
    jw_int(w, "last_s", r->last_s);
    jw_int(w, "next_s", r->next_s);
    jw_c(w, "status", r->status);
    jw_c(w, "remote", r->remote);
    jw_c(w, "error", r->text);
    if (r->notify)
        put_notify(w, r->notify);
    if (r->orcpt[0])
        jw_c(w, "orcpt", r->orcpt);
    jw_end(w);
}

static void put_message(struct jw *w, const struct message *m)
{
    jw_c(w, "id", m->env.id);
    jw_int(w, "arrival_s", m->env.arrival_us / 1000000);
    jw_uint(w, "size", m->env.size);
    jw_c(w, "sender", m->env.sender);
    jw_bool(w, "sending", message_is_active(m));
    jw_array(w, "recipients");
    for (size_t i = 0; i < m->env.rcpts_n; i++)
        put_rcpt(w, m, i);
    jw_end(w);
}

static struct jw start_line(struct buf *out)
{
    struct jw w = jw_start(out, JW_ONE_LINE);

    jw_object(&w, NULL);
    return w;
}

static void end_line(struct jw *w)
{
    jw_end(w);
    buf_append_char(w->out, '\n');
}

/* --- verbs ------------------------------------------------------------------------------------ */

/* What does not fit is counted. */
static int do_list(struct queued *q, struct str arg, struct buf *out, struct err *err)
{
    size_t more = 0;

    if (arg.n)
        return err_set(err, 0, "list takes no argument");
    list_for_each (it, next, &q->messages) {
        own_buf struct buf line = BUF_INIT(CONTROL_ANSWER_MAX);
        struct jw w = start_line(&line);

        put_message(&w, list_of(it, struct message, node));
        end_line(&w);
        if (more || line.failed || line.n + MORE_N > buf_room(out))
            more++;
        else
            buf_append(out, buf_str(&line));
    }
    if (more) {
        struct jw w = start_line(out);

        jw_uint(&w, "more", more);
        end_line(&w);
    }
    return 0;
}

static struct message *find(struct queued *q, struct str id, struct err *err)
{
    struct message *m = message_find(q, id);

    if (!m)
        (void)err_set(err, 0, "no message %.*s", STR_ARG(str_head(id, 64)));
    return m;
}

static int do_show(struct queued *q, struct str arg, struct buf *out, struct err *err)
{
    static const char *const rets[] = {
        [QRET_UNSET] = "", [QRET_FULL] = "full", [QRET_HDRS] = "hdrs"};
    const struct message *m = find(q, arg, err);
    own_buf struct buf head = BUF_INIT(CONTROL_HEADER_MAX);
    struct jw w;

    if (!m || qread_content(&q->dir, &m->env, CONTROL_HEADER_MAX, &head, err) < 0)
        return -1;
    w = start_line(out);
    put_message(&w, m);
    jw_c(&w, "owner", m->env.owner);
    jw_c(&w, "envid", m->env.envid);
    jw_c(&w, "ret", rets[m->env.ret]);
    jw_bool(&w, "8bit", m->env.is_8bit);
    jw_bool(&w, "smtputf8", m->env.is_utf8);
    jw_str(&w, "header", str_head(buf_str(&head), header_end(buf_str(&head))));
    end_line(&w);
    return 0;
}

static bool goes_to(const struct message *m, struct str domain)
{
    for (size_t i = 0; i < m->env.rcpts_n; i++) {
        struct str local;
        struct str d;

        if (str_rcut(str_of(m->env.rcpts[i].addr), '@', &local, &d) && str_ieq(d, domain))
            return true;
    }
    return false;
}

static int do_flush(struct queued *q, struct str arg, struct buf *out, struct err *err)
{
    bool is_domain = str_find(arg, '.') >= 0;
    struct message *one = arg.n && !is_domain ? find(q, arg, err) : NULL;
    uint64_t n = 0;

    if (arg.n && !is_domain && !one)
        return -1;
    list_for_each (it, next, &q->messages) {
        struct message *m = list_of(it, struct message, node);

        if (one ? m != one : arg.n && !goes_to(m, arg))
            continue;
        message_flush(m);
        n++;
    }
    struct jw w = start_line(out);

    jw_uint(&w, "flushed", n);
    end_line(&w);
    return 0;
}

static int do_rm(struct queued *q, struct str arg, struct buf *out, struct err *err)
{
    struct message *m = find(q, arg, err);

    if (!m || message_drop(m, err) < 0)
        return -1;
    struct jw w = start_line(out);

    jw_str(&w, "removed", arg);
    end_line(&w);
    return 0;
}

static const struct {
    const char *verb;
    int (*run)(struct queued *q, struct str arg, struct buf *out, struct err *err);
} verbs[] = {{"list", do_list}, {"show", do_show}, {"flush", do_flush}, {"rm", do_rm}};

static int run(struct queued *q, struct str line, struct buf *out, struct err *err)
{
    struct str verb = line;
    struct str arg = STR_NONE;

    (void)str_cut(line, ' ', &verb, &arg); /* an argument is not always there */
    for (size_t i = 0; i < ARRAY_N(verbs); i++) {
        if (str_eq_c(verb, verbs[i].verb))
            return verbs[i].run(q, str_trim(arg), out, err);
    }
    return err_set(err, 0, "unknown command '%.*s'", STR_ARG(str_head(verb, 32)));
}

/* --- the conversation ------------------------------------------------------------------------- */

static void on_input(struct conn *c)
{
    own_buf struct buf out = BUF_INIT(CONTROL_ANSWER_MAX);
    struct queued *q = conn_ctx(c);
    struct err err = {0};
    struct str line;
    struct str rest;

    if (!str_cut(conn_in(c), '\n', &line, &rest)) {
        if (conn_in(c).n >= CONTROL_LINE_MAX)
            conn_finish(c);
        return;
    }
    if (run(q, line, &out, &err) < 0 || buf_check(&out, "answer", &err) < 0) {
        conn_printf(c, "error %s\n", err.text);
    } else {
        conn_write_c(c, "ok\n");
        conn_write(c, buf_str(&out));
    }
    conn_consume(c, conn_in(c).n);
    conn_pause(c, true); /* one question */
    conn_finish(c);
}

static void on_closed(struct conn *c, const struct err *why)
{
    if (why->code)
        log_debug("queue.control", LOG_S("error", why->text));
    conn_free(c);
}

int control_accept(struct queued *q, int fd, struct err *err)
{
    static const struct conn_ops ops = {.input = on_input, .closed = on_closed};
    struct conn_limits limits = {CONTROL_LINE_MAX, CONTROL_ANSWER_MAX + 16};
    struct conn *c = conn_new(q->loop, fd, &ops, q, limits, err);

    if (!c)
        return -1;
    conn_deadline(c, CONTROL_WAIT_MS);
    return 0;
}
