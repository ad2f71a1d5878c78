/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two channels of the same shape: a connection, the questions that wait for an answer on it, and a
 * timer. A question keeps its request until it is answered, so that a channel that broke asks it
 * again once it is back. Login answers carry an id; socketmap answers come in the order of the
 * requests: a question that was sent is never dropped while its connection stands, or the next
 * answer would go to the wrong asker.
 */
#include "mailstack/lib/auth/client.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/loop.h"
#include "runtime/base/mem.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"

#include "mailstack/lib/net/conn.h"
#include "mailstack/lib/proto/dovecot_auth.h"
#include "mailstack/lib/proto/socketmap.h"

#define RETRY_MS          200
#define REQUEST_MAX       16384
#define ANSWER_MEMORY_MAX (4u << 20)

/* What the three kinds of question have in common, in the order of their members. */
enum kind {
    KIND_LOGIN,
    KIND_RESOLVE,
    KIND_SENDER
};

struct pending {
    struct list node;
    enum kind kind;
    void *question; /* NULL once cancelled: a map's answer still has to be waited for */
    uint64_t id;
    uint64_t since_ms;
    size_t request_n;
    char request[];
};

struct channel {
    struct auth_client *client;
    char *path;
    struct conn *conn;
    struct loop_timer retry;
    struct list pending;
    size_t pending_n;
    bool greeted;   /* auth.sock: the server's hand-shake is over */
    enum kind kind; /* KIND_LOGIN, or KIND_RESOLVE for the map's */
};

struct auth_client {
    struct loop *loop;
    struct channel auth;
    struct channel map;
    struct loop_call refuse; /* answers that are due without authd */
    uint64_t next_id;
};

static void on_input(struct conn *c);
static void on_closed(struct conn *c, const struct err *why);
static void reset(struct channel *ch, const char *why);

static const struct conn_ops channel_ops = {.input = on_input, .closed = on_closed};

/* --- answers ---------------------------------------------------------------------------------- */

static void drop(struct channel *ch, struct pending *p)
{
    list_del(&p->node);
    ch->pending_n--;
    explicit_bzero(p->request, p->request_n); /* a password may stand there */
    free(p);
}

/* The question leaves the client's hands; NULL if it was cancelled. */
static void *release(struct channel *ch, struct pending *p)
{
    void *q = p->question;

    drop(ch, p);
    return q;
}

static void answer_login(struct channel *ch, struct pending *p, const struct auth_login_answer *a)
{
    struct auth_login *q = release(ch, p);

    if (!q)
        return;
    q->client = NULL;
    q->fn(q, a);
}

static void answer_resolve(struct channel *ch, struct pending *p,
                           const struct auth_resolve_answer *a)
{
    struct auth_resolve *q = release(ch, p);

    if (!q)
        return;
    q->client = NULL;
    q->fn(q, a);
}

static void answer_sender(struct channel *ch, struct pending *p, enum auth_verdict v)
{
    struct auth_sender *q = release(ch, p);

    if (!q)
        return;
    q->client = NULL;
    q->fn(q, v);
}

static void answer_temp(struct channel *ch, struct pending *p)
{
    switch (p->kind) {
    case KIND_LOGIN:
        answer_login(ch, p, &(struct auth_login_answer){.verdict = AUTH_TEMP});
        return;
    case KIND_RESOLVE:
        answer_resolve(ch, p,
                       &(struct auth_resolve_answer){.verdict = AUTH_TEMP,
                                                     .reason = STR("accounts are not available")});
        return;
    case KIND_SENDER:
        answer_sender(ch, p, AUTH_TEMP);
        return;
    }
}

/* --- the way to authd ------------------------------------------------------------------------- */

static void send_one(struct channel *ch, const struct pending *p)
{
    conn_write(ch->conn, (struct str){p->request, p->request_n});
}

static void send_all(struct channel *ch)
{
    list_for_each (it, next, &ch->pending) {
        struct pending *p = list_of(it, struct pending, node);

        if (p->since_ms) /* the others are about to be refused */
            send_one(ch, p);
    }
}

static void forget_cancelled(struct channel *ch)
{
    list_for_each (it, next, &ch->pending) {
        struct pending *p = list_of(it, struct pending, node);

        if (!p->question)
            drop(ch, p);
    }
}

static void connect_now(struct channel *ch)
{
    struct conn_limits limits = {SOCKETMAP_MAX + 64, AUTH_PENDING_MAX * 1024};
    struct err err = {0};

    forget_cancelled(ch);
    ch->greeted = false;
    ch->conn = conn_dial_unix(ch->client->loop, ch->path, &channel_ops, ch, limits, &err);
    if (!ch->conn) {
        loop_timer_set(ch->client->loop, &ch->retry, RETRY_MS);
        return;
    }
    if (ch->kind == KIND_LOGIN)
        conn_write_c(ch->conn, "VERSION\t1\t2\nCPID\t1\n");
    else
        send_all(ch);
}

