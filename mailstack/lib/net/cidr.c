/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/net/cidr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/num.h"

#define MAPPED_BITS 96

static void map_v4(const struct in_addr *v4, struct in6_addr *out)
{
    memset(out, 0, sizeof(*out));
    out->s6_addr[10] = 0xff;
    out->s6_addr[11] = 0xff;
    memcpy(&out->s6_addr[12], v4, sizeof(*v4));
}

static unsigned bit(const struct in6_addr *a, unsigned i)
{
    return (unsigned)a->s6_addr[i / 8] >> (7 - i % 8) & 1u;
}

int cidr_parse(struct str s, struct cidr *out, struct err *err)
{
    char text[CIDR_TEXT_MAX];
    struct str host = s;
    struct str length = STR_NONE;
    struct in_addr v4;
    struct cidr c;
    uint32_t bits = 128;
    unsigned most = 128;

    (void)str_cut(s, '/', &host, &length);
    if (host.n == 0 || host.n >= sizeof(text) || str_has_nul(host))
        return err_set(err, 0, "'%.*s' is not a network like '192.0.2.0/24'", STR_ARG(s));
    memcpy(text, host.p, host.n);
    text[host.n] = '\0';
    if (inet_pton(AF_INET, text, &v4) == 1) {
        map_v4(&v4, &c.net);
        most = 32;
    } else if (inet_pton(AF_INET6, text, &c.net) != 1) {
        return err_set(err, 0, "'%.*s' is not a network like '192.0.2.0/24'", STR_ARG(s));
    }
    if (length.p && num_parse_u32(length, 0, most, &bits, err) < 0)
        return err_wrap(err, "prefix length of '%.*s'", STR_ARG(s));
    c.bits = length.p ? bits + (most == 32 ? MAPPED_BITS : 0) : 128;
    for (unsigned i = c.bits; i < 128; i++) {
        if (bit(&c.net, i))
            return err_set(err, 0, "'%.*s' has bits set behind its prefix", STR_ARG(s));
    }
    *out = c;
    return 0;
}

bool cidr_has(const struct cidr *c, const struct in6_addr *a)
{
    for (unsigned i = 0; i < c->bits; i++) {
        if (bit(&c->net, i) != bit(a, i))
            return false;
    }
    return true;
}

bool cidr_addr(const struct sockaddr_storage *a, struct in6_addr *out)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (a->ss_family == AF_INET) {
        memcpy(&v4, a, sizeof(v4));
        map_v4(&v4.sin_addr, out);
        return true;
    }
    if (a->ss_family != AF_INET6)
        return false;
    memcpy(&v6, a, sizeof(v6));
    *out = v6.sin6_addr;
    return true;
}
