/* SPDX-License-Identifier: Apache-2.0 */
/*
 * milter - the mail filter protocol of Sendmail and Postfix, version 6, both directions; pure
 *
 * A packet is a length of four bytes (of what follows), a command byte, data. milter_parse takes
 * packets off a stream; milter_read_X looks into one of kind X; milter_format_X makes one. What a
 * session means is the caller's: smtpd speaks the MTA's side, filterd the filter's.
 *
 * Lifetime:  views look into the caller's buffer.
 * Limits:    MILTER_PACKET_MAX bytes in a packet; an MTA cuts the body into MILTER_CHUNK_MAX.
 * Tests:     tests/unit/mailstack/lib/proto/test_milter.c
 * Fuzz:      tests/fuzz/mailstack/lib/proto/fuzz_milter.c
 */
#ifndef MR_PROTO_MILTER_H
#define MR_PROTO_MILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

#include "mailstack/lib/proto/parse.h"

struct buf;
struct err;

#define MILTER_VERSION    6
#define MILTER_PACKET_MAX (1u << 20) /* Postfix and libmilter go up to this after negotiation */
#define MILTER_CHUNK_MAX  65535u

/* From the MTA. */
enum milter_command {
    MILTER_ABORT = 'A',   /* this message is over, the connection stays */
    MILTER_BODY = 'B',    /* a piece of the body */
    MILTER_CONNECT = 'C', /* a client connected */
    MILTER_MACRO = 'D',   /* macros of the command that comes next */
    MILTER_EOM = 'E',     /* end of message; the only one that may be answered with changes */
    MILTER_HELO = 'H',
    MILTER_QUIT_NC = 'K', /* the client is gone, the connection is used for another one */
    MILTER_HEADER = 'L',
    MILTER_MAIL = 'M',
    MILTER_EOH = 'N', /* end of the header */
    MILTER_OPTNEG = 'O',
    MILTER_QUIT = 'Q',
    MILTER_RCPT = 'R',
    MILTER_DATA = 'T',
    MILTER_UNKNOWN = 'U', /* an SMTP command the MTA does not know */
};

/* From the filter: verdicts ... */
enum milter_verdict {
    MILTER_ACCEPT = 'a',
    MILTER_CONTINUE = 'c',
    MILTER_DISCARD = 'd',
    MILTER_CONN_FAIL = 'f',
    MILTER_REJECT = 'r',
    MILTER_SKIP = 's', /* no more of this kind of command, please */
    MILTER_TEMPFAIL = 't',
    MILTER_REPLY = 'y', /* with the SMTP reply to give */
    MILTER_SHUTDOWN = '4',
};

/* ... and, at the end of a message, in front of the verdict: changes. */
enum milter_change {
    MILTER_ADD_RCPT = '+',
    MILTER_ADD_RCPT_PAR = '2',
    MILTER_DEL_RCPT = '-',
    MILTER_REPLACE_BODY = 'b',
    MILTER_CHANGE_FROM = 'e',
    MILTER_ADD_HEADER = 'h',
    MILTER_INSERT_HEADER = 'i',
    MILTER_CHANGE_HEADER = 'm',
    MILTER_PROGRESS = 'p', /* not a change: "still at work" */
    MILTER_QUARANTINE = 'q',
};

/* Bits of the negotiation: what the filter may change ... */
enum {
    MILTER_F_ADD_HEADER = 0x01,
    MILTER_F_CHANGE_BODY = 0x02,
    MILTER_F_ADD_RCPT = 0x04,
    MILTER_F_DEL_RCPT = 0x08,
    MILTER_F_CHANGE_HEADER = 0x10,
    MILTER_F_QUARANTINE = 0x20,
    MILTER_F_CHANGE_FROM = 0x40,
    MILTER_F_ADD_RCPT_PAR = 0x80,
    MILTER_F_SET_SYMLIST = 0x100,
};

/* ... and how they talk: no such command, no reply to such a command. */
enum {
    MILTER_P_NO_CONNECT = 0x01,
    MILTER_P_NO_HELO = 0x02,
    MILTER_P_NO_MAIL = 0x04,
    MILTER_P_NO_RCPT = 0x08,
    MILTER_P_NO_BODY = 0x10,
    MILTER_P_NO_HEADERS = 0x20,
    MILTER_P_NO_EOH = 0x40,
    MILTER_P_NR_HEADER = 0x80,
    MILTER_P_NO_UNKNOWN = 0x100,
    MILTER_P_NO_DATA = 0x200,
    MILTER_P_SKIP = 0x400,
    MILTER_P_RCPT_REJECTED = 0x800,
    MILTER_P_NR_CONNECT = 0x1000,
    MILTER_P_NR_HELO = 0x2000,
    MILTER_P_NR_MAIL = 0x4000,
    MILTER_P_NR_RCPT = 0x8000,
    MILTER_P_NR_DATA = 0x10000,
    MILTER_P_NR_UNKNOWN = 0x20000,
    MILTER_P_NR_EOH = 0x40000,
    MILTER_P_NR_BODY = 0x80000,
    MILTER_P_LEADING_SPACE = 0x100000, /* header values keep the space behind the colon */
};

