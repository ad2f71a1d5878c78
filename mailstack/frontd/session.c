/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/counter.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"

#include "mailstack/frontd/frontd.h"
#include "mailstack/lib/net/conn.h"
#include "mailstack/lib/net/peers.h"
#include "mailstack/lib/net/tls.h"

void session_free(struct session *s)
{
    auth_login_cancel(&s->login);
    sasl_done(&s->sasl);
    conn_free(s->client);
    conn_free(s->backend);
    list_del(&s->node);
    peers_leave(s->f->peers, &s->ip);
    free(s);
}

void session_finish(struct session *s)
{
    conn_pause(s->client, true);
    conn_finish(s->client);
}

void session_bad(struct session *s)
{
    if (++s->errors < FRONTD_ERRORS_MAX)
        return;
    s->proto->bye(s, "too many bad commands");
    session_finish(s);
}

static void update_rights(struct session *s)
{
    s->may_login = conn_has_tls(s->client);
    for (size_t i = 0; i < s->f->conf->plaintext_n && !s->may_login; i++)
        s->may_login = cidr_has(&s->f->conf->plaintext[i], &s->ip);
}

/* --- callbacks of the connection -------------------------------------------------------------- */

static void on_input(struct conn *c)
{
    struct session *s = conn_ctx(c);

    while (!s->waiting && conn_in(c).n && s->proto->input(s))
        ;
}

static void on_tls(struct conn *c)
{
    struct session *s = conn_ctx(c);

    update_rights(s);
    if (s->wants_tls)
        s->proto->greet(s);
}

static void on_closed(struct conn *c, const struct err *why)
{
    struct session *s = conn_ctx(c);

    if (why->code)
        log_info("front.close", LOG_S("remote", s->remote), LOG_S("why", why->text));
    session_free(s);
}

static const struct conn_ops ops = {.input = on_input, .tls_ready = on_tls, .closed = on_closed};

/* --- login ------------------------------------------------------------------------------------ */

static void on_answer(struct auth_login *q, const struct auth_login_answer *a)
{
    struct session *s = container_of(q, struct session, login);
    enum auth_verdict v = a->verdict;
    struct err err = {0};

    s->waiting = false;
    sasl_done(&s->sasl);
    if (v == AUTH_YES) {
        if (relay_begin(s, a, &err) == 0) {
            counter_add(s->f->logins, 1);
            log_info("front.login", LOG_STR("user", a->user), LOG_S("service", s->proto->service),
                     LOG_S("remote", s->remote), LOG_S("tls", conn_tls_version(s->client)));
            return;
        }
        log_error("front.handoff", LOG_S("service", s->proto->service), LOG_S("error", err.text));
        v = AUTH_TEMP;
    }
    counter_add(s->f->failures, 1);
    s->proto->refuse(s, v);
    if (v == AUTH_NO && ++s->failures >= FRONTD_FAILURES_MAX) {
        s->proto->bye(s, "too many refused logins");
        session_finish(s);
        return;
    }
    conn_pause(s->client, false);
}

static bool is_v4(const struct in6_addr *ip)
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

    return memcmp(ip, mapped, sizeof(mapped)) == 0;
}

/* As everybody writes it: 192.0.2.1, not ::ffff:192.0.2.1. */
static const char *ip_text(const struct in6_addr *ip, char out[INET6_ADDRSTRLEN])
{
    return is_v4(ip) ? inet_ntop(AF_INET, &ip->s6_addr[12], out, INET6_ADDRSTRLEN)
                     : inet_ntop(AF_INET6, ip, out, INET6_ADDRSTRLEN);
}

void session_login(struct session *s, struct str user, struct str password)
{
    char ip[INET6_ADDRSTRLEN] = "";
    const struct auth_credentials k = {
        .user = user,
        .password = password,
        .service = s->proto->service,
        .remote = str_of(ip_text(&s->ip, ip)),
        .tls = conn_has_tls(s->client),
    };

    s->waiting = true;
    conn_pause(s->client, true);
    s->login.fn = on_answer;
    auth_login_ask(s->f->auth, &s->login, &k);
}

bool session_sasl(struct session *s, enum sasl_result r, void (*ask)(struct session *s))
{
    s->in_sasl = r == SASL_CHALLENGE;
    if (r == SASL_CHALLENGE)
        ask(s);
    if (r == SASL_DONE)
        session_login(s, sasl_user(&s->sasl), sasl_password(&s->sasl));
    return r != SASL_ERROR;
}

void session_starttls(struct session *s)
{
    conn_start_tls(s->client, s->f->tls, NULL);
}

/* --- accepting -------------------------------------------------------------------------------- */

static unsigned port_of(const struct sockaddr_storage *a)
{
    struct sockaddr_in6 v6; /* the port is where that of IPv4 is */

    memcpy(&v6, a, sizeof(v6));
    return ntohs(v6.sin6_port);
}

static bool take_address(struct session *s, int fd)
{
    struct sockaddr_storage a;
    socklen_t n = sizeof(a);
    char ip[INET6_ADDRSTRLEN];
    int on = 1;

    memset(&a, 0, sizeof(a));
    if (getpeername(fd, (struct sockaddr *)&a, &n) < 0 || !cidr_addr(&a, &s->ip))
        return false;
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on,
                     sizeof(on)); /* a relay has no other deadline */
    (void)snprintf(s->remote, sizeof(s->remote), is_v4(&s->ip) ? "%s:%u" : "[%s]:%u",
                   ip_text(&s->ip, ip), port_of(&a));
    return true;
}

static const char *why_not(const struct session *s)
{
    const struct frontd *f = s->f;
    struct peers_count n = peers_enter(f->peers, &s->ip);

    if (f->draining)
        return "shutting down";
    if (n.all > f->conf->limits.connections)
        return "too many connections";
    if (n.of_address > f->conf->limits.connections_per_ip)
        return "too many connections of this address";
    return NULL;
}

static void refuse(struct session *s, const char *why)
{
    counter_add(s->f->refused, 1);
    log_warn("front.refuse", LOG_S("remote", s->remote), LOG_S("why", why));
    if (!s->wants_tls)
        s->proto->bye(s, why);
    session_finish(s);
}

void session_accept(struct frontd *f, int fd, const struct login_proto *proto, bool implicit_tls)
{
    struct session *s = mem_type(struct session);
    struct err err = {0};

    s->f = f;
    s->proto = proto;
    s->wants_tls = implicit_tls;
    if (!take_address(s, fd)) {
        (void)close(fd); /* the peer is gone already */
        free(s);
        return;
    }
    s->client =
        conn_new(f->loop, fd, &ops, s, (struct conn_limits){FRONTD_IN_MAX, FRONTD_OUT_MAX}, &err);
    if (!s->client) {
        log_warn("front.accept", LOG_S("error", err.text));
        free(s);
        return;
    }
    list_add_tail(&f->sessions, &s->node);
    conn_deadline(s->client, f->conf->limits.seconds * UINT64_C(1000));

    const char *why = why_not(s); /* counts it, too */

    if (why) {
        refuse(s, why);
        return;
    }
    counter_add(f->accepted, 1);
    update_rights(s);
    if (implicit_tls)
        conn_start_tls(s->client, f->tls, NULL);
    else
        proto->greet(s);
}
