/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/queued/conf.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/base/num.h"

static int copy_str(const struct jv *at, const char *key, char **out, struct err *err)
{
    struct str s;

    if (jv_str(at, key, &s, err) < 0)
        return -1;
    if (s.n == 0)
        return jv_err(at, err, "'%s' is empty", key);
    *out = str_dup_c(s, err);
    return *out ? 0 : -1;
}

static int copy_opt(const struct jv *at, const char *key, char **out, struct err *err)
{
    return jv_has(at, key) ? copy_str(at, key, out, err) : 0;
}

static int take_domains(struct conf *c, const struct jv *at, struct err *err)
{
    struct jv list;

    if (jv_opt_array(at, "domains", &list, err) < 0)
        return -1;
    c->domains = mem_array(jv_n(&list) + 1, sizeof(c->domains[0]));
    for (size_t i = 0; i < jv_n(&list); i++) {
        struct jv e = jv_elem(&list, i);
        struct str s;

        if (jv_as_str(&e, &s, err) < 0)
            return -1;
        c->domains[c->domains_n] = str_dup_c(s, err);
        if (!c->domains[c->domains_n++])
            return -1;
    }
    return 0;
}

/* "HOST", "HOST:PORT", "[ADDRESS]:PORT"; an IPv6 address alone needs its brackets. */
static int take_host(const struct jv *at, struct str s, struct conf_host *h, struct err *err)
{
    struct str host = s;
    struct str port;
    uint32_t n = 25;

    if (str_rfind(s, ':') > str_rfind(s, ']')) {
        (void)str_rcut(s, ':', &host, &port); /* there is one */
        if (num_parse_u32(port, 1, 65535, &n, err) < 0)
            return jv_err(at, err, "'%.*s' does not end in a port", STR_ARG(s));
    }
    if (str_starts(host, STR("[")) && str_ends(host, STR("]")))
        host = str_sub(host, 1, host.n - 2);
    if (host.n == 0)
        return jv_err(at, err, "no host in '%.*s'", STR_ARG(s));
    h->port = (uint16_t)n;
    h->host = str_dup_c(host, err);
    return h->host ? 0 : -1;
}

static int take_route(const struct jv *at, struct conf_host *h, struct err *err)
{
    struct str s;

    h->domain = mem_dup_c(at->key);
    if (jv_as_str(at, &s, err) < 0)
        return -1;
    if (!str_starts(s, STR("smtp://")))
        return jv_err(at, err, "expected smtp://HOST[:PORT], found '%.*s'", STR_ARG(s));
    s = str_skip(s, 7);
    if (str_ends(s, STR("/")))
        s.n--;
    return take_host(at, s, h, err);
}

static int take_routes(struct conf *c, const struct jv *at, struct err *err)
{
    struct jv obj;
    struct jv m;
    void *it = NULL;

    if (jv_opt_object(at, "routes", &obj, err) < 0)
        return -1;
    c->routes = mem_array(jv_n(&obj) + 1, sizeof(c->routes[0]));
    while (jv_n(&obj) && jv_next(&obj, &it, &m)) {
        if (take_route(&m, &c->routes[c->routes_n++], err) < 0)
            return -1;
    }
    return 0;
}

static int take_relay(struct conf *c, const struct jv *at, struct err *err)
{
    static const char *const keys[] = {"host", "port", "user", "password", "ca", NULL};
    struct jv relay;
    int64_t port;

    if (jv_opt_object(at, "relay", &relay, err) < 0)
        return -1;
    if (!relay.v)
        return 0;
    if (jv_only(&relay, keys, err) < 0 || copy_str(&relay, "host", &c->relay.host, err) < 0 ||
        jv_opt_int(&relay, "port", (struct jv_range){1, 65535}, 587, &port, err) < 0 ||
        copy_opt(&relay, "user", &c->user, err) < 0 ||
        copy_opt(&relay, "password", &c->password, err) < 0 ||
        copy_opt(&relay, "ca", &c->ca, err) < 0)
        return -1;
    c->relay.port = (uint16_t)port;
    if (!c->user != !c->password)
        return jv_err(&relay, err, "user and password belong together");
    return 0;
}

