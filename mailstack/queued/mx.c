/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/queued/mx.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/dialmsg.h"
#include "runtime/base/mem.h"
#include "runtime/base/rand.h"

#include "mailstack/queued/conf.h"

enum {
    ASK_AAAA,
    ASK_A
};

static const struct {
    enum dns_type type;
    sa_family_t family;
    size_t n;
} kinds[] = {[ASK_AAAA] = {DNS_AAAA, AF_INET6, 16}, [ASK_A] = {DNS_A, AF_INET, 4}};

static void fail(struct mx *m, enum mx_result result, const char *status, const char *why)
{
    m->status = status;
    (void)snprintf(m->why, sizeof(m->why), "%s: %s", m->domain, why);
    m->fn(m, result);
}

/* --- addresses -------------------------------------------------------------------------------- */

static void add_target(struct mx *m, const char *host, sa_family_t family, const void *addr)
{
    struct sockaddr_storage ss = {.ss_family = family};
    struct sockaddr_in *in4 = (void *)&ss;
    struct sockaddr_in6 *in6 = (void *)&ss;

    if (m->targets_n == MX_TARGETS_MAX)
        return;
    if (family == AF_INET) {
        in4->sin_port = htons(m->port);
        memcpy(&in4->sin_addr, addr, 4);
    } else {
        in6->sin6_port = htons(m->port);
        memcpy(&in6->sin6_addr, addr, 16);
    }
    m->targets[m->targets_n++] = (struct mx_target){host, ss};
}

static void collect(struct mx *m)
{
    for (size_t i = 0; i < m->hosts_n; i++) {
        for (size_t k = 0; k < ARRAY_N(kinds); k++) {
            const struct mx_ask *a = &m->hosts[i].asks[k];

            for (unsigned j = 0; j < a->addrs_n; j++)
                add_target(m, m->hosts[i].name, kinds[k].family, a->addrs[j]);
        }
    }
}

static bool some_are_unknown(const struct mx *m)
{
    for (size_t i = 0; i < m->hosts_n; i++) {
        if (m->hosts[i].asks[ASK_AAAA].status == DNS_TEMP ||
            m->hosts[i].asks[ASK_A].status == DNS_TEMP)
            return true;
    }
    return false;
}

static void all_known(struct mx *m)
{
    collect(m);
    if (m->targets_n)
        m->fn(m, MX_OK);
    else if (m->is_given)
        fail(m, MX_TEMP, "4.4.4", "the configured server has no address");
    else if (some_are_unknown(m))
        fail(m, MX_TEMP, "4.4.3", "the address of its mail server cannot be found out now");
    else if (m->is_implicit)
        fail(m, MX_PERM, "5.1.2", "the domain has no mail server and no address");
    else
        fail(m, MX_PERM, "5.4.4", "none of its mail servers has an address");
}

static void on_address(struct dns_question *q, const struct dns_answer *a)
{
    struct mx_ask *ask = container_of(q, struct mx_ask, q);
    size_t n = q->type == DNS_A ? 4 : 16;

    ask->status = a->status;
    for (size_t i = 0; i < a->records_n && ask->addrs_n < MX_PER_HOST; i++) {
        if (a->records[i].text.n == n)
            memcpy(ask->addrs[ask->addrs_n++], a->records[i].text.p, n);
    }
    if (--ask->mx->waiting_n == 0)
        all_known(ask->mx);
}

static void ask_addresses(struct mx *m)
{
    m->waiting_n = m->hosts_n * ARRAY_N(kinds);
    for (size_t i = 0; i < m->hosts_n; i++) {
        for (size_t k = 0; k < ARRAY_N(kinds); k++) {
            struct mx_ask *a = &m->hosts[i].asks[k];

            a->mx = m;
            a->q.fn = on_address;
            dns_client_ask(m->dns, &a->q, str_of(m->hosts[i].name), kinds[k].type, DNS_TIMEOUT_MS);
        }
    }
}

static void only_host(struct mx *m, const char *name)
{
    m->hosts = mem_array(1, sizeof(m->hosts[0]));
    m->hosts_n = 1;
    (void)snprintf(m->hosts[0].name, sizeof(m->hosts[0].name), "%s", name); /* the same size */
    ask_addresses(m);
}

/* --- MX records ------------------------------------------------------------------------------- */

struct order {
    const struct dns_record *r;
    uint32_t chance;
};

