/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dnszone - DNS answers from a table, for what asks through mailstack/filterd/lookup.h
 */
#ifndef MR_TESTS_LIB_DNSZONE_H
#define MR_TESTS_LIB_DNSZONE_H

#include <stddef.h>

#include "mailstack/lib/net/dns.h"

struct lookup;

/* Ends with a row without a name. A name that is in no row does not exist. */
struct dnszone_row {
    const char *name;
    enum dns_type type;
    const char *text; /* A and AAAA in numbers; NULL: a temporary failure */
};

/* Answers all that was noted; how many questions that was. */
size_t dnszone_answer(const struct dnszone_row *zone, struct lookup *l);

#endif
