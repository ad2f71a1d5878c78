/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole session over a socket, its neighbours played by this file: authd knows one password, and
 * resolves what begins with 'a' or 'l'; lmtpd takes everything. The first byte chooses the service
 * and how the rest is cut. Whatever comes: replies are lines with a code, a message is only taken
 * from a session that has a sender and a recipient, by login where that is needed, and the session
 * ends when the client does.
 */
#include <assert.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/counter.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/loop.h"
#include "runtime/base/map.h"

#include "mailstack/lib/net/peers.h"
#include "mailstack/smtpd/conf.h"
#include "mailstack/smtpd/filter.h"
#include "mailstack/smtpd/lmtp.h"
#include "mailstack/smtpd/room.h"
#include "mailstack/smtpd/session.h"
#include "mailstack/smtpd/smtpd.h"
#include "mailstack/smtpd/txn.h"

#define TURNS_MAX 2000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* --- the neighbours: each question is noted and answered in the next turn --- */

static struct auth_login *login;
static bool login_is_right;
static struct auth_sender *sender_q;
static struct auth_resolve *resolve;
static char resolved[1024];
static struct lmtp_job *jobs[2];
static int queue_mark;
static int local_mark;
static const struct service *service_now;

void auth_login_ask(struct auth_client *c, struct auth_login *q, const struct auth_credentials *k)
{
    (void)c;
    assert(!login && service_now->is_submission);
    login_is_right = str_eq(k->password, STR("b"));
    login = q;
}

void auth_resolve_ask(struct auth_client *c, struct auth_resolve *q, struct str rcpt,
                      struct str sender)
{
    (void)c;
    (void)sender;
    assert(!resolve && rcpt.n < sizeof(resolved));
    (void)snprintf(resolved, sizeof(resolved), "%.*s", STR_ARG(rcpt));
    resolve = q;
}

void auth_sender_ask(struct auth_client *c, struct auth_sender *q, struct str user,
                     struct str address)
{
    (void)c;
    (void)address;
    assert(!sender_q && str_eq(user, STR("a@x.example")));
    sender_q = q;
}

void auth_login_cancel(struct auth_login *q)
{
    if (login == q)
        login = NULL;
}

void auth_resolve_cancel(struct auth_resolve *q)
{
    if (resolve == q)
        resolve = NULL;
}

void auth_sender_cancel(struct auth_sender *q)
{
    if (sender_q == q)
        sender_q = NULL;
}

static void check_message(const struct lmtp_job *j)
{
    bool is_cr = false;

    assert(j->rcpts_n && j->parts_n);
    for (size_t i = 0; i < j->parts_n; i++) {
        for (size_t k = 0; k < j->parts[i].n; k++) {
            char c = j->parts[i].p[k];

            assert(is_cr == (c == '\n')); /* CRLF, and nowhere a part of it */
            is_cr = c == '\r';
        }
    }
    assert(!is_cr);
}

void lmtp_run(struct lmtp *p, struct lmtp_job *j)
{
    size_t i = (void *)p == (void *)&queue_mark;

    assert(!jobs[i]);
    if (j->parts)
        check_message(j);
    j->pooled.pool = (struct pool *)(void *)p; /* any: it is under way */
    jobs[i] = j;
}

void lmtp_cancel(struct lmtp_job *j)
{
    for (size_t i = 0; i < 2; i++) {
        if (jobs[i] == j)
            jobs[i] = NULL;
    }
    j->pooled.pool = NULL;
}

size_t lmtp_count(const struct lmtp_job *j, unsigned class)
{
    return class == 2 ? j->rcpts_n : 0;
}

void filter_run(struct filter *f, struct filter_job *j)
{
    (void)f;
    (void)j;
    abort(); /* there is none */
}

void filter_cancel(struct filter_job *j)
{
    (void)j;
}

void smtpd_check_end(struct smtpd *d)
{
    (void)d;
}

static void answer_resolve(void)
{
    const struct auth_target local = {str_of(resolved), true, 0};
    const struct auth_target list[] = {local, {STR_INIT("z@y.example"), false, 0}};
    struct auth_resolve_answer a = {.verdict = AUTH_NO};
    struct auth_resolve *q = resolve;

    if (resolved[0] == 'a' || resolved[0] == 'l')
        a = (struct auth_resolve_answer){AUTH_YES, list, resolved[0] == 'l' ? 2 : 1, STR_NONE};
    resolve = NULL;
    q->fn(q, &a);
}

static void answer_login(void)
{
    struct auth_login_answer a = {login_is_right ? AUTH_YES : AUTH_NO, STR("a@x.example"), 0};
    struct auth_login *q = login;

    login = NULL;
    q->fn(q, &a);
}

