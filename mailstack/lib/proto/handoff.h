/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handoff - how frontd gives an authenticated session to imapd or pop3d; pure
 *
 * frontd connects to the SOCK_SEQPACKET socket of imapd or pop3d, sends one message with one
 * descriptor (the stream socket on which the rest of the session is spoken in clear) and closes.
 * The message is a version byte and fields of one tag byte, a two-byte big-endian length and the
 * bytes. The receiver greets: imapd answers the login command whose tag is given ("TAG OK
 * [CAPABILITY ...] ..."), pop3d sends "+OK ..."; if it cannot serve (too many sessions, no mailbox)
 * it says so there, NO or -ERR [IN-USE], and closes.
 *
 * Limits:    HANDOFF_MAX bytes a message; a field may occur once; unknown fields are an error.
 * Tests:     tests/unit/mailstack/lib/proto/test_handoff.c
 * Fuzz:      tests/fuzz/mailstack/lib/proto/fuzz_handoff.c
 */
#ifndef MR_PROTO_HANDOFF_H
#define MR_PROTO_HANDOFF_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct buf;
struct err;

#define HANDOFF_MAX 73728 /* input pipelined behind the login, at most 64 KiB, and the rest */

struct handoff {
    struct str user;   /* canonical address, "alice@example.org" */
    struct str remote; /* "192.0.2.1:53211", of the client */
    struct str tag;    /* IMAP: the tag of the login command; POP3: empty */
    struct str input;  /* what the client sent behind the login */
    uint64_t quota;    /* bytes; 0: none is set for the account, the default stands */
    bool tls;          /* the client's connection is encrypted */
};

/* The result's views look into `in`. */
must_check int handoff_parse(struct str in, struct handoff *out, struct err *err);
void handoff_format(const struct handoff *h, struct buf *out);

#endif
