/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control - the control socket: one line in, "ok" or "error TEXT", then JSON lines
 *
 *     list              one object a message, oldest first; at the end {"more": N} if not all
 * fitted show ID           one object: envelope, recipients with attempts and last error, header
 *     flush [ID|DOMAIN] {"flushed": N} messages that are tried at once
 *     rm ID             {"removed": "ID"}
 *
 * It is runtime/stack/control.h's conversation, so that the command line speaks to both alike.
 *
 * Limits:    CONTROL_ANSWER_MAX bytes an answer, CONTROL_WAIT_MS for a conversation.
 * Tests:     tests/mail/test_queued.py
 */
#ifndef MR_QUEUED_CONTROL_H
#define MR_QUEUED_CONTROL_H

#include "runtime/base/attr.h"

struct err;
struct queued;

#define CONTROL_LINE_MAX   1024
#define CONTROL_ANSWER_MAX (7U << 20)
#define CONTROL_HEADER_MAX (64U << 10)
#define CONTROL_WAIT_MS    10000

/* fd becomes the conversation's. */
must_check int control_accept(struct queued *q, int fd, struct err *err);

#endif
