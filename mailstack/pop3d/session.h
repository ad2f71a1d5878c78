/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session - one authenticated POP3 session (RFC 1939, RFC 2449), from the TRANSACTION state on
 *
 * The maildrop is INBOX as it was when the session began, locked against other POP3 sessions
 * ([IN-USE]) but not against IMAP and deliveries. DELE only marks; QUIT removes, and marks as seen
 * what was retrieved. A session that ends in any other way changes nothing.
 *
 * Limits:    POP3_LINE_MAX bytes a command; the idle time of the configuration.
 * Tests:     tests/mail/test_pop3.py
 */
#ifndef MR_POP3D_SESSION_H
#define MR_POP3D_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"

#include "mailstack/lib/proto/pop3_cmd.h"

struct conf;
struct err;
struct handoff;
struct mailbox;
struct store;
struct stream;

struct session_msg {
    uint32_t uid;
    uint64_t vsize; /* octets as they are sent, without byte-stuffing */
    bool deleted;
    bool retrieved;
};

struct session {
    const struct conf *conf;
    const struct store *store;
    struct stream *stream;
    int home_fd;
    int lock_fd;
    struct mailbox *mailbox;
    struct session_msg *v;
    size_t n;
    bool over;
    bool failed; /* the peer is gone, or sent what cannot be followed */
};

/* Serves it to its end; fd becomes the session's. */
void session_run(const struct conf *conf, const struct store *store, const struct handoff *h,
                 int fd);

/* Replies; a peer that is gone ends the session. `text` is without CRLF. */
void session_ok(struct session *s, const char *fmt, ...) fmt_printf(2, 3);
void session_err(struct session *s, const char *fmt, ...) fmt_printf(2, 3);
void session_line(struct session *s, const char *fmt, ...) fmt_printf(2, 3);

/* The message of the i-th argument (a number from 1), or NULL after the error reply. */
struct session_msg *session_msg(struct session *s, const struct pop3_cmd *c, size_t i);

#endif
