/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer - what the MTA is told about a judged message: changes of the header, then the verdict
 *
 * Taken out, whoever sent them: Authentication-Results that claim to be ours, X-Spam-Flag,
 * X-Spam-Reason. Put in at the top: for a message from outside Authentication-Results, for a
 * submitted one its DKIM-Signatures; for junk X-Spam-Flag and X-Spam-Reason.
 *
 * Tests:     tests/unit/mailstack/filterd/test_answer.c
 */
#ifndef MR_FILTERD_ANSWER_H
#define MR_FILTERD_ANSWER_H

#include <stdbool.h>

#include "runtime/base/attr.h"

struct buf;
struct err;
struct message;

#define ANSWER_MAX (1u << 20)

/* Appends packets. leading_space: values carry the space behind the colon. -1: a signature could
 * not be made; nothing is appended. */
must_check int answer_format(const struct message *m, bool leading_space, struct buf *out,
                             struct err *err);
/* Appends the value of Authentication-Results. */
void answer_results(const struct message *m, struct buf *out);

#endif
