/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/smtpd/peers.h"

#include <stdlib.h>

#include "runtime/base/map.h"
#include "runtime/base/mem.h"

#include "mailstack/smtpd/smtpd.h"

struct count {
    size_t n;
};

static struct str key(const struct in6_addr *ip)
{
    return (struct str){(const char *)ip->s6_addr, sizeof(ip->s6_addr)};
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