/* The bit that says "no reply to this command", 0 if there is none: EOM is always answered,
 * macros, ABORT and QUIT never are. */
uint32_t milter_no_reply_bit(char command);
/* The bit that says "this command is not sent at all", or 0. */
uint32_t milter_no_send_bit(char command);

struct milter_packet {
    char command;
    struct str data;
};

must_check enum parse_result milter_parse(struct str in, struct milter_packet *out, size_t *used,
                                          struct err *err);
void milter_format(struct buf *to, char command, struct str data);

/* --- negotiation, both directions --- */
struct milter_options {
    uint32_t version;
    uint32_t changes;  /* MILTER_F_... */
    uint32_t protocol; /* MILTER_P_... */
};

must_check int milter_read_options(const struct milter_packet *p, struct milter_options *out,
                                   struct err *err);
void milter_format_options(struct buf *to, const struct milter_options *o);

/* --- MTA to filter --- */
enum milter_family {
    MILTER_FAMILY_UNKNOWN = 'U',
    MILTER_FAMILY_UNIX = 'L',
    MILTER_FAMILY_4 = '4',
    MILTER_FAMILY_6 = '6',
};

struct milter_connect {
    struct str host; /* the client's name, or "[addr]" */
    enum milter_family family;
    uint16_t port;
    struct str addr; /* numeric, without "IPv6:"; a path for unix; empty for unknown */
};

must_check int milter_read_connect(const struct milter_packet *p, struct milter_connect *out,
                                   struct err *err);
void milter_format_connect(struct buf *to, const struct milter_connect *c);

/* Macros: names are as given, "{auth_authen}" or "j". */
struct milter_macros {
    char command; /* whose macros they are */
    struct str rest;
};

must_check int milter_read_macros(const struct milter_packet *p, struct milter_macros *out,
                                  struct err *err);
bool milter_next_macro(struct milter_macros *m, struct str *name, struct str *value);

struct milter_pair {
    struct str name;
    struct str value;
};

void milter_format_macros(struct buf *to, char command, const struct milter_pair *pairs, size_t n);

/* HELO, or UNKNOWN: one text. */
must_check int milter_read_text(const struct milter_packet *p, struct str *out, struct err *err);
void milter_format_text(struct buf *to, char command, struct str text);

/* MAIL and RCPT: the path with its brackets, then ESMTP parameters (walk them with str_next '\0').
 */
struct milter_path {
    struct str path;
    struct str params; /* each ends in NUL */
};

must_check int milter_read_path(const struct milter_packet *p, struct milter_path *out,
                                struct err *err);
void milter_format_path(struct buf *to, char command, struct str path, const struct str *params,
                        size_t params_n);

/* HEADER. Lines of a folded value end in LF; with MILTER_P_LEADING_SPACE the value keeps what
 * follows the colon. CRLF is turned to LF by the formatter. */
must_check int milter_read_header(const struct milter_packet *p, struct milter_pair *out,
                                  struct err *err);
void milter_format_header(struct buf *to, const struct milter_pair *h);

/* BODY: at most MILTER_CHUNK_MAX bytes, lines ending in CRLF: milter_format. */

/* --- filter to MTA --- */
bool milter_is_verdict(char command); /* else: a change, progress, or rubbish */

/* REPLY: "550 5.7.1 text", lines parted by CRLF for more than one; "%%" stands for "%". */
must_check int milter_read_reply(const struct milter_packet *p, struct str *out, struct err *err);
/* Appends REPLY with code, enhanced status and text. Line ends in the text and '%' (which MTAs
 * expand) are taken care of. */
void milter_format_reply(struct buf *to, unsigned code, struct str status, struct str text);

/* A change of the header. index: INSERT: where, 0 is the top; CHANGE: which of that name, from 1,
 * an empty value deletes it; ADD: 0. */
struct milter_header_change {
    char command;
    uint32_t index;
    struct str name;
    struct str value;
};

must_check int milter_read_header_change(const struct milter_packet *p,
                                         struct milter_header_change *out, struct err *err);
void milter_format_header_change(struct buf *to, const struct milter_header_change *h);

/* ADD_RCPT, DEL_RCPT, CHANGE_FROM, QUARANTINE: one text (and parameters, left out here). */
must_check int milter_read_change_text(const struct milter_packet *p, struct str *out,
                                       struct err *err);

#endif
