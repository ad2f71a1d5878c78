/* SPDX-License-Identifier: Apache-2.0 */
/*
 * room - mailboxes of which lmtpd said a moment ago that they have room
 *
 * Saves the question at RCPT while mail for the same mailbox comes quickly; lmtpd has the last word
 * when the message is there. Only a yes is kept.
 *
 * Limits:    ROOM_MAX mailboxes, then all are forgotten; ROOM_MS.
 * Tests:     tests/unit/mailstack/smtpd/test_room.c
 */
#ifndef MR_SMTPD_ROOM_H
#define MR_SMTPD_ROOM_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct room;

#define ROOM_MAX 4096
#define ROOM_MS  2000

must_check struct room *room_new(void);
void room_free(struct room *r);
/* There was room for at least that many bytes. */
bool room_has(const struct room *r, struct str mailbox, uint64_t size);
void room_put(struct room *r, struct str mailbox, uint64_t size);

#endif
