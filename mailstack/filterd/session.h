/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session - one MTA's connection, the filter's side of the milter protocol
 *
 * An MTA opens a connection, negotiates once, and then brings message after message of one SMTP
 * client, or, after QUIT_NC, of another one. {auth_authen} among the macros of MAIL makes a message
 * a submitted one; it counts for that message alone.
 *
 * Lifetime:  session_new, session_free; `closed` is called when the MTA has gone or broke the
 *            protocol, and session_free belongs there.
 * Limits:    SESSION_TEXT_MAX bytes of a name or a path, the rest is cut off; SESSION_IDLE_MS.
 * Tests:     tests/unit/mailstack/filterd/test_session.c; tests/mail/test_filterd.py
 * Fuzz:      tests/fuzz/mailstack/filterd/fuzz_session.c
 */
#ifndef MR_FILTERD_SESSION_H
#define MR_FILTERD_SESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/attr.h"
#include "runtime/base/list.h"
#include "runtime/base/str.h"

#include "mailstack/filterd/message.h"
#include "mailstack/lib/proto/milter.h"

struct counter;
struct err;
struct loop;

#define SESSION_TEXT_MAX 1024
#define SESSION_IDLE_MS  (3600 * 1000) /* an MTA keeps its connection while a client types */

struct session_counters {
    struct counter *messages;
    struct counter *junk;
    struct counter *rejected;
    struct counter *signed_;
};

struct session_text {
    char p[SESSION_TEXT_MAX];
    size_t n;
};

/* The protocol without the connection: packets in, packets out. */
struct session {
    struct list node;
    const struct message_env *env;
    const struct session_counters *counters;
    void (*send)(struct session *s, struct str packets);
    void (*judged)(struct session *s); /* the message that was waited for is done with */
    void *ctx;

    struct milter_options options;
    bool negotiated;
    bool over;    /* QUIT, or the protocol was broken */
    bool judging; /* no packet may be given until `judged` */
    unsigned char addr[SPF_ADDR_MAX];
    size_t addr_n;
    struct session_text name;
    struct session_text helo;
    struct session_text sender;
    struct session_text user; /* n == 0: not submitted */
    struct session_text id;
    struct message *message;
};

void session_init(struct session *s, const struct message_env *env,
                  const struct session_counters *counters);
/* Takes one packet. May call send and judged. Look at s->over and s->judging afterwards. */
void session_take(struct session *s, const struct milter_packet *p);
void session_done(struct session *s);

#endif
