/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's side of Dovecot's auth protocol. A refusal is told after FAIL_DELAY_MS, whoever asks
 * and whether the user exists or not: guessing is slow, and the time says nothing.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/counter.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"
#include "runtime/base/rand.h"

#include "mailstack/authd/authd.h"
#include "mailstack/authd/pool.h"
#include "mailstack/lib/auth/password.h"
#include "mailstack/lib/net/conn.h"
#include "mailstack/lib/proto/dovecot_auth.h"
#include "mailstack/lib/proto/sasl.h"

#define FAIL_DELAY_MS 1500
#define REQUESTS_MAX  1024 /* under way on one connection */
#define ID_MAX        20
#define WORD_MAX      64
#define OUT_MAX       1048576

struct client {
    struct authd *a;
    struct conn *conn;
    struct list requests;
    size_t requests_n;
};

/* One AUTH, from its line to its OK or FAIL. */
struct request {
    struct client *client;
    struct list node;
    char id[ID_MAX + 1];
    char service[WORD_MAX];
    char remote[WORD_MAX];
    struct sasl sasl;
    struct pool_check check;
    struct loop_timer delay;
    enum auth_verdict verdict;
    char *user; /* canonical, of an account that exists */
    uint64_t quota;
};

static void end_request(struct request *r)
{
    pool_cancel(&r->check);
    loop_timer_del(&r->delay);
    list_del(&r->node);
    r->client->requests_n--;
    sasl_done(&r->sasl);
    free(r->user);
    free(r);
}

static void send_line(struct client *c, struct buf *line)
{
    dovecot_auth_end(line);
    conn_write(c->conn, buf_str(line));
}

static void say_ok(struct request *r)
{
    own_buf struct buf line = BUF_INIT(DOVECOT_LINE_MAX);
    own_buf struct buf quota = BUF_INIT(32);

    buf_printf(&quota, "%" PRIu64, r->quota);
    dovecot_auth_begin(&line, "OK");
    dovecot_auth_field(&line, NULL, str_of(r->id));
    dovecot_auth_field(&line, "user", str_of(r->user));
    dovecot_auth_field(&line, "quota", buf_str(&quota));
    send_line(r->client, &line);
}

static void say_fail(struct request *r)
{
    own_buf struct buf line = BUF_INIT(DOVECOT_LINE_MAX);

    dovecot_auth_begin(&line, "FAIL");
    dovecot_auth_field(&line, NULL, str_of(r->id));
    dovecot_auth_field(&line, "user", sasl_user(&r->sasl));
    if (r->verdict == AUTH_TEMP) {
        buf_append_c(&line, "\ttemp");
        dovecot_auth_field(&line, "reason", STR("temporary failure"));
    }
    send_line(r->client, &line);
}

static void on_delay(struct loop_timer *t)
{
    struct request *r = container_of(t, struct request, delay);

    say_fail(r);
    end_request(r);
}

static void finish(struct request *r, enum auth_verdict v)
{
    struct authd *a = r->client->a;
    static const char *const words[] = {"yes", "no", "cannot tell now"};

    r->verdict = v;
    log_info("auth.login", LOG_STR("user", sasl_user(&r->sasl)), LOG_S("service", r->service),
             LOG_S("remote", r->remote), LOG_S("result", words[v]));
    if (v == AUTH_YES) {
        counter_add(a->logins, 1);
        say_ok(r);
        end_request(r);
        return;
    }
    counter_add(a->failures, 1);
    loop_timer_set(a->loop, &r->delay, FAIL_DELAY_MS);
}

static void on_verdict(struct pool_check *check, enum auth_verdict v)
{
    struct request *r = container_of(check, struct request, check);

    /* The dummy hash of an unknown user matches no password, but nothing here depends on that. */
    finish(r, v == AUTH_YES && !r->user ? AUTH_NO : v);
}

static void check_password(struct request *r)
{
    struct authd *a = r->client->a;
    struct arena *memory = arena_new(AUTHD_QUESTION_MAX);
    const struct account *acc = directory_login(&a->dir, sasl_user(&r->sasl), memory);
    struct err ignored = {0};

    if (acc) {
        r->user = str_dup_c(acc->address, &ignored);
        r->quota = directory_quota(&a->dir, acc);
    }
    pool_ask(a->pool, &r->check, acc ? acc->password : password_dummy(), sasl_password(&r->sasl));
    arena_free(memory);
}

static void take_step(struct request *r, enum sasl_result s, const struct err *err)
{
    own_buf struct buf line = BUF_INIT(DOVECOT_LINE_MAX);

    if (s == SASL_DONE) {
        check_password(r);
    } else if (s == SASL_CHALLENGE) {
        dovecot_auth_begin(&line, "CONT");
        dovecot_auth_field(&line, NULL, str_of(r->id));
        dovecot_auth_field(&line, NULL, str_of(r->sasl.challenge));
        send_line(r->client, &line);
    } else {
        log_info("auth.refuse", LOG_S("service", r->service), LOG_S("remote", r->remote),
                 LOG_S("error", err->text));
        r->verdict = AUTH_NO;
        loop_timer_set(r->client->a->loop, &r->delay, FAIL_DELAY_MS);
    }
}

/* --- lines of the client ---------------------------------------------------------------------- */

