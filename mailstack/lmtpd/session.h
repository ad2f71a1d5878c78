/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session - one LMTP connection (RFC 2033) and its transactions
 *
 * LHLO, MAIL, RCPT, DATA, BDAT, RSET, NOOP, VRFY, QUIT with PIPELINING, 8BITMIME, SMTPUTF8,
 * ENHANCEDSTATUSCODES, SIZE, CHUNKING and XQUOTA. A connection carries any number of transactions.
 *
 *   552 5.2.2  mailbox over quota             452 4.3.1  the file system is full
 *   552 5.3.4  message over message_size      451 4.3.0  anything else, logged
 *   550 5.1.2  not a domain of ours
 *
 * Tests:     tests/mail/test_lmtp.py
 */
#ifndef MR_LMTPD_SESSION_H
#define MR_LMTPD_SESSION_H

#include <stdbool.h>

#include "runtime/base/attr.h"

struct conf;
struct counter;
struct session;
struct store;

#define SESSION_IDLE_MS    600000 /* a peer may keep a connection for its next message */
#define SESSION_WAIT_MS    60000  /* within a command or a message */
#define SESSION_ERRORS_MAX 20     /* bad commands before the connection is closed */

struct session_env {
    const struct conf *conf;
    const struct store *store;
    struct counter *messages; /* copies delivered */
    struct counter *bytes;
    struct counter *failures; /* recipients told 4xx or 5xx after DATA */
};

/* fd becomes the session's. The greeting is sent. */
must_check struct session *session_new(const struct session_env *env, int fd);
void session_free(struct session *s);
int session_fd(const struct session *s);
/* Works off the commands that have arrived; false: the session is over. Blocks within a command for
 * at most SESSION_WAIT_MS. */
must_check bool session_serve(struct session *s);
/* Says 421 and nothing more. */
void session_bye(struct session *s, const char *why);

#endif
