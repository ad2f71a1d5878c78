/* SPDX-License-Identifier: Apache-2.0 */
/*
 * append - APPEND: a message that comes in as a literal goes into its file as it arrives
 *
 * The folder, the size and the quota are checked before the client is asked to send. A literal that
 * was not asked for (LITERAL+) is read to its end before NO is said.
 *
 * Limits:    message_size of the configuration.
 * Tests:     tests/mail/test_imap.py
 */
#ifndef MR_IMAPD_APPEND_H
#define MR_IMAPD_APPEND_H

#include <stdbool.h>
#include <stddef.h>

struct append;
struct session;

/* s->cmd is APPEND up to the announcement of its message of n octets; the command is over or
 * s->append is set. */
void append_start(struct session *s, size_t n, bool waits);
/* Takes what is in link.in; true: something was done, call session_go_on's loop again. */
bool append_feed(struct session *s);
void append_free(struct append *a); /* takes back what is not finished; NULL is fine */

#endif
