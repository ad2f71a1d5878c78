/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialmsg - asking for an outbound TCP connection over a SOCK_SEQPACKET socket; pure
 *
 * A service without a network interface sends a request over the socket named "dial"; the
 * supervisor answers each with one message of the same id, the connected descriptor attached to an
 * "ok".
 *
 *     request    "dial ID ADDRESS PORT TIMEOUT_MS"
 *     answer     "ok ID"                         with one descriptor, connected, non-blocking
 *                "refused ID POLICY-TEXT"        the service's row does not allow it
 *                "error ID ERRNO TEXT"           the kernel's answer
 *
 * ADDRESS is a numeric IPv4 or IPv6 address: names are resolved by the asker, through dnsd. Several
 * requests may be outstanding. ID is chosen by the asker, up to 20 digits.
 *
 * Limits:    a message is at most DIALMSG_MAX bytes; one that does not parse ends the connection.
 * Tests:     tests/unit/runtime/base/test_dialmsg.c
 * Fuzz:      tests/fuzz/runtime/base/fuzz_dialmsg.c
 */
#ifndef MR_BASE_DIALMSG_H
#define MR_BASE_DIALMSG_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct err;
struct buf;

#define DIALMSG_MAX 512

struct dialmsg_request {
    uint64_t id;
    struct sockaddr_storage addr; /* AF_INET or AF_INET6, with the port */
    uint32_t timeout_ms;
};

enum dialmsg_kind {
    DIALMSG_OK,
    DIALMSG_REFUSED,
    DIALMSG_ERROR
};

struct dialmsg_answer {
    enum dialmsg_kind kind;
    uint64_t id;
    int code;        /* errno of DIALMSG_ERROR */
    struct str text; /* looks into the message */
};

must_check int dialmsg_parse_request(struct str in, struct dialmsg_request *out, struct err *err);
void dialmsg_format_request(const struct dialmsg_request *r, struct buf *out);
must_check int dialmsg_parse_answer(struct str in, struct dialmsg_answer *out, struct err *err);
void dialmsg_format_answer(const struct dialmsg_answer *a, struct buf *out);

/* A numeric address, IPv6 with or without brackets; an empty host is both wildcards (AF_INET6 any).
 */
must_check int dialmsg_parse_addr(struct str host, uint16_t port, struct sockaddr_storage *out,
                                  struct err *err);
/* "192.0.2.1:25", "[2001:db8::1]:25" or ":25", and back. */
must_check int dialmsg_parse_endpoint(struct str text, struct sockaddr_storage *out,
                                      struct err *err);
void dialmsg_format_addr(const struct sockaddr_storage *a, struct buf *out);

#endif
