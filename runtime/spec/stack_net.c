/* SPDX-License-Identifier: Apache-2.0 */
/* listen, dns, routes: what has to do with addresses */

#include "runtime/base/arena.h"
#include "runtime/base/dialmsg.h"
#include "runtime/base/err.h"
#include "runtime/base/num.h"
#include "runtime/spec/stack_field.h"

const char *const stack_port_names[STACK_PORTS + 1] = {"smtp",  "submission", "submissions", "imap",
                                                       "imaps", "pop3",       "pop3s",       NULL};

static const char *const standard_listen[STACK_PORTS] = {":25",  ":587", ":465", ":143",
                                                         ":993", ":110", ":995"};

/* "HOST:PORT", "[V6]:PORT"; the host may be empty. */
static int split_port(struct str s, struct str *host, uint16_t *port, struct err *err)
{
    struct str h;
    struct str p;
    uint32_t n = 0;

    if (!str_rcut(s, ':', &h, &p))
        return err_set(err, 0, "'%.*s' has no port, as in 127.0.0.1:25 or [::1]:25", STR_ARG(s));
    if (num_parse_u32(p, 1, 65535, &n, err) < 0)
        return err_wrap(err, "port of '%.*s'", STR_ARG(s));
    if (h.n >= 2 && h.p[0] == '[' && h.p[h.n - 1] == ']')
        h = str_sub(h, 1, h.n - 2);
    *host = h;
    *port = (uint16_t)n;
    return 0;
}

static void add_addr(struct stack_listen *l, const char *text, const struct sockaddr_storage *sa,
                     bool optional)
{
    l->v[l->n++] = (struct stack_addr){.text = text, .sa = *sa, .optional = optional};
}

static int add_text(struct stack_field *f, struct stack_listen *l, const char *text,
                    struct err *err)
{
    struct sockaddr_storage sa = {0};
    struct str host;
    uint16_t port = 0;

    if (l->n + 2 > STACK_LISTEN_MAX)
        return err_set(err, 0, "more than %d addresses", STACK_LISTEN_MAX - 1);
    if (split_port(str_of(text), &host, &port, err) < 0)
        return -1;
    if (host.n) {
        if (dialmsg_parse_addr(host, port, &sa, err) < 0)
            return -1;
        add_addr(l, text, &sa, false);
        return 0;
    }
    if (dialmsg_parse_addr(STR("0.0.0.0"), port, &sa, err) < 0)
        return -1;
    add_addr(l, arena_printf(f->a, "0.0.0.0:%u", (unsigned)port), &sa, false);
    if (dialmsg_parse_addr(STR("::"), port, &sa, err) < 0)
        return -1;
    add_addr(l, arena_printf(f->a, "[::]:%u", (unsigned)port), &sa, true);
    return 0;
}

void stack_load_listen(struct stack_field *f, const struct jv *root, struct stack_config *c)
{
    struct jv obj = stack_obj(f, root, "listen");
    struct err err = {0};

    if (!jv_has(root, "listen")) {
        for (size_t i = 0; i < STACK_PORTS; i++)
            (void)add_text(f, &c->listen[i], standard_listen[i], &err); /* a constant: it parses */
        return;
    }
    stack_only(f, &obj, stack_port_names);
    for (size_t i = 0; i < STACK_PORTS; i++) {
        struct jv list = stack_arr(f, &obj, stack_port_names[i]);

        for (size_t k = 0; k < stack_n(f, &list); k++) {
            struct jv e = jv_elem(&list, k);
            const char *text = stack_as_text(f, &e);

            if (text && add_text(f, &c->listen[i], text, &err) < 0)
                stack_complain_at(f, &e, "%s", err.text);
        }
    }
}

static void load_servers(struct stack_field *f, const struct jv *at, struct stack_dns *d)
{
    struct jv list = stack_arr(f, at, "servers");

    d->servers = stack_texts(f, at, "servers");
    if (d->servers.n > STACK_SERVERS_MAX)
        stack_complain_at(f, &list, "more than %d servers", STACK_SERVERS_MAX);
    d->server_sa = arena_array(f->a, d->servers.n + 1, sizeof(*d->server_sa));
    for (size_t i = 0; i < d->servers.n && i < jv_n(&list); i++) {
        struct jv e = jv_elem(&list, i);
        struct str s = str_of(d->servers.v[i]);
        struct str host = s;
        uint16_t port = 53;
        struct err err = {0};
        bool has_port = s.n && (s.p[0] == '[' || str_find(s, ':') == str_rfind(s, ':')) &&
                        str_find(s, ':') >= 0;

        if ((has_port && split_port(s, &host, &port, &err) < 0) ||
            dialmsg_parse_addr(host, port, &d->server_sa[i], &err) < 0)
            stack_complain_at(f, &e, "%s", err.text);
    }
}

