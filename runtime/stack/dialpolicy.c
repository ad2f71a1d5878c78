/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/stack/dialpolicy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/dialmsg.h"
#include "runtime/base/err.h"

/* IANA's special-purpose registries, as far as they are not globally reachable. */
static const struct {
    struct stack_net net;
    const char *why;
} forbidden[] = {
    {{.family = AF_INET, .addr = {0}, .bits = 8}, "not a destination"},
    {{.family = AF_INET, .addr = {10}, .bits = 8}, "a private network"},
    {{.family = AF_INET, .addr = {100, 64}, .bits = 10}, "shared address space"},
    {{.family = AF_INET, .addr = {127}, .bits = 8}, "the loopback"},
    {{.family = AF_INET, .addr = {169, 254}, .bits = 16}, "link-local"},
    {{.family = AF_INET, .addr = {172, 16}, .bits = 12}, "a private network"},
    {{.family = AF_INET, .addr = {192, 0, 0}, .bits = 24}, "a protocol assignment"},
    {{.family = AF_INET, .addr = {192, 0, 2}, .bits = 24}, "a documentation network"},
    {{.family = AF_INET, .addr = {192, 168}, .bits = 16}, "a private network"},
    {{.family = AF_INET, .addr = {198, 18}, .bits = 15}, "a benchmarking network"},
    {{.family = AF_INET, .addr = {198, 51, 100}, .bits = 24}, "a documentation network"},
    {{.family = AF_INET, .addr = {203, 0, 113}, .bits = 24}, "a documentation network"},
    {{.family = AF_INET, .addr = {224}, .bits = 4}, "multicast"},
    {{.family = AF_INET, .addr = {240}, .bits = 4}, "reserved"},
};

/* Of IPv6, global unicast is 2000::/3; in it, these are not what they seem. */
static const struct stack_net global6 = {.family = AF_INET6, .addr = {0x20}, .bits = 3};
static const struct stack_net special6[] = {
    {.family = AF_INET6, .addr = {0x20, 0x01, 0x0d, 0xb8}, .bits = 32}, /* documentation */
    {.family = AF_INET6, .addr = {0x20, 0x01}, .bits = 23},             /* protocol assignments */
    {.family = AF_INET6, .addr = {0x20, 0x02}, .bits = 16},             /* 6to4: any IPv4 inside */
};

static uint16_t port_of(const struct sockaddr_storage *sa)
{
    const struct sockaddr_in *in4 = (const void *)sa;
    const struct sockaddr_in6 *in6 = (const void *)sa;

    return ntohs(sa->ss_family == AF_INET ? in4->sin_port : in6->sin6_port);
}

/* The address as a network of one, IPv4-mapped ones as IPv4. */
static struct stack_net only(const struct sockaddr_storage *sa)
{
    const struct sockaddr_in *in4 = (const void *)sa;
    const struct sockaddr_in6 *in6 = (const void *)sa;
    struct stack_net n = {.family = AF_INET, .bits = 32};

    if (sa->ss_family == AF_INET) {
        memcpy(n.addr, &in4->sin_addr, 4);
    } else if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
        memcpy(n.addr, in6->sin6_addr.s6_addr + 12, 4);
    } else {
        n.family = AF_INET6;
        n.bits = 128;
        memcpy(n.addr, &in6->sin6_addr, 16);
    }
    return n;
}

static void add_port(struct dialpolicy *p, uint16_t port)
{
    for (size_t i = 0; i < p->ports_n; i++)
        if (p->ports[i] == port)
            return;
    if (p->ports_n < SVC_DIAL_MAX)
        p->ports[p->ports_n++] = port;
}

static void add_named(struct dialpolicy *p, const char *host, uint16_t port)
{
    struct err not_literal = {0};

    add_port(p, port);
    if (dialmsg_parse_addr(str_of(host), port, &p->named[p->named_n], &not_literal) == 0)
        p->named_n++;
}

void dialpolicy_make(struct arena *a, const struct stack_config *c, const struct svc *s,
                     struct dialpolicy *out)
{
    *out = (struct dialpolicy){
        .allow = c->dial_allow,
        .named = arena_array(a, c->smtp.routes_n + 1, sizeof(struct sockaddr_storage))};
    for (size_t i = 0; i < s->dial_n; i++)
        add_port(out, s->dial[i]);
    add_port(out, c->smtp.port);
    for (size_t i = 0; i < c->smtp.routes_n; i++)
        add_named(out, c->smtp.routes[i].host, c->smtp.routes[i].port);
    if (c->smtp.relay.set)
        add_named(out, c->smtp.relay.host, c->smtp.relay.port);
}

static const char *refuse6(const struct sockaddr_storage *to)
{
    if (!stack_net_has(&global6, to))
        return "not a public address";
    for (size_t i = 0; i < ARRAY_N(special6); i++)
        if (stack_net_has(&special6[i], to))
            return "not a public address";
    return NULL;
}

const char *dialpolicy_refuses(const struct dialpolicy *p, const struct sockaddr_storage *to,
                               const struct sockaddr_storage *own, size_t own_n)
{
    bool port_ok = false;

    for (size_t i = 0; i < p->ports_n; i++)
        port_ok = port_ok || p->ports[i] == port_of(to);
    if (!port_ok)
        return "the port is not in the service's row";
    for (size_t i = 0; i < p->named_n; i++) {
        struct stack_net named = only(&p->named[i]);

        if (stack_net_has(&named, to) && port_of(&p->named[i]) == port_of(to))
            return NULL;
    }
    if (stack_nets_have(&p->allow, to))
        return NULL;
    for (size_t i = 0; i < own_n; i++) {
        struct stack_net mine = only(&own[i]);

        if (stack_net_has(&mine, to))
            return "an address of this host";
    }
    for (size_t i = 0; i < ARRAY_N(forbidden); i++)
        if (stack_net_has(&forbidden[i].net, to))
            return forbidden[i].why;
    return only(to).family == AF_INET6 ? refuse6(to) : NULL;
}