static int by_preference(const void *pa, const void *pb)
{
    const struct order *a = pa;
    const struct order *b = pb;

    if (a->r->preference != b->r->preference)
        return a->r->preference < b->r->preference ? -1 : 1;
    return (a->chance > b->chance) - (a->chance < b->chance);
}

/* Hosts in the order to try, up to our own name. */
static void take_hosts(struct mx *m, struct order *o, size_t n)
{
    size_t end = n;

    for (size_t i = 0; i < n && end == n; i++) {
        if (!str_ieq_c(o[i].r->text, m->conf->hostname))
            continue;
        for (end = i; end > 0 && o[end - 1].r->preference == o[i].r->preference;)
            end--;
    }
    m->hosts = mem_array(MX_HOSTS_MAX, sizeof(m->hosts[0]));
    for (size_t i = 0; i < end && m->hosts_n < MX_HOSTS_MAX; i++) {
        struct mx_host *h = &m->hosts[m->hosts_n];

        if (o[i].r->text.n == 0 || o[i].r->text.n > ROUTE_HOST_MAX)
            continue;
        (void)snprintf(h->name, sizeof(h->name), "%.*s", STR_ARG(o[i].r->text));
        h->preference = o[i].r->preference;
        m->hosts_n++;
    }
    if (m->hosts_n)
        ask_addresses(m);
    else if (end < n)
        fail(m, MX_PERM, "5.4.6", "its mail server is this one, which does not take its mail");
    else
        fail(m, MX_PERM, "5.4.4", "its MX records name no server");
}

static void take_records(struct mx *m, const struct dns_answer *a)
{
    struct order *o;

    if (a->records_n == 1 && a->records[0].text.n == 0) {
        fail(m, MX_PERM, "5.1.10", "the domain accepts no mail (null MX)");
        return;
    }
    o = mem_array(a->records_n + 1, sizeof(*o));
    for (size_t i = 0; i < a->records_n; i++)
        o[i] = (struct order){&a->records[i], (uint32_t)rand_u64()};
    qsort(o, a->records_n, sizeof(*o), by_preference);
    take_hosts(m, o, a->records_n);
    free(o);
}

static void on_mx(struct dns_question *q, const struct dns_answer *a)
{
    struct mx *m = container_of(q, struct mx_ask, q)->mx;

    switch (a->status) {
    case DNS_OK:
        take_records(m, a);
        return;
    case DNS_NODATA:
        m->is_implicit = true;
        only_host(m, m->domain);
        return;
    case DNS_NXDOMAIN:
        fail(m, MX_PERM, "5.1.2", "there is no such domain");
        return;
    case DNS_TEMP:
        fail(m, MX_TEMP, "4.4.3", "its mail servers cannot be found out now");
        return;
    }
}

/* --- the interface ---------------------------------------------------------------------------- */

static bool is_numeric(struct mx *m, const char *host)
{
    struct sockaddr_storage ss;
    struct err not_numeric = {0};

    if (dialmsg_parse_addr(str_of(host), m->port, &ss, &not_numeric) < 0)
        return false;
    m->targets[m->targets_n++] = (struct mx_target){"", ss};
    return true;
}

void mx_start(struct mx *m, const struct route *r)
{
    m->port = r->port;
    (void)snprintf(m->domain, sizeof(m->domain), "%s", r->host); /* the same size */
    if (r->kind != ROUTE_MX && is_numeric(m, r->host)) {
        m->fn(m, MX_OK);
    } else if (!m->dns) {
        fail(m, MX_TEMP, "4.3.5", "no resolver is configured");
    } else if (r->kind != ROUTE_MX) {
        m->is_given = true;
        only_host(m, r->host);
    } else {
        m->first.mx = m;
        m->first.q.fn = on_mx;
        dns_client_ask(m->dns, &m->first.q, str_of(m->domain), DNS_MX, DNS_TIMEOUT_MS);
    }
}

void mx_cancel(struct mx *m)
{
    dns_client_cancel(&m->first.q);
    for (size_t i = 0; i < m->hosts_n; i++) {
        dns_client_cancel(&m->hosts[i].asks[ASK_AAAA].q);
        dns_client_cancel(&m->hosts[i].asks[ASK_A].q);
    }
}

void mx_done(struct mx *m)
{
    mx_cancel(m);
    free(m->hosts);
    m->hosts = NULL;
    m->hosts_n = 0;
    m->targets_n = 0;
}
