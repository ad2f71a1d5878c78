/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session - one SMTP connection (RFC 5321 and its extensions), the server's side
 *
 * A session works off command lines in their order; a command that has to ask another service
 * makes the session wait, and what is pipelined behind it waits in the buffer. Nothing of what came
 * in clear counts after STARTTLS.
 *
 * Commands are functions of a table (cmd.h); content goes through content.c.
 *
 * Limits:    the constants below and those of the configuration; a client that says nothing for
 *            idle_s is told 421 and closed.
 * Tests:     tests/mail/test_smtpd.py
 * Fuzz:      tests/fuzz/mailstack/smtpd/fuzz_session.c
 */
#ifndef MR_SMTPD_SESSION_H
#define MR_SMTPD_SESSION_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/list.h"
#include "runtime/base/loop.h"
#include "runtime/base/str.h"

#include "mailstack/lib/auth/client.h"
#include "mailstack/lib/mail/dot.h"
#include "mailstack/lib/net/cidr.h"
#include "mailstack/lib/net/dns_client.h"
#include "mailstack/lib/proto/sasl.h"
#include "mailstack/lib/proto/smtp_param.h"
#include "mailstack/smtpd/lmtp.h"

struct conn;
struct service;
struct smtpd;
struct txn;

#define SESSION_IN_MAX       32768
#define SESSION_OUT_MAX      131072
#define SESSION_OUT_HIGH     32768 /* no further command while so much waits for the client */
#define SESSION_ERRORS_MAX   10    /* bad commands */
#define SESSION_REFUSED_MAX  50    /* refused recipients: who tries a dictionary goes away */
#define SESSION_FAILURES_MAX 3     /* refused logins */
#define SESSION_HELO_MAX     255
#define SESSION_HANDSHAKE_MS 30000
#define SESSION_GOODBYE_MS   5000 /* for the last reply to go out */
#define SESSION_USER_MAX     512

enum session_phase {
    PHASE_COMMAND,
    PHASE_SASL, /* the next line is a response */
    PHASE_DATA,
    PHASE_BDAT, /* within a chunk */
};

struct session {
    struct smtpd *d;
    const struct service *service;
    struct list node;
    struct conn *conn;
    struct loop_timer idle;
    enum session_phase phase;
    bool is_waiting;   /* for another service */
    bool is_finishing; /* the last reply was given */
    bool is_extended;  /* EHLO, not HELO */
    unsigned errors_n;
    unsigned refused_n;
    unsigned failures_n;

    struct in6_addr ip;
    uint16_t port;
    char addr[INET6_ADDRSTRLEN];
    char name[256];                  /* verified; "" if there is none */
    char helo[SESSION_HELO_MAX + 1]; /* "" before the first */
    char user[SESSION_USER_MAX + 1]; /* "" before login */
    char tls[64];                    /* "TLSv1.3 NAME", or "" */

    struct txn *txn;       /* between MAIL and the reply to the content */
    struct smtp_rcpt rcpt; /* the recipient that is being checked */
    struct sasl sasl;
    struct auth_login login;
    struct auth_sender sender;
    struct auth_resolve resolve;
    struct auth_target *targets; /* of the recipient that is being checked, in the arena of txn */
    size_t targets_n;
    struct lmtp_job probe;

    struct dot_in dot;
    uint64_t chunk_left; /* BDAT: bytes still to come */
    bool chunk_is_last;
    bool chunk_is_void; /* they belong to no transaction */
    bool is_chunked;    /* the transaction began with BDAT */
    bool is_cr;         /* the chunk's last byte was a CR */
    bool is_in_line;    /* its last line has no end yet */
    bool is_bare;       /* a bare CR or LF was seen */
    bool is_too_big;
    bool is_broken; /* the spool failed */

    struct dns_question name_q; /* client's name */
    char name_try[256];
};

/* fd becomes the session's. */
void session_accept(struct smtpd *d, int fd, const struct service *service);
void session_free(struct session *s);
/* Says 421 unless a message is under way, which gets its end first. */
void session_drain(struct session *s);

/* --- for the commands --- */

/* One line; control characters in it become '?'. */
void session_reply(struct session *s, const char *fmt, ...) fmt_printf(2, 3);
/* The same for a command that was wrong: too many of them end the session. */
void session_bad(struct session *s, const char *fmt, ...) fmt_printf(2, 3);
void session_finish(struct session *s); /* what was written goes out, then the connection ends */
/* No more commands are looked at until session_go_on. */
void session_wait(struct session *s);
void session_go_on(struct session *s);
/* No transaction. */
void session_reset(struct session *s);
bool session_may_login(const struct session *s);

/* From deliver.c: the end of the transaction, with the reply. */
void session_told(struct session *s, const char *reply);

/* --- content.c --- */
void content_begin_data(struct session *s);
void content_begin_chunk(struct session *s, uint64_t size, bool is_last);
/* Takes what has arrived; true if there is more for the command loop. */
bool content_take(struct session *s);

#endif
