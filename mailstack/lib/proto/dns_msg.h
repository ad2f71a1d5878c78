/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns_msg - DNS messages as wire format has them (RFC 1035 section 4, EDNS of RFC 6891); pure
 *
 * A message is looked at where it lies; nothing is allocated. Names in text are without the final
 * dot, the root is ""; a dot, a backslash or a byte that is not printable within a label is written
 * \DDD (RFC 1035 section 5.1), so that text and wire convert both ways without loss.
 *
 * Over a stream each message has its length in two bytes in front (RFC 1035 section 4.2.2).
 *
 * Limits:    a name is at most 255 bytes on the wire; compression pointers only point backwards, so
 *            that a chain of them ends.
 * Lifetime:  views look into the given message.
 * Tests:     tests/unit/mailstack/lib/proto/test_dns_msg.c
 * Fuzz:      tests/fuzz/mailstack/lib/proto/fuzz_dns_msg.c
 */
#ifndef MR_PROTO_DNS_MSG_H
#define MR_PROTO_DNS_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

#include "mailstack/lib/proto/parse.h"

struct buf;
struct err;

#define DNS_MSG_MAX       65535
#define DNS_MSG_HEAD_N    12
#define DNS_MSG_NAME_WIRE 255
#define DNS_MSG_NAME_TEXT 1024 /* 255 bytes, each as \DDD, and a NUL */
#define DNS_MSG_CLASS_IN  1
#define DNS_MSG_TYPE_OPT  41

enum {
    DNS_MSG_QR = 0x8000,
    DNS_MSG_OPCODE = 0x7800,
    DNS_MSG_AA = 0x0400,
    DNS_MSG_TC = 0x0200,
    DNS_MSG_RD = 0x0100,
    DNS_MSG_RA = 0x0080,
    DNS_MSG_AD = 0x0020,
    DNS_MSG_CD = 0x0010,
    DNS_MSG_RCODE = 0x000f,
};

enum dns_msg_rcode {
    DNS_MSG_NOERROR = 0,
    DNS_MSG_FORMERR = 1,
    DNS_MSG_SERVFAIL = 2,
    DNS_MSG_NXDOMAIN = 3,
    DNS_MSG_NOTIMP = 4,
    DNS_MSG_REFUSED = 5,
};

/* The header and the one question of a message. */
struct dns_msg {
    struct str whole;
    uint16_t id;
    uint16_t flags;
    uint16_t counts[4];           /* questions, answers, authority, additional */
    char name[DNS_MSG_NAME_TEXT]; /* of the question, in lower case */
    uint16_t type;
    uint16_t class_;
    size_t after; /* offset behind the question */
};

struct dns_msg_rr {
    uint16_t type;
    uint16_t class_;
    uint32_t ttl_s;
    size_t data_at; /* offset of the data, where names within it are read from */
    struct str data;
};

/* Takes one message off a stream. PARSE_ERROR: a length of less than a header's. */
must_check enum parse_result dns_msg_unframe(struct str in, struct str *message, size_t *used,
                                             struct err *err);

/* Reads header and question. -1 if there is not exactly one question, or it is damaged; then id,
 * flags and counts are set nevertheless if there was a whole header (else id and flags are 0). */
must_check int dns_msg_parse(struct str in, struct dns_msg *out, struct err *err);

struct dns_msg_walk { /* begins with {0} */
    size_t seen;      /* records */
    size_t at;        /* behind them */
};

/* Walks the records behind the question: 1: *rr is set; 0: no more; -1: damaged. */
must_check int dns_msg_next(const struct dns_msg *m, struct dns_msg_walk *w, struct dns_msg_rr *rr,
                            struct err *err);

/* Appends the name at offset `at` as text (out NULL: to nowhere); *next is the offset behind it. */
must_check int dns_msg_name(struct str whole, size_t at, struct buf *out, size_t *next,
                            struct err *err);

/* Appends a query of class IN with recursion desired, framed for a stream. -1: not a name. */
must_check int dns_msg_format_query(struct buf *out, uint16_t id, struct str name, uint16_t type,
                                    struct err *err);

/* Appends an answer without records to the query, framed: for what goes wrong. The question is
 * repeated if it could be read (m->after > 0). */
void dns_msg_format_error(struct buf *out, const struct dns_msg *query, enum dns_msg_rcode rcode);

#endif
