/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lookup - the DNS answers one message needs, asked for as they turn out to be needed
 *
 * SPF and DMARC are chains of questions in which each answer decides on the next. They are written
 * as plain sequential code that is run again from the start whenever an answer has come: what is
 * known is at hand, what is not yet known is noted, and the code leaves with "pending". Everything
 * noted in one run is asked for at once. So no worker waits, the code holds no state between runs,
 * and a test answers from a table.
 *
 * Lifetime:  in the message's arena; lookup_cancel before that goes.
 * Limits:    LOOKUP_MAX questions a message; further ones are answered "temporary failure".
 *            Nothing waits longer than until the deadline.
 * Tests:     tests/unit/mailstack/filterd/test_lookup.c
 */
#ifndef MR_FILTERD_LOOKUP_H
#define MR_FILTERD_LOOKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/list.h"
#include "runtime/base/str.h"

#include "mailstack/lib/net/dns_client.h"

struct arena;

/* SPF: 10 terms, of which an mx has 10 hosts; then keys and policies. */
#define LOOKUP_MAX 200

struct lookup;

struct lookup_entry {
    struct list node;
    struct lookup *all;
    struct str name; /* lower case, without the final dot */
    enum dns_type type;
    bool known;
    struct dns_question question;
    struct dns_answer answer;
};

struct lookup {
    struct arena *arena;
    struct list entries;
    size_t n;
    size_t waiting_n;                   /* asked, and not answered */
    void (*answered)(struct lookup *l); /* after each answer, from the loop */
    void *ctx;
};

void lookup_init(struct lookup *l, struct arena *a);
/* The answer, until the arena goes; or NULL: not known yet, and noted. */
const struct dns_answer *lookup_get(struct lookup *l, struct str name, enum dns_type type);
/* Asks for all that was noted. */
void lookup_send(struct lookup *l, struct dns_client *c, uint64_t deadline_ms);
void lookup_cancel(struct lookup *l);

/* For tests: the first one noted and not answered, or NULL; and its answer. */
struct lookup_entry *lookup_wanted(struct lookup *l);
void lookup_answer(struct lookup_entry *e, const struct dns_answer *a);

#endif
