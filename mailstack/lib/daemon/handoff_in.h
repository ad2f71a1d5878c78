/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handoff_in - the receiving end of handoff.h: authenticated sessions that frontd gives away
 *
 * Accepts on SOCK_SEQPACKET sockets, takes one message with one descriptor from each connection and
 * calls fn. What does not parse is logged and dropped.
 *
 * Limits:    HANDOFF_IN_PENDING connections whose message is still to come, each for
 *            HANDOFF_IN_WAIT_MS.
 * Tests:     tests/mail/test_pop3.py, tests/mail/test_imap.py
 */
#ifndef MR_DAEMON_HANDOFF_IN_H
#define MR_DAEMON_HANDOFF_IN_H

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct err;
struct given;
struct handoff;
struct handoff_in;
struct loop;

#define HANDOFF_IN_PENDING 256
#define HANDOFF_IN_WAIT_MS 10000

/* h and raw (the message it was parsed from) live during the call; fd becomes the callee's. */
typedef void handoff_fn(void *ctx, const struct handoff *h, struct str raw, int fd);

/* Watches all descriptors of that name. */
must_check struct handoff_in *handoff_in_new(struct loop *l, const struct given *g,
                                             const char *name, handoff_fn *fn, void *ctx,
                                             struct err *err);
/* Closes pending connections; in a forked child, the copies of the listening sockets too. */
void handoff_in_free(struct handoff_in *in);
void handoff_in_close_listening(struct handoff_in *in); /* in a child */

#endif
