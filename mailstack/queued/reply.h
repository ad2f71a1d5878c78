/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reply - what a server's reply means for a recipient; pure
 *
 * The words are kept as they came, "550 5.1.1 no such user", the lines of a long reply joined by
 * spaces. The status is the reply's own enhanced code, or one made from its first digit.
 *
 * Tests:     tests/unit/mailstack/queued/test_reply.c
 */
#ifndef MR_QUEUED_REPLY_H
#define MR_QUEUED_REPLY_H

#include "runtime/base/str.h"

struct buf;
struct outcome;
struct smtp_reply;

/* 2xx: sent, 5xx: for ever, all else: for now. The outcome looks into *text, the reply and remote.
 */
void reply_outcome(const struct smtp_reply *r, struct str remote, struct buf *text,
                   struct outcome *out);

#endif
