/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns - asking dnsd, blocking, for worker processes
 *
 * One connection to dnsd, made when first needed and again when it broke. Names are in text without
 * the final dot; an answer is parsed by proto/dns_msg.h.
 *
 * Tests:     tests/unit/mailstack/lib/net/test_dns.c
 */
#ifndef MR_NET_DNS_H
#define MR_NET_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct arena;
struct dns;
struct err;

#define DNS_RECORDS_MAX 256
#define DNS_TIMEOUT_MS  20000

enum dns_type {
    DNS_A = 1,
    DNS_CNAME = 5,
    DNS_PTR = 12,
    DNS_MX = 15,
    DNS_TXT = 16,
    DNS_AAAA = 28,
    DNS_TLSA = 52
};

enum dns_status {
    DNS_OK,       /* records (CNAMEs followed) */
    DNS_NODATA,   /* the name exists, not with that type */
    DNS_NXDOMAIN, /* the name does not exist */
    DNS_TEMP,     /* SERVFAIL, time-out, dnsd away; bogus DNSSEC too */
};

struct dns_record {
    uint32_t ttl_s;
    uint16_t preference; /* MX */
    struct str text; /* MX, PTR, CNAME: a name; TXT: its strings joined; A, AAAA: 4 or 16 raw bytes;
                        TLSA: raw */
};

struct dns_answer {
    enum dns_status status;
    bool secure; /* AD: validated by dnsd */
    const struct dns_record *records;
    size_t records_n;
};

must_check struct dns *dns_new(const char *socket_path);
void dns_free(struct dns *d);
/* Never fails as a call: trouble is DNS_TEMP. The answer lives in the arena. */
void dns_ask(struct dns *d, struct str name, enum dns_type type, struct arena *a,
             struct dns_answer *out);

#endif
