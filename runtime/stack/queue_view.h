/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_view - queued's JSON lines as text for people; pure
 *
 * What a remote server said stands in these lines: control characters become '?', so that no mail
 * server writes to the operator's terminal.
 *
 * Errors:    an answer that is not what queued says; the buffer's limit.
 * Tests:     tests/unit/runtime/stack/test_queue_view.c
 */
#ifndef MR_STACK_QUEUE_VIEW_H
#define MR_STACK_QUEUE_VIEW_H

#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct buf;
struct err;

/* A block for each message, and a line that counts them. */
must_check int queue_view_list(struct str answer, int64_t now_s, struct buf *out, struct err *err);
/* One message: envelope, recipients with their last error, header. */
must_check int queue_view_show(struct str answer, int64_t now_s, struct buf *out, struct err *err);
/* "3 messages are tried now", "message ID is removed" */
must_check int queue_view_flush(struct str answer, int64_t now_s, struct buf *out, struct err *err);
must_check int queue_view_rm(struct str answer, int64_t now_s, struct buf *out, struct err *err);

#endif
