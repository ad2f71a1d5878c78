/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/net/dns_client.h"

#include <stdio.h>
#include <stdlib.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"
#include "runtime/base/rand.h"

#include "mailstack/lib/net/conn.h"
#include "mailstack/lib/net/dns_read.h"
#include "mailstack/lib/proto/dns_msg.h"

#define ANSWER_MEMORY_MAX (1u << 20)

struct dns_client {
    struct loop *loop;
    char *path;
    struct conn *conn; /* NULL: not connected */
    struct list pending;
    size_t pending_n;
    uint16_t last_id;
};

static void release(struct dns_question *q)
{
    loop_timer_del(&q->timer);
    if (q->refuse.pending) { /* its memory may go before the end of this turn */
        list_del(&q->refuse.node);
        q->refuse.pending = false;
    }
    list_del(&q->node);
    q->client->pending_n--;
    q->client = NULL;
}

static void answer_temp(struct dns_question *q)
{
    static const struct dns_answer temp = {.status = DNS_TEMP};

    release(q);
    q->fn(q, &temp);
}

static void on_timer(struct loop_timer *t)
{
    answer_temp(container_of(t, struct dns_question, timer));
}

static void on_refuse(struct loop_call *call)
{
    struct dns_question *q = container_of(call, struct dns_question, refuse);

    if (q->client)
        answer_temp(q);
}

static struct dns_question *find(struct dns_client *c, uint16_t id)
{
    list_for_each (it, next, &c->pending) {
        struct dns_question *q = list_of(it, struct dns_question, node);

        if (q->id == id)
            return q;
    }
    return NULL;
}

static void take_answer(struct dns_client *c, struct str message)
{
    const unsigned char *p = (const unsigned char *)message.p;
    struct dns_question *q = find(c, (uint16_t)(p[0] << 8 | p[1]));
    struct dns_answer answer;

    if (!q)
        return; /* its asker has gone, or gave up */
    struct arena *a = arena_new(ANSWER_MEMORY_MAX);

    dns_read(message, q->type, a, &answer);
    release(q);
    q->fn(q, &answer);
    arena_free(a);
}

static void lose(struct dns_client *c)
{
    conn_free(c->conn);
    c->conn = NULL;
    /* Deferred: an asker may ask again from its callback, and shall not meet this list. */
    list_for_each (it, next, &c->pending)
        loop_defer(c->loop, &list_of(it, struct dns_question, node)->refuse);
}

static void on_input(struct conn *conn)
{
    struct dns_client *c = conn_ctx(conn);
    struct err ignored = {0};
    struct str message;
    size_t used;

    while (c->conn == conn) {
        enum parse_result r = dns_msg_unframe(conn_in(conn), &message, &used, &ignored);

        if (r == PARSE_ERROR)
            lose(c);
        if (r != PARSE_DONE)
            return;
        take_answer(c, message);
        if (c->conn == conn)
            conn_consume(conn, used);
    }
}

static void on_closed(struct conn *conn, const struct err *why)
{
    (void)why; /* dnsd was restarted, or is away: the askers hear it as DNS_TEMP */
    lose(conn_ctx(conn));
}

static const struct conn_ops ops = {.input = on_input, .closed = on_closed};

struct dns_client *dns_client_new(struct loop *l, const char *path)
{
    struct dns_client *c = mem_type(struct dns_client);

    c->loop = l;
    c->path = mem_dup_c(path);
    c->last_id = (uint16_t)rand_u64();
    list_init(&c->pending);
    return c;
}

void dns_client_free(struct dns_client *c)
{
    if (!c)
        return;
    list_for_each (it, next, &c->pending)
        release(list_of(it, struct dns_question, node));
    conn_free(c->conn);
    free(c->path);
    free(c);
}

static int send_query(struct dns_client *c, const struct dns_question *q, struct str name)
{
    struct conn_limits limits = {DNS_MSG_MAX + 2, DNS_CLIENT_PENDING_MAX * 512};
    own_buf struct buf query = BUF_INIT(DNS_MSG_NAME_TEXT + 64);
    struct err ignored = {0};

    if (dns_msg_format_query(&query, q->id, name, (uint16_t)q->type, &ignored) < 0)
        return -1;
    if (!c->conn)
        c->conn = conn_dial_unix(c->loop, c->path, &ops, c, limits, &ignored);
    if (!c->conn)
        return -1;
    conn_write(c->conn, buf_str(&query));
    return 0;
}

void dns_client_ask(struct dns_client *c, struct dns_question *q, struct str name,
                    enum dns_type type, uint32_t timeout_ms)
{
    q->client = c;
    q->type = type;
    q->timer.fn = on_timer;
    q->refuse.fn = on_refuse;
    do {
        q->id = ++c->last_id;
    } while (find(c, q->id));
    list_add_tail(&c->pending, &q->node);
    if (c->pending_n++ >= DNS_CLIENT_PENDING_MAX || send_query(c, q, name) < 0)
        loop_defer(c->loop, &q->refuse);
    else
        loop_timer_set(c->loop, &q->timer, timeout_ms);
}

void dns_client_cancel(struct dns_question *q)
{
    if (q->client)
        release(q);
}

void dns_reverse_name(const unsigned char *addr, size_t n, char out[DNS_REVERSE_MAX])
{
    static const char digits[] = "0123456789abcdef";
    struct buf b = BUF_INIT(DNS_REVERSE_MAX - 1);

    for (size_t i = n; i-- > 0;) {
        if (n == 4)
            buf_printf(&b, "%u.", addr[i]);
        else
            buf_printf(&b, "%c.%c.", digits[addr[i] & 15], digits[addr[i] >> 4]);
    }
    buf_append_c(&b, n == 4 ? "in-addr.arpa" : "ip6.arpa");
    (void)snprintf(out, DNS_REVERSE_MAX, "%s", buf_c(&b)); /* fits: 32 * 2 + 8 */
    buf_done(&b);
}
