/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns_read - what dns.c and dns_client.c have in common: an answer of dnsd as struct dns_answer;
 * pure
 *
 * Tests:     tests/unit/mailstack/lib/net/test_dns_read.c
 */
#ifndef MR_NET_DNS_READ_H
#define MR_NET_DNS_READ_H

#include <stdint.h>

#include "runtime/base/str.h"

#include "mailstack/lib/net/dns.h"

/* The records of that type in the answer section (dnsd followed the CNAMEs), copied into the arena.
 * Whatever cannot be read, and any other failure, is DNS_TEMP. */
void dns_read(struct str message, enum dns_type type, struct arena *a, struct dns_answer *out);

#endif
