/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolver - libunbound on the event loop: a question in, a DNS message out
 *
 * Recursive from the root by itself, or forwarding to servers; validating against the root's key;
 * caching. What is bogus comes as SERVFAIL, what was validated has the AD bit.
 *
 * Tests:     tests/mail/test_dnsd.py
 */
#ifndef MR_DNSD_RESOLVER_H
#define MR_DNSD_RESOLVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct err;
struct loop;
struct resolver;

#define RESOLVER_SERVERS_MAX 16

struct resolver_conf {
    char *servers[RESOLVER_SERVERS_MAX]; /* "192.0.2.53" or "192.0.2.53:5353"; none: recursive */
    size_t servers_n;
    bool dnssec;
    char *root_key; /* a file of DS or DNSKEY records in zone file format */
    uint64_t cache; /* bytes */
};

/* The answer: a message whose id, RD and CD bits are not those of the question; until fn returns.
 * Empty with rcode where there is none. */
struct resolver_answer {
    int rcode;
    struct str message;
    bool secure;
    const char *why_bogus; /* NULL unless it is */
};

typedef void resolver_fn(void *ctx, const struct resolver_answer *a);

must_check struct resolver *resolver_new(struct loop *l, const struct resolver_conf *conf,
                                         struct err *err);
void resolver_free(
    struct resolver *r); /* once the questions under way are answered; NULL is fine */

/* Answers once through fn, perhaps from within the call. */
struct resolver_question {
    const char *name; /* as dns_msg.h writes it */
    uint16_t type;
    resolver_fn *fn;
    void *ctx;
};

void resolver_ask(struct resolver *r, const struct resolver_question *q);

#endif
