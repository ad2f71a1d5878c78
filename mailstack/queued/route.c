/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/queued/route.h"

#include <errno.h>
#include <idn2.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/base/err.h"
#include "runtime/base/own.h"

#include "mailstack/queued/conf.h"

static const char *const names[] = {
    [ROUTE_LMTP] = "lmtp",
    [ROUTE_HOST] = "host",
    [ROUTE_RELAY] = "relay",
    [ROUTE_MX] = "mx",
};

static int finish(struct route *r, enum route_kind kind, const char *host, uint16_t port)
{
    *r = (struct route){.kind = kind, .port = port};
    (void)snprintf(r->host, sizeof(r->host), "%s", host); /* checked by the callers */
    if (kind == ROUTE_HOST)
        (void)snprintf(r->key, sizeof(r->key), "%s:%s:%u", names[kind], r->host, port);
    else
        (void)snprintf(r->key, sizeof(r->key), "%s:%s", names[kind], r->host);
    return 0;
}

/* As the DNS has it: "straße.example" becomes "xn--strae-oqa.example". */
static int to_ascii(struct str domain, char out[ROUTE_HOST_MAX + 1], struct err *err)
{
    own_free char *copy = str_dup_c(domain, err);
    uint8_t *made = NULL;
    int rc;

    if (!copy)
        return -1;
    if (domain.n == 0 || domain.n > ROUTE_HOST_MAX)
        return err_set(err, EINVAL, "a domain of %zu bytes", domain.n);
    if (str_is_ascii(domain)) {
        for (size_t i = 0; i <= domain.n; i++)
            out[i] = ascii_lower(copy[i]);
        return 0;
    }
    rc = idn2_lookup_u8((const uint8_t *)copy, &made, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    if (rc != IDN2_OK)
        return err_set(err, EINVAL, "'%s' is no domain: %s", copy, idn2_strerror(rc));
    int n = snprintf(out, ROUTE_HOST_MAX + 1, "%s", (const char *)made);

    idn2_free(made);
    return n <= ROUTE_HOST_MAX ? 0 : err_set(err, EINVAL, "'%s' is too long", copy);
}

static const struct conf_host *find_route(const struct conf *c, struct str domain,
                                          const char *ascii)
{
    const struct conf_host *other = NULL;

    for (size_t i = 0; i < c->routes_n; i++) {
        if (str_ieq_c(domain, c->routes[i].domain) || str_ieq_c(str_of(ascii), c->routes[i].domain))
            return &c->routes[i];
        if (str_eq_c(STR("*"), c->routes[i].domain))
            other = &c->routes[i];
    }
    return other;
}

/* "[192.0.2.1]", "[IPv6:2001:db8::1]" */
static int literal(const struct conf *c, struct str domain, struct route *out, struct err *err)
{
    char host[ROUTE_HOST_MAX + 1];
    struct str s = str_sub(domain, 1, domain.n - 2);

    if (str_istarts(s, STR("IPv6:")))
        s = str_skip(s, 5);
    if (s.n == 0 || s.n > ROUTE_HOST_MAX)
        return err_set(err, EINVAL, "a bad address literal");
    (void)snprintf(host, sizeof(host), "%.*s", STR_ARG(s)); /* fits */
    return finish(out, ROUTE_HOST, host, c->port);
}

int route_find(const struct conf *c, struct str domain, struct route *out, struct err *err)
{
    bool is_literal = domain.n > 2 && domain.p[0] == '[' && domain.p[domain.n - 1] == ']';
    char ascii[ROUTE_HOST_MAX + 1];
    const struct conf_host *route;

    if (to_ascii(domain, ascii, err) < 0)
        return -1;
    if (conf_is_ours(c, domain) || conf_is_ours(c, str_of(ascii)))
        return finish(out, ROUTE_LMTP, "", 0);
    route = find_route(c, domain, ascii);
    if (route)
        return finish(out, ROUTE_HOST, route->host, route->port);
    if (c->relay.host)
        return finish(out, ROUTE_RELAY, c->relay.host, c->relay.port);
    return is_literal ? literal(c, domain, out, err) : finish(out, ROUTE_MX, ascii, c->port);
}
