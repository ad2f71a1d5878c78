/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qfile - the format of a file in the spool: envelope, message, what became of each recipient; pure
 *
 *     mrq1 0000000163 00000000000000002048 5e1f09ab     bytes of envelope, of message; check
 *     arrival 1764000000123456                           microseconds since the epoch
 *     from alice@example.org                             "-" for the null sender
 *     owner alice@example.org                            who logged in to send it, if somebody did
 *     envid ID | ret full | ret hdrs | body 8bit | utf8  where they were given
 *     rcpt bob@elsewhere.example - -                     NOTIFY, ORCPT; once for each, in order
 *                                                        an empty line ends the envelope
 *     ... the message, exactly as many bytes ...
 *     c0ffee11 0 pending - 1 1764000001 1764000061 4.4.1 mx.elsewhere.example timed%20out
 *
 * Everything up to the end of the message is written once and flushed before the file gets its
 * name; from then on it never changes. Behind it lines are appended, each the whole state of one
 * recipient: check, number, state, what the sender was told, attempts, last and next attempt,
 * status, remote server, its words. The last sound line of a recipient counts; a line whose check
 * fails (a write that a power cut tore) is passed over. Values are %XX-escaped, "-" is the empty
 * one.
 *
 * Limits:    QFILE_ENVELOPE_MAX, QFILE_RCPTS_MAX, QFILE_RECORDS_MAX; checked in both directions.
 * Lifetime:  a struct qmsg owns its strings; qmsg_done frees them.
 * Tests:     tests/unit/mailstack/lib/queue/test_qfile.c
 * Fuzz:      tests/fuzz/mailstack/lib/queue/fuzz_qfile.c
 */
#ifndef MR_QUEUE_QFILE_H
#define MR_QUEUE_QFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct buf;
struct err;

#define QFILE_FIRST_N      46
#define QFILE_ENVELOPE_MAX (2U << 20)
#define QFILE_RECORDS_MAX  (64U << 20) /* what is read of them, from the end */
#define QFILE_RETRIES_MAX  (1U << 20)  /* behind so many bytes only ends are written */
#define QFILE_RCPTS_MAX    1000
#define QFILE_VALUE_MAX    1024 /* of one value, escaped or not; longer texts are cut when written */
#define QFILE_SIZE_MAX     (UINT64_C(1) << 40)
#define QFILE_ID_MAX       24

enum qret {
    QRET_UNSET,
    QRET_FULL,
    QRET_HDRS
};

enum { /* NOTIFY; 0: not given */
    QNOTIFY_NEVER = 1,
    QNOTIFY_SUCCESS = 2,
    QNOTIFY_FAILURE = 4,
    QNOTIFY_DELAY = 8,
};

enum qstate {
    QSTATE_PENDING,
    QSTATE_DELIVERED, /* to its mailbox */
    QSTATE_RELAYED,   /* to a server that reports nothing further */
    QSTATE_PASSED,    /* to a server that takes NOTIFY and reports by itself */
    QSTATE_FAILED,
};

#define QSTATES (QSTATE_FAILED + 1)

enum { /* what the sender was told, bits */
    QTOLD_DELAY = 1,
    QTOLD_END = 2,
};

#define QSTATUS_MAX 11 /* "5.123.456" */

struct qrcpt {
    char *addr;
    char *orcpt; /* "rfc822;xtext" as given; "" if it was not */
    unsigned notify;
    enum qstate state;
    unsigned told;
    uint32_t attempts;
    int64_t last_s; /* 0: never */
    int64_t next_s; /* 0: at once */
    char status[QSTATUS_MAX + 1];
    char *remote; /* never NULL */
    char *text;
};

struct qmsg {
    char id[QFILE_ID_MAX + 1];
    int64_t arrival_us;
    char *sender; /* "" for the null sender */
    char *owner;  /* the account that submitted it; "" */
    char *envid;  /* xtext as given; "" */
    enum qret ret;
    bool is_8bit;
    bool is_utf8;
    struct qrcpt *rcpts;
    size_t rcpts_n;
    uint64_t head_n; /* bytes in front of the message */
    uint64_t size;   /* of the message */
};

void qmsg_init(struct qmsg *m);
void qmsg_done(struct qmsg *m);
void qmsg_set_sender(struct qmsg *m, struct str sender);
void qmsg_set_owner(struct qmsg *m, struct str owner);
void qmsg_set_envid(struct qmsg *m, struct str envid);
must_check int qmsg_add_rcpt(struct qmsg *m, struct str addr, unsigned notify, struct str orcpt,
                             struct err *err);
/* Sets the state that a record holds; texts are cut to QFILE_VALUE_MAX / 4. */
void qrcpt_set(struct qrcpt *r, enum qstate state, struct str status, struct str remote,
               struct str text);

/* A sound name of a message: letters, digits and '-', not at its beginning. */
bool qfile_is_id(struct str s);
const char *qfile_state_name(enum qstate s);

/* Appends first line and envelope; m->head_n is set. The size of the message is m->size. */
void qfile_format_head(struct buf *out, struct qmsg *m);
/* The first line alone, for when the size is known. */
void qfile_format_first(const struct qmsg *m, char out[QFILE_FIRST_N + 1]);

/* Reads the first line: head_n and size, both within the limits. */
must_check int qfile_parse_first(struct str in, struct qmsg *m, struct err *err);
/* Reads the envelope, exactly the bytes between first line and message, into an initialised m. */
must_check int qfile_parse_envelope(struct str in, struct qmsg *m, struct err *err);

/* Appends the record of recipient i. */
void qfile_format_record(struct buf *out, const struct qmsg *m, size_t i);
/* Applies what stands behind the message; the number of lines that were passed over. */
size_t qfile_apply_records(struct str in, struct qmsg *m);

#endif
