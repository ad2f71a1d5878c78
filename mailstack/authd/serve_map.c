/* SPDX-License-Identifier: Apache-2.0 */
/* socketmap: each map a function from key to answer; requests are answered in their order, at once.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/counter.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"

#include "mailstack/authd/authd.h"
#include "mailstack/lib/net/conn.h"
#include "mailstack/lib/proto/socketmap.h"
#include "mailstack/lib/store/home.h"

#define IN_MAX  65536 /* a request is two addresses at most; more of them may wait */
#define OUT_MAX (2 * SOCKETMAP_MAX)

struct client {
    struct authd *a;
    struct conn *conn;
};

/* One look-up: its key, memory, and where the data of an SOCKETMAP_OK goes. */
struct lookup {
    const struct directory *dir;
    struct str key;
    struct arena *memory;
    struct buf *data;
};

static enum socketmap_status refuse(struct lookup *l, const struct auth_resolve_answer *a)
{
    buf_append(l->data, a->reason);
    return a->verdict == AUTH_NO ? SOCKETMAP_NOTFOUND : SOCKETMAP_TEMP;
}

static enum socketmap_status map_domains(struct lookup *l)
{
    if (!directory_is_local(l->dir, l->key))
        return SOCKETMAP_NOTFOUND;
    buf_append(l->data, l->key);
    return SOCKETMAP_OK;
}

static enum socketmap_status map_mailboxes(struct lookup *l)
{
    const struct account *acc = directory_login(l->dir, l->key, l->memory);
    struct err err = {0};

    if (!acc || !str_ieq(acc->address, l->key))
        return SOCKETMAP_NOTFOUND;
    if (home_path(acc->address, l->data, &err) < 0)
        return SOCKETMAP_PERM;
    buf_append_char(l->data, '/'); /* how Postfix is told that it is a Maildir */
    return SOCKETMAP_OK;
}

static enum socketmap_status map_aliases(struct lookup *l)
{
    struct auth_resolve_answer a;

    directory_resolve(l->dir, l->key, STR_NONE, l->memory, &a);
    if (a.verdict != AUTH_YES)
        return refuse(l, &a);
    for (size_t i = 0; i < a.targets_n; i++) {
        if (i)
            buf_append_char(l->data, ',');
        buf_append(l->data, a.targets[i].address);
    }
    return SOCKETMAP_OK;
}

static void put_account(struct lookup *l, struct str address)
{
    if (l->data->n)
        buf_append_char(l->data, ',');
    buf_append(l->data, address);
}

/* Who may send as this address: the accounts it leads to. */
static enum socketmap_status map_senders(struct lookup *l)
{
    struct auth_resolve_answer a;

    directory_resolve(l->dir, l->key, STR_NONE, l->memory, &a);
    for (size_t i = 0; i < a.targets_n; i++) {
        const struct account *acc =
            a.targets[i].local ? directory_login(l->dir, a.targets[i].address, l->memory) : NULL;

        if (acc && directory_may_send(l->dir, acc->address, l->key, l->memory))
            put_account(l, acc->address);
    }
    return l->data->n ? SOCKETMAP_OK : SOCKETMAP_NOTFOUND;
}

static enum socketmap_status map_resolve(struct lookup *l)
{
    struct auth_resolve_answer a;
    struct str rcpt;
    struct str sender;

    if (!str_cut(l->key, '\t', &rcpt, &sender))
        return SOCKETMAP_PERM;
    directory_resolve(l->dir, rcpt, sender, l->memory, &a);
    if (a.verdict != AUTH_YES)
        return refuse(l, &a);
    for (size_t i = 0; i < a.targets_n; i++) {
        const struct auth_target *t = &a.targets[i];

        if (i)
            buf_append_char(l->data, '\t');
        if (t->local)
            buf_printf(l->data, "L%" PRIu64 ":", t->quota);
        else
            buf_append(l->data, STR("R:"));
        buf_append(l->data, t->address);
    }
    return SOCKETMAP_OK;
}

static enum socketmap_status map_may_send(struct lookup *l)
{
    struct str user;
    struct str address;

    if (!str_cut(l->key, '\t', &user, &address))
        return SOCKETMAP_PERM;
    return directory_may_send(l->dir, user, address, l->memory) ? SOCKETMAP_OK : SOCKETMAP_NOTFOUND;
}

static const struct {
    const char *name;
    enum socketmap_status (*fn)(struct lookup *l);
} maps[] = {
    {"resolve", map_resolve}, {"may-send", map_may_send},   {"domains", map_domains},
    {"aliases", map_aliases}, {"mailboxes", map_mailboxes}, {"senders", map_senders},
};

static enum socketmap_status look_up(struct lookup *l, struct str map)
{
    for (size_t i = 0; i < ARRAY_N(maps); i++) {
        if (str_eq_c(map, maps[i].name))
            return maps[i].fn(l);
    }
    buf_append(l->data, STR("there is no such map"));
    return SOCKETMAP_PERM;
}

static void answer(struct client *c, const struct socketmap_request *r)
{
    own_buf struct buf data = BUF_INIT(SOCKETMAP_MAX - 64);
    own_buf struct buf text = BUF_INIT(SOCKETMAP_MAX);
    struct arena *memory = arena_new(AUTHD_QUESTION_MAX);
    struct lookup l = {&c->a->dir, r->key, memory, &data};
    struct socketmap_answer a = {.status = look_up(&l, r->map)};

    a.data = buf_str(&data);
    if (data.failed)
        a = (struct socketmap_answer){SOCKETMAP_TEMP, STR("the answer is too long")};
    socketmap_format_answer(&text, &a);
    conn_write(c->conn, buf_str(&text));
    counter_add(c->a->lookups, 1);
    arena_free(memory);
}

static void end_client(struct client *c)
{
    c->a->clients_n--;
    conn_free(c->conn);
    free(c);
}

static void on_closed(struct conn *conn, const struct err *why)
{
    (void)why;
    end_client(conn_ctx(conn));
}

static void on_input(struct conn *conn)
{
    struct client *c = conn_ctx(conn);
    struct socketmap_request r;
    struct err err = {0};
    size_t used;

    /* A client that does not read its answers is not read from either. */
    while (conn_out_n(conn) < SOCKETMAP_MAX) {
        enum parse_result p = socketmap_parse_request(conn_in(conn), &r, &used, &err);

        if (p == PARSE_MORE)
            return;
        if (p == PARSE_ERROR) {
            log_warn("map.client", LOG_S("error", err.text));
            end_client(c);
            return;
        }
        answer(c, &r);
        conn_consume(conn, used);
    }
    conn_pause(conn, true);
}

static void on_drained(struct conn *conn)
{
    conn_pause(conn, false);
}

static const struct conn_ops ops = {.input = on_input, .drained = on_drained, .closed = on_closed};

int serve_map_accept(struct authd *a, int fd, struct err *err)
{
    struct client *c = mem_type(struct client);

    c->a = a;
    c->conn = conn_new(a->loop, fd, &ops, c, (struct conn_limits){IN_MAX, OUT_MAX}, err);
    if (!c->conn) {
        free(c);
        return -1;
    }
    a->clients_n++;
    return 0;
}
