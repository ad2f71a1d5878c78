/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/smtpd/peers.h"

#include <stdlib.h>

#include "runtime/base/map.h"
#include "runtime/base/mem.h"

#include "mailstack/smtpd/smtpd.h"

#define V6_PREFIX_N 8

struct count {
    size_t n;
};

/* An IPv6 customer has 64 bits of addresses, and counts as one. */
static struct str key(const struct in6_addr *ip)
{
    return (struct str){(const char *)ip->s6_addr,
                        IN6_IS_ADDR_V4MAPPED(ip) ? sizeof(ip->s6_addr) : V6_PREFIX_N};
}

size_t peers_enter(struct smtpd *d, const struct in6_addr *ip)
{
    struct count *c = map_get(d->by_ip, key(ip));

    if (!c) {
        c = mem_type(struct count);
        (void)map_put(d->by_ip, key(ip), c); /* there was none */
    }
    return ++c->n;
}

void peers_leave(struct smtpd *d, const struct in6_addr *ip)
{
    struct count *c = map_get(d->by_ip, key(ip));

    if (c && --c->n == 0)
        free(map_del(d->by_ip, key(ip)));
}