/* While a connection stands, the timer is the deadline of the oldest question. */
static void watch_the_oldest(struct channel *ch)
{
    uint64_t waited;

    if (!ch->conn || ch->retry.loop || list_empty(&ch->pending))
        return;
    waited = clock_now_ms() - list_of(list_first(&ch->pending), struct pending, node)->since_ms;
    loop_timer_set(ch->client->loop, &ch->retry,
                   waited < AUTH_CLIENT_WAIT_MS ? AUTH_CLIENT_WAIT_MS - waited : 1);
}

/* The oldest question if it has waited too long: it stands in front. */
static struct pending *too_late(const struct channel *ch)
{
    struct pending *p;

    if (list_empty(&ch->pending))
        return NULL;
    p = list_of(list_first(&ch->pending), struct pending, node);
    return p->since_ms && clock_now_ms() - p->since_ms >= AUTH_CLIENT_WAIT_MS ? p : NULL;
}

/* The timer that is set first keeps a callback's new question from connecting in between. */
static void give_up(struct channel *ch)
{
    struct pending *p;

    if (ch->conn)
        reset(ch, "authd does not answer");
    else
        loop_timer_set(ch->client->loop, &ch->retry, RETRY_MS);
    while ((p = too_late(ch)) != NULL)
        answer_temp(ch, p);
}

static void on_retry(struct loop_timer *t)
{
    struct channel *ch = container_of(t, struct channel, retry);

    if (too_late(ch)) {
        give_up(ch);
        return;
    }
    if (!ch->conn && !list_empty(&ch->pending))
        connect_now(ch);
    watch_the_oldest(ch);
}

static void on_closed(struct conn *c, const struct err *why)
{
    struct channel *ch = conn_ctx(c);

    if (!list_empty(&ch->pending))
        log_warn("auth.lost", LOG_S("socket", ch->path),
                 LOG_S("error", why->code ? why->text : "authd closed the connection"));
    conn_free(c);
    ch->conn = NULL;
    loop_timer_set(ch->client->loop, &ch->retry, RETRY_MS);
}

static void reset(struct channel *ch, const char *why)
{
    struct err err = {0};

    (void)err_set(&err, EBADMSG, "%s", why);
    on_closed(ch->conn, &err);
}

/* --- Dovecot's auth protocol ------------------------------------------------------------------ */

static struct pending *find_id(struct channel *ch, struct str id)
{
    struct err ignored = {0};
    uint64_t v;

    if (num_parse_u64(id, 1, UINT64_MAX, &v, &ignored) < 0)
        return NULL;
    list_for_each (it, next, &ch->pending) {
        struct pending *p = list_of(it, struct pending, node);

        if (p->id == v)
            return p;
    }
    return NULL;
}

static void take_ok(struct channel *ch, const struct dovecot_line *l, struct pending *p)
{
    struct auth_login_answer a = {.verdict = AUTH_YES};
    own_buf struct buf user = BUF_INIT(DOVECOT_LINE_MAX);
    struct err err = {0};
    struct str value;

    if (!dovecot_auth_get(l, 2, "user", &value) || dovecot_auth_unescape(value, &user, &err) < 0)
        a.verdict = AUTH_TEMP;
    if (dovecot_auth_get(l, 2, "quota", &value) &&
        num_parse_u64(value, 0, UINT64_MAX, &a.quota, &err) < 0)
        a.verdict = AUTH_TEMP;
    a.user = buf_str(&user);
    answer_login(ch, p, &a);
}

static void take_auth_line(struct channel *ch, const struct dovecot_line *l)
{
    struct str ignored;

    if (str_eq_c(l->field[0], "DONE") && !ch->greeted) {
        ch->greeted = true;
        send_all(ch);
        return;
    }
    struct pending *p = l->n >= 2 ? find_id(ch, l->field[1]) : NULL;

    if (!p)
        return;
    if (str_eq_c(l->field[0], "OK"))
        take_ok(ch, l, p);
    else if (str_eq_c(l->field[0], "FAIL"))
        answer_login(ch, p,
                     &(struct auth_login_answer){.verdict = dovecot_auth_get(l, 2, "temp", &ignored)
                                                                ? AUTH_TEMP
                                                                : AUTH_NO});
}

static void read_auth(struct channel *ch)
{
    struct conn *c = ch->conn;
    struct err err = {0};
    struct dovecot_line l;
    size_t used;

    while (ch->conn == c) {
        enum parse_result r = dovecot_auth_parse(conn_in(c), &l, &used, &err);

        if (r == PARSE_ERROR)
            reset(ch, err.text);
        if (r != PARSE_DONE)
            return;
        take_auth_line(ch, &l);
        if (ch->conn == c)
            conn_consume(c, used);
    }
}

