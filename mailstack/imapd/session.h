/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session - one IMAP session after login (RFC 3501): its states, its commands one after the other
 *
 * Input is scanned for whole commands; each is parsed into an arena that lives until its tagged
 * response, and run by the function of its verb (cmd.h). A command that sends much sets `step`,
 * which is called again whenever the output has been written; input waits meanwhile. APPEND takes
 * its message out of the stream (append.h).
 *
 * Limits:    IMAP_LINE_MAX a command; SESSION_LITERAL_MAX bytes in literals other than APPEND's;
 *            SESSION_ARENA_MAX of memory for one command; SESSION_BAD_MAX bad commands in a row.
 * Tests:     tests/mail/test_imap.py
 */
#ifndef MR_IMAPD_SESSION_H
#define MR_IMAPD_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/list.h"
#include "runtime/base/str.h"

#include "mailstack/imapd/link.h"
#include "mailstack/imapd/view.h"
#include "mailstack/lib/proto/imap_parser.h"

struct append;
struct arena;
struct err;
struct handoff;
struct user;

#define SESSION_LITERAL_MAX 65536
#define SESSION_ARENA_MAX   (16u << 20)
#define SESSION_BAD_MAX     20

#define SESSION_CAPABILITIES \
    "IMAP4rev1 LITERAL+ IDLE NAMESPACE UIDPLUS MOVE SPECIAL-USE UNSELECT ID CHILDREN QUOTA"

enum session_state {
    SESSION_AUTH = 1,
    SESSION_SELECTED = 2,
};

struct session {
    struct list node; /* of the user's */
    struct user *user;
    struct link link;
    struct loop_call freeing;
    enum session_state state;
    struct view view;
    bool has_view;

    struct imap_scan scan; /* of the command that is coming in */
    uint64_t skip_n;       /* bytes of a refused literal still to be dropped */
    unsigned literal_n;    /* bytes in literals of this command */
    unsigned bad_n;

    struct arena *arena; /* of the command in hand, NULL between commands */
    struct imap_cmd cmd;
    const struct cmd *verb;
    size_t cmd_n;                    /* its bytes at the start of link.in */
    bool (*step)(struct session *s); /* goes on; true: done */
    void *step_ctx;
    void (*step_end)(void *ctx); /* gives back what step_ctx holds outside of the arena */
    struct append *append;       /* a message is coming in */
    bool idle;                   /* in IDLE */
    bool closing;
};

/* Greets with the tagged OK of the login. fd becomes the session's. */
void session_start(struct user *u, const struct handoff *h, int fd);
void session_bye(struct session *s, const char *why); /* "* BYE", and closed */

/* The tagged response, preceded by what changed; the command is over. `text` may begin with a
 * response code in brackets. */
void session_ok(struct session *s, const char *fmt, ...) fmt_printf(2, 3);
void session_ok_code(struct session *s, struct str code, const char *text); /* a long code */
void session_no(struct session *s, const char *fmt, ...) fmt_printf(2, 3);
void session_bad(struct session *s, const char *fmt, ...) fmt_printf(2, 3);
/* NO for a failure: [TRYCREATE] is the caller's, others by err->code; logs what is ours to mend. */
void session_fail(struct session *s, const struct err *err);
/* The command's bytes are given back before it ends: only its tag is kept. */
void session_leave_input(struct session *s);
/* The command goes on through step(). */
void session_step(struct session *s, bool (*step)(struct session *s), void *ctx,
                  void (*end)(void *ctx));

/* Leaves the selected state without a word. */
void session_unselect(struct session *s);
/* Writes what changed in the selected folder; for IDLE. */
void session_tell(struct session *s);
/* Takes up the input again, after `append` or a step has ended. */
void session_go_on(struct session *s);
struct buf *session_out(struct session *s); /* appended bytes are sent at the end of the turn */

#endif
