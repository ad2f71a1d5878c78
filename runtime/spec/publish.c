/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/spec/publish.h"

#include <arpa/inet.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/num.h"

static int get_protocol(struct str *s, struct publish *out, struct err *err)
{
    struct str name;

    if (!str_rcut(*s, '/', s, &name) || str_eq_c(name, "tcp"))
        return 0;
    out->udp = str_eq_c(name, "udp");
    return out->udp ? 0
                    : err_set(err, 0, "expected 'tcp' or 'udp' after the '/', found '%.*s'",
                              STR_ARG(str_head(name, 16)));
}

static int get_port(struct str s, const char *whose, uint16_t *out, struct err *err)
{
    uint32_t v = 0;

    if (num_parse_u32(s, 1, UINT16_MAX, &v, err) < 0)
        return err_wrap(err, "the port of the %s", whose);
    *out = (uint16_t)v;
    return 0;
}

/* In one form, whichever it was written in. */
static int get_address(struct str s, struct publish *out, struct err *err)
{
    bool bracketed = str_starts(s, STR("[")) && str_ends(s, STR("]"));
    struct str bare = bracketed ? str_sub(s, 1, s.n - 2) : s;
    char text[PUBLISH_ADDRESS_MAX] = "";
    unsigned char bytes[sizeof(struct in6_addr)];
    int family = bracketed ? AF_INET6 : AF_INET;

    if (bare.n >= sizeof text || str_has_nul(bare))
        return err_set(err, 0, "expected an IPv4 address, or an IPv6 address in brackets");
    if (bare.n > 0)
        memcpy(text, bare.p, bare.n);
    if (inet_pton(family, text, bytes) != 1)
        return err_set(err, 0,
                       "expected an IPv4 address, or an IPv6 address in brackets, found '%.*s'",
                       STR_ARG(s));
    out->family = bracketed ? PUBLISH_IPV6 : PUBLISH_IPV4;
    return inet_ntop(family, bytes, out->address, sizeof out->address) != NULL
               ? 0
               : err_set(err, 0, "the address '%.*s'", STR_ARG(s));
}

static int parse(struct str s, struct publish *out, struct err *err)
{
    struct str before, container, host, address;

    if (get_protocol(&s, out, err) < 0)
        return -1;
    if (!str_rcut(s, ':', &before, &container))
        return err_set(err, 0, "expected [ADDRESS:]HOST:CONTAINER[/tcp|udp]");
    if (!str_rcut(before, ':', &address, &host))
        host = before;
    else if (get_address(address, out, err) < 0)
        return -1;
    if (get_port(host, "host", &out->host, err) < 0)
        return -1;
    return get_port(container, "container", &out->container, err);
}

int publish_parse(struct str s, struct publish *out, struct err *err)
{
    struct publish p = {.family = PUBLISH_EVERY};

    if (parse(s, &p, err) < 0)
        return -1;
    *out = p;
    return 0;
}

void publish_format(const struct publish *p, struct buf *out)
{
    if (p->family == PUBLISH_IPV6)
        buf_printf(out, "[%s]:", p->address);
    if (p->family == PUBLISH_IPV4)
        buf_printf(out, "%s:", p->address);
    buf_printf(out, "%u:%u%s", p->host, p->container, p->udp ? "/udp" : "");
}