/* --- socketmap -------------------------------------------------------------------------------- */

/* "L<quota>:address" or "R:address" */
static int take_target(struct str field, struct auth_target *out, struct err *err)
{
    struct str kind;

    if (!str_cut(field, ':', &kind, &out->address) || kind.n == 0)
        return err_set(err, EBADMSG, "authd's answer cannot be read");
    out->local = kind.p[0] == 'L';
    if (!out->local)
        return 0;
    return num_parse_u64(str_skip(kind, 1), 0, UINT64_MAX, &out->quota, err);
}

static int take_targets(struct str data, struct arena *a, struct auth_resolve_answer *out,
                        struct err *err)
{
    struct auth_target *v = arena_array(a, AUTH_TARGETS_MAX, sizeof(*v));
    struct str field;
    size_t n = 0;

    if (!v)
        return err_set(err, ENOMEM, "keep authd's answer");
    while (str_next(&data, '\t', &field)) {
        if (n == AUTH_TARGETS_MAX)
            return err_set(err, EMSGSIZE, "authd's answer has too many targets");
        if (take_target(field, &v[n++], err) < 0)
            return -1;
    }
    out->targets = v;
    out->targets_n = n;
    return n ? 0 : err_set(err, EBADMSG, "authd's answer is empty");
}

static void take_resolve(struct channel *ch, struct pending *p, const struct socketmap_answer *m)
{
    struct auth_resolve_answer a = {.verdict = AUTH_TEMP, .reason = m->data};
    struct arena *memory = arena_new(ANSWER_MEMORY_MAX);
    struct err err = {0};

    if (m->status == SOCKETMAP_NOTFOUND)
        a.verdict = AUTH_NO;
    if (m->status == SOCKETMAP_OK) {
        a.reason = STR_NONE;
        if (take_targets(m->data, memory, &a, &err) < 0)
            a = (struct auth_resolve_answer){.verdict = AUTH_TEMP, .reason = str_of(err.text)};
        else
            a.verdict = AUTH_YES;
    }
    answer_resolve(ch, p, &a);
    arena_free(memory);
}

static void take_map_answer(struct channel *ch, const struct socketmap_answer *m)
{
    if (list_empty(&ch->pending))
        return;
    struct pending *p = list_of(list_first(&ch->pending), struct pending, node);

    if (p->kind == KIND_RESOLVE)
        take_resolve(ch, p, m);
    else
        answer_sender(ch, p,
                      m->status == SOCKETMAP_OK         ? AUTH_YES
                      : m->status == SOCKETMAP_NOTFOUND ? AUTH_NO
                                                        : AUTH_TEMP);
}

static void read_map(struct channel *ch)
{
    struct conn *c = ch->conn;
    struct socketmap_answer m;
    struct err err = {0};
    size_t used;

    while (ch->conn == c) {
        enum parse_result r = socketmap_parse_answer(conn_in(c), &m, &used, &err);

        if (r == PARSE_ERROR)
            reset(ch, err.text);
        if (r != PARSE_DONE)
            return;
        take_map_answer(ch, &m);
        if (ch->conn == c)
            conn_consume(c, used);
    }
}

static void on_input(struct conn *c)
{
    struct channel *ch = conn_ctx(c);

    if (ch->kind == KIND_LOGIN)
        read_auth(ch);
    else
        read_map(ch);
}

/* --- questions -------------------------------------------------------------------------------- */

/* Those marked with since_ms 0 are over the limit: they are answered from the loop, at once. */
static void on_refuse(struct loop_call *call)
{
    struct auth_client *c = container_of(call, struct auth_client, refuse);
    struct channel *channels[] = {&c->auth, &c->map};

    for (size_t i = 0; i < ARRAY_N(channels); i++) {
        list_for_each (it, next, &channels[i]->pending) {
            struct pending *p = list_of(it, struct pending, node);

            if (p->since_ms == 0)
                answer_temp(channels[i], p);
        }
    }
}

static void ask(struct channel *ch, enum kind kind, void *question, uint64_t id, struct str request)
{
    struct pending *p = mem_new(sizeof(*p) + request.n);

    p->kind = kind;
    p->question = question;
    p->id = id;
    p->request_n = request.n;
    memcpy(p->request, request.p, request.n);
    list_add_tail(&ch->pending, &p->node);
    if (ch->pending_n++ >= AUTH_PENDING_MAX || !ch->path) {
        loop_defer(ch->client->loop, &ch->client->refuse);
        return;
    }
    p->since_ms = clock_now_ms();
    if (ch->conn && (kind != KIND_LOGIN || ch->greeted))
        send_one(ch, p);
    else if (!ch->conn && !ch->retry.loop)
        connect_now(ch);
    watch_the_oldest(ch);
}