static int take_retry(struct conf *c, const struct jv *at, struct err *err)
{
    static const char *const keys[] = {"first_s", "max_s", "give_up_s", NULL};
    const struct jv_range range = {0, CONF_TIME_MAX};
    struct jv retry;

    if (jv_opt_object(at, "retry", &retry, err) < 0)
        return -1;
    if (retry.v && jv_only(&retry, keys, err) < 0)
        return -1;
    if (jv_opt_int(&retry, "first_s", range, 60, &c->first_s, err) < 0 ||
        jv_opt_int(&retry, "max_s", range, 14400, &c->max_s, err) < 0 ||
        jv_opt_int(&retry, "give_up_s", range, 432000, &c->give_up_s, err) < 0)
        return -1;
    /* "At once" is the next second: a server that refuses at once must not be asked in a circle. */
    c->first_s = c->first_s ? c->first_s : 1;
    c->max_s = c->max_s ? c->max_s : 1;
    return c->max_s < c->first_s ? jv_err(&retry, err, "max_s is less than first_s") : 0;
}

static int take_limits(struct conf *c, const struct jv *at, struct err *err)
{
    static const char *const keys[] = {"senders", "per_domain", NULL};
    const struct jv_range range = {1, CONF_COUNT_MAX};
    struct jv limits;
    int64_t senders;
    int64_t per_domain;

    if (jv_opt_object(at, "limits", &limits, err) < 0)
        return -1;
    if (limits.v && jv_only(&limits, keys, err) < 0)
        return -1;
    if (jv_opt_int(&limits, "senders", range, 8, &senders, err) < 0 ||
        jv_opt_int(&limits, "per_domain", range, 4, &per_domain, err) < 0)
        return -1;
    c->senders = (unsigned)senders;
    c->per_domain = (unsigned)per_domain;
    return 0;
}

static int take_sockets(struct conf *c, const struct jv *at, struct err *err)
{
    static const char *const keys[] = {"dns", "lmtp", NULL};
    struct jv sockets;

    if (jv_opt_object(at, "sockets", &sockets, err) < 0)
        return -1;
    if (!sockets.v)
        return 0;
    if (jv_only(&sockets, keys, err) < 0 || copy_opt(&sockets, "dns", &c->dns, err) < 0)
        return -1;
    return copy_opt(&sockets, "lmtp", &c->lmtp, err);
}

static int load(struct conf *c, const struct jv *at, struct err *err)
{
    static const char *const keys[] = {"hostname", "log_level", "listen",  "spool",
                                       "domains",  "routes",    "relay",   "port",
                                       "retry",    "limits",    "sockets", NULL};
    int64_t port;

    if (jv_is_object(at, err) < 0 || jv_only(at, keys, err) < 0 ||
        copy_str(at, "hostname", &c->hostname, err) < 0 ||
        copy_str(at, "spool", &c->spool, err) < 0 ||
        jv_opt_int(at, "port", (struct jv_range){1, 65535}, 25, &port, err) < 0)
        return -1;
    c->port = (uint16_t)port;
    if (take_domains(c, at, err) < 0 || take_routes(c, at, err) < 0 || take_relay(c, at, err) < 0 ||
        take_retry(c, at, err) < 0 || take_limits(c, at, err) < 0)
        return -1;
    return take_sockets(c, at, err);
}

int conf_load(struct conf *c, const struct jv *at, struct err *err)
{
    struct conf made = {0};

    if (load(&made, at, err) < 0) {
        conf_done(&made);
        return -1;
    }
    *c = made;
    return 0;
}

static void host_done(struct conf_host *h)
{
    free(h->domain);
    free(h->host);
}

void conf_done(struct conf *c)
{
    for (size_t i = 0; i < c->domains_n; i++)
        free(c->domains[i]);
    for (size_t i = 0; i < c->routes_n; i++)
        host_done(&c->routes[i]);
    host_done(&c->relay);
    free(c->domains);
    free(c->routes);
    free(c->hostname);
    free(c->spool);
    free(c->user);
    if (c->password)
        explicit_bzero(c->password, strlen(c->password));
    free(c->password);
    free(c->ca);
    free(c->dns);
    free(c->lmtp);
    *c = (struct conf){0};
}

bool conf_is_ours(const struct conf *c, struct str domain)
{
    for (size_t i = 0; i < c->domains_n; i++) {
        if (str_ieq_c(domain, c->domains[i]))
            return true;
    }
    return false;
}