static bool server_is_loopback(const struct sockaddr_storage *sa)
{
    struct stack_net v4 = {.family = AF_INET, .addr = {127}, .bits = 8};
    struct stack_net v6 = {.family = AF_INET6, .addr = {[15] = 1}, .bits = 128};

    return stack_net_has(&v4, sa) || stack_net_has(&v6, sa);
}

/* dnsd's own network namespace has IPv4 only and a loopback of its own. */
static void check_servers(struct stack_field *f, const struct jv *dns, const struct stack_dns *d)
{
    for (size_t i = 0; d->mode == STACK_DNS_OWN && i < d->servers.n; i++) {
        if (server_is_loopback(&d->server_sa[i]))
            stack_complain_at(f, dns,
                              "server '%s' cannot be reached from dnsd's own network: set "
                              "\"network\" to \"host\"",
                              d->servers.v[i]);
        else if (d->server_sa[i].ss_family == AF_INET6)
            stack_complain_at(f, dns,
                              "server '%s' is IPv6, but dnsd's own network has IPv4: set "
                              "\"network\" to \"host\"",
                              d->servers.v[i]);
    }
}

void stack_load_dns(struct stack_field *f, const struct jv *root, struct stack_config *c)
{
    static const char *const keys[] = {"servers", "dnssec", "cache", "network", NULL};
    struct jv at = stack_obj(f, root, "dns");
    struct stack_dns *d = &c->dns;
    const char *network;
    struct err err = {0};

    stack_only(f, &at, keys);
    d->dnssec = stack_flag(f, &at, "dnssec", true);
    d->cache = stack_size(f, &at, "cache", 4U << 20, (uint64_t)4 << 30);
    network = stack_text(f, &at, "network", "own");
    if (str_eq_c(STR("host"), network)) {
        d->mode = STACK_DNS_HOST;
    } else if (!str_eq_c(STR("own"), network)) {
        d->network_set = true;
        if (stack_net_parse(str_of(network), &d->network, &err) < 0 ||
            d->network.family != AF_INET || d->network.bits != 30)
            stack_complain_at(f, &at,
                              "network '%s': expected \"own\", \"host\" or an IPv4 network of four "
                              "addresses (10.98.7.0/30)",
                              network);
    }
    load_servers(f, &at, d);
    check_servers(f, &at, d);
}

static int load_route(struct stack_field *f, const char *url, struct stack_route *r,
                      struct err *err)
{
    struct str rest = str_of(url);
    struct str host;

    if (!str_starts(rest, STR("smtp://")))
        return err_set(err, 0, "'%s' does not begin with smtp://", url);
    rest = str_skip(rest, 7);
    if (str_ends(rest, STR("/")))
        rest.n--;
    r->port = 25;
    host = rest;
    if (rest.n && (str_rfind(rest, ':') > str_rfind(rest, ']')) &&
        split_port(rest, &host, &r->port, err) < 0)
        return -1;
    if (host.n >= 2 && host.p[0] == '[')
        host = str_sub(host, 1, host.n - 2);
    else if (stack_domain_is_sound(host, err) < 0)
        return -1;
    r->url = url;
    r->host = arena_copy(f->a, host);
    return 0;
}

void stack_load_routes(struct stack_field *f, const struct jv *smtp, struct stack_config *c)
{
    struct jv obj = stack_obj(f, smtp, "routes");
    size_t n = stack_n(f, &obj);
    void *it = NULL;
    struct jv m;

    c->smtp.routes = arena_array(f->a, n + 1, sizeof(*c->smtp.routes));
    while (n && jv_next(&obj, &it, &m)) {
        struct stack_route *r = &c->smtp.routes[c->smtp.routes_n];
        const char *url = stack_as_text(f, &m);
        struct err err = {0};

        if (!url)
            continue;
        r->domain = stack_lower(f, m.key);
        if (load_route(f, url, r, &err) < 0 ||
            (!str_eq_c(STR("*"), r->domain) && stack_domain_is_sound(str_of(r->domain), &err) < 0))
            stack_complain_at(f, &m, "%s", err.text);
        else
            c->smtp.routes_n++;
    }
}