void auth_login_ask(struct auth_client *c, struct auth_login *q, const struct auth_credentials *k)
{
    own_buf struct buf plain = BUF_INIT(REQUEST_MAX);
    own_buf struct buf resp = BUF_INIT(REQUEST_MAX);
    own_buf struct buf line = BUF_INIT(REQUEST_MAX);

    q->client = c;
    q->id = ++c->next_id;
    buf_append_char(&plain, '\0');
    buf_append(&plain, k->user);
    buf_append_char(&plain, '\0');
    buf_append(&plain, k->password);
    buf_append_base64(&resp, buf_str(&plain));
    buf_printf(&line, "AUTH\t%" PRIu64 "\tPLAIN", q->id);
    dovecot_auth_field(&line, "service", str_of(k->service));
    if (k->tls)
        dovecot_auth_field(&line, NULL, STR("secured"));
    dovecot_auth_field(&line, "rip", k->remote);
    dovecot_auth_field(&line, "resp", buf_str(&resp));
    dovecot_auth_end(&line);
    ask(&c->auth, KIND_LOGIN, q, q->id, buf_str(&line));
    explicit_bzero(plain.p, plain.n);
    explicit_bzero(resp.p, resp.n);
    explicit_bzero(line.p, line.n);
}

static uint64_t ask_map(struct auth_client *c, enum kind kind, void *q, struct socketmap_request r)
{
    own_buf struct buf text = BUF_INIT(REQUEST_MAX);
    uint64_t id = ++c->next_id;

    socketmap_format_request(&text, &r);
    ask(&c->map, kind, q, id, buf_str(&text));
    return id;
}

/* The key of two addresses: neither can hold a TAB, the SMTP parser refuses control characters. */
static void pair(struct buf *key, struct str a, struct str b)
{
    buf_append(key, a);
    buf_append_char(key, '\t');
    buf_append(key, b);
}

void auth_resolve_ask(struct auth_client *c, struct auth_resolve *q, struct str rcpt,
                      struct str sender)
{
    own_buf struct buf key = BUF_INIT(REQUEST_MAX / 2);

    pair(&key, rcpt, sender);
    q->client = c;
    q->id = ask_map(c, KIND_RESOLVE, q, (struct socketmap_request){STR("resolve"), buf_str(&key)});
}

void auth_sender_ask(struct auth_client *c, struct auth_sender *q, struct str user,
                     struct str address)
{
    own_buf struct buf key = BUF_INIT(REQUEST_MAX / 2);

    pair(&key, user, address);
    q->client = c;
    q->id = ask_map(c, KIND_SENDER, q, (struct socketmap_request){STR("may-send"), buf_str(&key)});
}

static void cancel(struct channel *ch, const void *question)
{
    list_for_each (it, next, &ch->pending) {
        struct pending *p = list_of(it, struct pending, node);

        if (p->question == question)
            p->question = NULL;
    }
}

void auth_login_cancel(struct auth_login *q)
{
    if (q->client)
        cancel(&q->client->auth, q);
    q->client = NULL;
}

void auth_resolve_cancel(struct auth_resolve *q)
{
    if (q->client)
        cancel(&q->client->map, q);
    q->client = NULL;
}

void auth_sender_cancel(struct auth_sender *q)
{
    if (q->client)
        cancel(&q->client->map, q);
    q->client = NULL;
}

static void channel_init(struct channel *ch, struct auth_client *c, const char *path,
                         enum kind kind)
{
    ch->client = c;
    ch->path = path ? mem_dup_c(path) : NULL;
    ch->kind = kind;
    ch->retry.fn = on_retry;
    list_init(&ch->pending);
}

static void channel_done(struct channel *ch)
{
    while (!list_empty(&ch->pending))
        drop(ch, list_of(list_first(&ch->pending), struct pending, node));
    loop_timer_del(&ch->retry);
    conn_free(ch->conn);
    free(ch->path);
}

struct auth_client *auth_client_new(struct loop *l, struct auth_client_sockets paths,
                                    struct err *err)
{
    struct auth_client *c;

    if (!paths.auth) {
        (void)err_set(err, EINVAL, "no socket of authd is named");
        return NULL;
    }
    c = mem_type(struct auth_client);
    c->loop = l;
    c->refuse.fn = on_refuse;
    channel_init(&c->auth, c, paths.auth, KIND_LOGIN);
    channel_init(&c->map, c, paths.map, KIND_RESOLVE);
    return c;
}

void auth_client_free(struct auth_client *c)
{
    if (!c)
        return;
    channel_done(&c->auth);
    channel_done(&c->map);
    free(c);
}