static void copy_word(char *to, size_t room, const struct dovecot_line *l, const char *key)
{
    struct str v;

    if (!dovecot_auth_get(l, 3, key, &v))
        return;
    v = str_head(v, room - 1);
    if (v.n)
        memcpy(to, v.p, v.n);
    to[v.n] = '\0';
}

static struct request *new_request(struct client *c, const struct dovecot_line *l)
{
    struct request *r = mem_type(struct request);

    r->client = c;
    list_add_tail(&c->requests, &r->node);
    c->requests_n++;
    memcpy(r->id, l->field[1].p, l->field[1].n);
    r->delay.fn = on_delay;
    r->check.fn = on_verdict;
    list_init(&r->check.node);
    copy_word(r->service, sizeof(r->service), l, "service");
    copy_word(r->remote, sizeof(r->remote), l, "rip");
    return r;
}

static struct request *find(struct client *c, struct str id)
{
    list_for_each (it, next, &c->requests) {
        struct request *r = list_of(it, struct request, node);

        if (str_eq_c(id, r->id))
            return r;
    }
    return NULL;
}

static int begin(struct client *c, const struct dovecot_line *l, struct err *err)
{
    enum sasl_mech mech;
    struct str resp = STR_NONE;
    bool known = l->n >= 3 && sasl_mech_parse(l->field[2], &mech);

    if (l->n < 3 || l->field[1].n == 0 || l->field[1].n > ID_MAX || find(c, l->field[1]))
        return err_set(err, EBADMSG, "AUTH without an id of its own");
    if (c->requests_n >= REQUESTS_MAX)
        return err_set(err, EMSGSIZE, "more than %d logins under way", REQUESTS_MAX);
    struct request *r = new_request(c, l);
    struct err why = {0};

    if (!known) {
        (void)err_set(&why, 0, "a mechanism that is not offered");
        take_step(r, SASL_ERROR, &why);
        return 0;
    }
    /* "resp" comes last and may hold '=' itself; an empty one is the empty response. */
    if (dovecot_auth_get(l, 3, "resp", &resp) && resp.n == 0)
        resp = STR("=");
    enum sasl_result s = sasl_begin(&r->sasl, mech, resp, &why);

    take_step(r, s, &why);
    return 0;
}

static int go_on(struct client *c, const struct dovecot_line *l, struct err *err)
{
    struct request *r = l->n == 3 ? find(c, l->field[1]) : NULL;
    struct err why = {0};

    if (!r || r->check.pool || r->delay.loop)
        return err_set(err, EBADMSG, "CONT for a login that waits for none");
    enum sasl_result s = sasl_feed(&r->sasl, l->field[2], &why);

    take_step(r, s, &why);
    return 0;
}

static int stop(struct client *c, const struct dovecot_line *l, struct err *err)
{
    struct request *r = l->n >= 2 ? find(c, l->field[1]) : NULL;

    (void)err;
    if (r)
        end_request(r);
    return 0;
}

static int version(struct client *c, const struct dovecot_line *l, struct err *err)
{
    (void)c;
    if (l->n < 2 || !str_eq_c(l->field[1], "1"))
        return err_set(err, EBADMSG, "a version of the protocol other than 1");
    return 0;
}

static int pass(struct client *c, const struct dovecot_line *l, struct err *err)
{
    (void)c;
    (void)l;
    (void)err;
    return 0;
}

static const struct {
    const char *name;
    int (*fn)(struct client *c, const struct dovecot_line *l, struct err *err);
} commands[] = {
    {"AUTH", begin}, {"CONT", go_on}, {"CANCEL", stop}, {"VERSION", version}, {"CPID", pass},
};

static int run(struct client *c, const struct dovecot_line *l, struct err *err)
{
    for (size_t i = 0; i < ARRAY_N(commands); i++) {
        if (str_eq_c(l->field[0], commands[i].name))
            return commands[i].fn(c, l, err);
    }
    return 0; /* commands of later minor versions are passed over */
}

/* --- connections ------------------------------------------------------------------------------ */

static void end_client(struct client *c)
{
    while (!list_empty(&c->requests))
        end_request(list_of(list_first(&c->requests), struct request, node));
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
    struct dovecot_line l;
    struct err err = {0};
    size_t used;

    for (;;) {
        enum parse_result r = dovecot_auth_parse(conn_in(conn), &l, &used, &err);

        if (r == PARSE_MORE)
            return;
        if (r == PARSE_ERROR || run(c, &l, &err) < 0) {
            log_warn("auth.client", LOG_S("error", err.text));
            end_client(c);
            return;
        }
        conn_consume(conn, used);
    }
}

static const struct conn_ops ops = {.input = on_input, .closed = on_closed};

int serve_auth_accept(struct authd *a, int fd, struct err *err)
{
    struct client *c = mem_type(struct client);
    char cookie[33];

    list_init(&c->requests);
    c->a = a;
    c->conn =
        conn_new(a->loop, fd, &ops, c, (struct conn_limits){DOVECOT_LINE_MAX * 4, OUT_MAX}, err);
    if (!c->conn) {
        free(c);
        return -1;
    }
    a->clients_n++;
    rand_hex(cookie, 32);
    conn_printf(c->conn,
                "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\nSPID\t%d\n"
                "CUID\t%" PRIu64 "\nCOOKIE\t%s\nDONE\n",
                (int)getpid(), ++a->next_cuid, cookie);
    return 0;
}
