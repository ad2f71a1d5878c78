/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A question that is under way outlives the connection it came by: the resolver's callback finds
 * its client gone (NULL) and drops the answer.
 */
#include "mailstack/dnsd/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/counter.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"

#include "mailstack/dnsd/resolver.h"
#include "mailstack/lib/net/conn.h"
#include "mailstack/lib/proto/dns_msg.h"

struct client {
    struct list node;
    struct dnsd *d;
    struct conn *conn;
    struct list questions;
    size_t questions_n;
};

struct question {
    struct list node;
    struct dnsd *d;
    struct client *client; /* NULL: gone */
    struct dns_msg msg;    /* whole looks into bytes */
    size_t n;
    char bytes[];
};

static void answer_error(struct client *c, const struct dns_msg *m, enum dns_msg_rcode rcode)
{
    own_buf struct buf out = BUF_INIT(DNS_MSG_MAX + 2);

    dns_msg_format_error(&out, m, rcode);
    conn_write(c->conn, buf_str(&out));
}

/* The resolver's message under the question's id. */
static void answer_message(struct client *c, const struct dns_msg *m,
                           const struct resolver_answer *a)
{
    const unsigned char *p = (const unsigned char *)a->message.p;
    unsigned theirs = (unsigned)p[2] << 8 | p[3];
    unsigned kept = theirs & (DNS_MSG_RCODE | DNS_MSG_TC);
    unsigned asked = m->flags & (DNS_MSG_RD | DNS_MSG_CD);
    char head[6];

    kept |= asked | DNS_MSG_QR | DNS_MSG_RA | (a->secure ? (unsigned)DNS_MSG_AD : 0U);
    head[0] = (char)(a->message.n >> 8);
    head[1] = (char)a->message.n;
    head[2] = (char)(m->id >> 8);
    head[3] = (char)m->id;
    head[4] = (char)(kept >> 8);
    head[5] = (char)kept;
    conn_write(c->conn, (struct str){head, sizeof(head)});
    conn_write(c->conn, str_skip(a->message, 4));
}

static void count(struct dnsd *d, const struct question *q, const struct resolver_answer *a)
{
    if (a->secure)
        counter_add(d->secure, 1);
    if (a->rcode == DNS_MSG_SERVFAIL)
        counter_add(d->failures, 1);
    if (!a->why_bogus)
        return;
    counter_add(d->bogus, 1);
    log_info("dns.bogus", LOG_S("name", q->msg.name), LOG_U("type", q->msg.type),
             LOG_S("why", a->why_bogus));
}

static void on_answer(void *ctx, const struct resolver_answer *a)
{
    struct question *q = ctx;
    struct client *c = q->client;

    count(q->d, q, a);
    if (c) {
        list_del(&q->node);
        c->questions_n--;
        if (a->message.n)
            answer_message(c, &q->msg, a);
        else
            answer_error(c, &q->msg, (enum dns_msg_rcode)(a->rcode & DNS_MSG_RCODE));
        conn_pause(c->conn, c->questions_n >= CLIENT_QUESTIONS_MAX);
    }
    free(q);
}

static void ask(struct client *c, const struct dns_msg *m)
{
    struct question *q = mem_new(sizeof(*q) + m->whole.n);

    memcpy(q->bytes, m->whole.p, m->whole.n);
    q->n = m->whole.n;
    q->d = c->d;
    q->client = c;
    q->msg = *m;
    q->msg.whole = (struct str){q->bytes, q->n};
    list_add_tail(&c->questions, &q->node);
    c->questions_n++;
    counter_add(c->d->questions, 1);
    resolver_ask(c->d->resolver,
                 &(struct resolver_question){q->msg.name, q->msg.type, on_answer, q});
}

static void take_message(struct client *c, struct str message)
{
    struct err ignored = {0};
    struct dns_msg m;

    if (dns_msg_parse(message, &m, &ignored) < 0 || (m.flags & DNS_MSG_QR))
        answer_error(c, &m, DNS_MSG_FORMERR);
    else if (m.flags & DNS_MSG_OPCODE)
        answer_error(c, &m, DNS_MSG_NOTIMP);
    else if (m.class_ != DNS_MSG_CLASS_IN)
        answer_error(c, &m, DNS_MSG_REFUSED);
    else
        ask(c, &m);
}

static void client_free(struct client *c)
{
    list_for_each (it, next, &c->questions) {
        list_del(it);
        list_of(it, struct question, node)->client = NULL;
    }
    conn_free(c->conn);
    list_del(&c->node);
    c->d->clients_n--;
    free(c);
}

static void on_closed(struct conn *conn, const struct err *why)
{
    if (why->code)
        log_info("dns.close", LOG_S("why", why->text));
    client_free(conn_ctx(conn));
}

static void on_input(struct conn *conn)
{
    struct client *c = conn_ctx(conn);
    struct str message;
    struct err err = {0};
    size_t used;

    while (c->questions_n < CLIENT_QUESTIONS_MAX) {
        enum parse_result r = dns_msg_unframe(conn_in(conn), &message, &used, &err);

        if (r == PARSE_MORE && conn_in(conn).n <= CLIENT_QUESTION_MAX)
            return;
        if (r == PARSE_MORE)
            (void)err_set(&err, EMSGSIZE, "a question that is too long");
        if (r != PARSE_DONE) {
            on_closed(conn, &err);
            return;
        }
        take_message(c, message);
        conn_consume(conn, used);
    }
    conn_pause(conn, true);
}

int client_accept(struct dnsd *d, int fd, struct err *err)
{
    static const struct conn_ops ops = {.input = on_input, .closed = on_closed};
    struct conn_limits limits = {(size_t)2 * CLIENT_QUESTION_MAX, CLIENT_OUT_MAX};
    struct client *c = mem_type(struct client);

    c->d = d;
    list_init(&c->questions);
    c->conn = conn_new(d->loop, fd, &ops, c, limits, err);
    if (!c->conn) {
        free(c);
        return -1;
    }
    list_add_tail(&d->clients, &c->node);
    d->clients_n++;
    return 0;
}