static void answer_all(void)
{
    if (login)
        answer_login();
    if (resolve)
        answer_resolve();
    if (sender_q) {
        struct auth_sender *q = sender_q;

        sender_q = NULL;
        q->fn(q, AUTH_YES);
    }
    for (size_t i = 0; i < 2; i++) {
        struct lmtp_job *j = jobs[i];

        if (!j)
            continue;
        jobs[i] = NULL;
        j->pooled.pool = NULL;
        j->fn(j);
    }
}

/* --- the worker --- */

static struct smtpd worker;

static void set_up(void)
{
    static char hostname[] = "mx.example";
    static char scratch[] = "/tmp";
    static char queue[] = "/nowhere";
    static struct conf conf = {
        .hostname = hostname,
        .scratch = scratch,
        .queue_path = queue,
        .message_size = 4000,
        .recipients = 5,
        .limits = {.connections = 10, .connections_per_ip = 10, .seconds = 60}};
    struct err err = {0};
    struct counter_page *page = counter_map(-1, &err);

    log_set_level(LOG_LEVEL_ERROR);
    conf.domains = map_new();
    (void)map_put(conf.domains, STR("x.example"), &conf);
    worker = (struct smtpd){
        .conf = &conf,
        .loop = loop_new(&err),
        .local = (struct lmtp *)(void *)&local_mark,
        .queue = (struct lmtp *)(void *)&queue_mark,
        .peers = peers_new(1, &err),
        .room = room_new(),
    };
    assert(page && worker.loop && worker.peers);
    worker.connections = worker.refused_connections = worker.messages = worker.bytes =
        worker.refused_messages = worker.refused_rcpts = worker.logins = worker.login_failures =
            counter_get(page, "all");
    peers_claim(worker.peers, 0);
    list_init(&worker.sessions);
}

static void connect_pair(int out[2])
{
    static int listener = -1;
    static struct sockaddr_in at;
    socklen_t n = sizeof(at);

    if (listener < 0) {
        listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
        assert(bind(listener, (struct sockaddr *)&at, n) == 0 && listen(listener, 8) == 0);
        assert(getsockname(listener, (struct sockaddr *)&at, &n) == 0);
    }
    out[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert(connect(out[0], (struct sockaddr *)&at, sizeof(at)) == 0);
    out[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert(out[1] >= 0);
    /* No TIME_WAIT: there are only so many ports. */
    for (int i = 0; i < 2; i++)
        (void)setsockopt(out[i], SOL_SOCKET, SO_LINGER, &(struct linger){1, 0},
                         sizeof(struct linger));
}

/* Every line of what came begins with a code; a rest without an end is put to the front. */
static size_t check_replies(char *text, size_t n)
{
    struct str rest = {text, n};
    ptrdiff_t lf;

    while ((lf = str_find(rest, '\n')) >= 0) {
        assert(lf >= 4 && rest.p[lf - 1] == '\r' && rest.p[0] >= '2' && rest.p[0] <= '5');
        assert(rest.p[3] == ' ' || rest.p[3] == '-');
        rest = str_skip(rest, (size_t)lf + 1);
    }
    memmove(text, rest.p, rest.n);
    return rest.n;
}

static void turn(int fd, char *text, size_t max, size_t *n)
{
    struct err err = {0};
    ssize_t got;

    assert(loop_turn(worker.loop, 0, &err) == 0);
    answer_all();
    while ((got = recv(fd, text + *n, max - *n, MSG_DONTWAIT)) > 0)
        *n = check_replies(text, *n + (size_t)got);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const struct service services[] = {{"smtp", false, false}, {"submission", true, false}};
    static char text[65536];
    size_t text_n = 0;
    size_t step = n ? 1 + data[0] / 2 : 1;
    int fds[2];

    if (!worker.loop)
        set_up();
    if (n < 2)
        return 0;
    service_now = &services[data[0] & 1];
    connect_pair(fds);
    session_accept(&worker, fds[1], service_now);
    if (!list_empty(&worker.sessions)) { /* as if under TLS: the handshake is OpenSSL's matter */
        struct session *s = list_of(worker.sessions.next, struct session, node);

        (void)snprintf(s->tls, sizeof(s->tls), "TLSv1.3 cipher X");
    }
    for (size_t at = 1; at < n; at += step) {
        size_t piece = n - at < step ? n - at : step;

        if (send(fds[0], data + at, piece, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            break;
        turn(fds[0], text, sizeof(text), &text_n);
    }
    for (int i = 0; i < 5; i++)
        turn(fds[0], text, sizeof(text), &text_n);
    (void)shutdown(fds[0], SHUT_WR);
    for (int i = 0; i < TURNS_MAX && worker.sessions_n; i++)
        turn(fds[0], text, sizeof(text), &text_n);
    assert(worker.sessions_n == 0 && worker.txns_n == 0);
    assert(peers_enter(worker.peers, &in6addr_any).all == 1);
    peers_leave(worker.peers, &in6addr_any);
    (void)close(fds[0]);
    return 0;
}
