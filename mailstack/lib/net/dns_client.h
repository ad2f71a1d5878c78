/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns_client - asking dnsd from an event loop
 *
 * Each question is embedded in its asker's object and answered once through its callback, from the
 * loop, never from within the asking call. One connection to dnsd, made when first needed and again
 * after it broke; what was under way then, and what waits longer than it may, is answered DNS_TEMP.
 *
 * Lifetime:  the client outlives its questions; dns_client_cancel before a question's memory goes.
 * Limits:    DNS_CLIENT_PENDING_MAX questions at once (dnsd reads no more of one connection).
 * Tests:     tests/unit/mailstack/lib/net/test_dns_client.c
 */
#ifndef MR_NET_DNS_CLIENT_H
#define MR_NET_DNS_CLIENT_H

#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/list.h"
#include "runtime/base/loop.h"
#include "runtime/base/str.h"

#include "mailstack/lib/net/dns.h"

struct dns_client;

#define DNS_CLIENT_PENDING_MAX 1024

struct dns_question {
    void (*fn)(struct dns_question *q, const struct dns_answer *a); /* a: until fn returns */
    struct dns_client *client; /* not NULL while under way; start with it NULL */
    struct list node;
    struct loop_timer timer;
    struct loop_call refuse;
    enum dns_type type;
    uint16_t id;
};

must_check struct dns_client *dns_client_new(struct loop *l, const char *path);
void dns_client_free(struct dns_client *c); /* questions under way are dropped, unanswered */

void dns_client_ask(struct dns_client *c, struct dns_question *q, struct str name,
                    enum dns_type type, uint32_t timeout_ms);
void dns_client_cancel(struct dns_question *q); /* harmless if it is not under way */

/* "2.0.0.192.in-addr.arpa", "...ip6.arpa" of 4 or 16 raw bytes. */
#define DNS_REVERSE_MAX 80
void dns_reverse_name(const unsigned char *addr, size_t n, char out[DNS_REVERSE_MAX]);

#endif
