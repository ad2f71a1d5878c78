/* SPDX-License-Identifier: Apache-2.0 */
/*
 * smtp_cmd - take one SMTP command line off what has arrived (RFC 5321 section 4.1.1); pure
 *
 * The parser sees bytes and nothing else: no socket, no clock, no configuration. The session feeds
 * it what has arrived; it answers how much it used and whether a command is complete.
 *
 * Limits:    a line is at most `max` bytes with its CRLF; a bare CR or LF is an error, and so is a
 *            NUL. Longer lines than RFC 5321's 512 are read because extensions lengthen them.
 * Lifetime:  views look into the caller's buffer and live until the caller moves it.
 * Tests:     tests/unit/mailstack/lib/proto/test_smtp_cmd.c
 * Fuzz:      tests/fuzz/mailstack/lib/proto/fuzz_smtp_cmd.c
 */
#ifndef MR_PROTO_SMTP_CMD_H
#define MR_PROTO_SMTP_CMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

#include "mailstack/lib/proto/parse.h"

struct err;

#define SMTP_LINE_MAX 4096

enum smtp_verb {
    SMTP_HELO,
    SMTP_EHLO,
    SMTP_MAIL,
    SMTP_RCPT,
    SMTP_DATA,
    SMTP_BDAT,
    SMTP_RSET,
    SMTP_NOOP,
    SMTP_VRFY,
    SMTP_EXPN,
    SMTP_HELP,
    SMTP_QUIT,
    SMTP_STARTTLS,
    SMTP_AUTH,
    SMTP_UNKNOWN,
};

#define SMTP_VERBS (SMTP_UNKNOWN + 1)

struct smtp_cmd {
    enum smtp_verb verb;
    struct str name; /* as sent */
    struct str args; /* without spaces at its ends; may be empty */
};

/* A line without its CRLF. PARSE_ERROR: *used bytes belong to the bad line (all of it with a bare
 * CR or LF; 0 where it is too long and has no end yet). */
must_check enum parse_result smtp_line_parse(struct str in, size_t max, struct str *line,
                                             size_t *used, struct err *err);

/* The same, taken apart. */
must_check enum parse_result smtp_cmd_parse(struct str in, struct smtp_cmd *cmd, size_t *used,
                                            struct err *err);

/* The size of a BDAT chunk and whether it is the last (RFC 3030). */
must_check int smtp_bdat_parse(struct str args, uint64_t *size, bool *last, struct err *err);

/* A name that a client may give itself in HELO or EHLO: a domain or an address literal, in
 * characters that can do no harm in a header or a log. RFC 5321 section 4.1.4 forbids to refuse
 * more. */
bool smtp_is_helo_name(struct str s);

#endif
