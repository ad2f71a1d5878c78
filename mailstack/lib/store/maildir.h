/* SPDX-License-Identifier: Apache-2.0 */
/*
 * maildir - names of message files and the flags they carry; pure
 *
 *     1700000000.M4711P42R0123456789abcdef.host,S=1234,W=1260,U=17,V=1700000000:2,FS
 *
 * S is the size of the file, W the size with CRLF line ends (both as Dovecot has them), U the UID
 * and V the UIDVALIDITY of the folder that gave it: a file that another program moved here from
 * another folder is recognised by its V, and gets a new UID. Flag letters: D draft, F flagged, P
 * passed, R answered, S seen, T deleted, and a..z keywords by dovecot-keywords. Unknown letters are
 * kept.
 *
 * Limits:    a name is at most MAILDIR_NAME_MAX bytes.
 * Tests:     tests/unit/mailstack/lib/store/test_maildir.c
 * Fuzz:      tests/fuzz/mailstack/lib/store/fuzz_maildir.c
 */
#ifndef MR_STORE_MAILDIR_H
#define MR_STORE_MAILDIR_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct buf;
struct store;

#define MAILDIR_NAME_MAX 255

enum {
    MAILDIR_DRAFT = 1 << 0,
    MAILDIR_FLAGGED = 1 << 1,
    MAILDIR_PASSED = 1 << 2,
    MAILDIR_ANSWERED = 1 << 3,
    MAILDIR_SEEN = 1 << 4,
    MAILDIR_DELETED = 1 << 5,
    MAILDIR_KEYWORD_SHIFT = 6, /* bit of letter 'a' */
    MAILDIR_KEYWORDS = 26,
};

#define MAILDIR_SYSTEM  0x3fu
#define MAILDIR_NO_SIZE UINT64_MAX

struct maildir_name {
    struct str base;    /* all before ":2,", or the whole name */
    struct str unknown; /* the flag part, where it holds letters this module does not know */
    uint32_t uid;       /* 0: none */
    uint32_t validity;  /* 0: none */
    uint64_t size;      /* MAILDIR_NO_SIZE: not told */
    uint64_t vsize;
    uint32_t flags;
};

/* Views look into name. false: not a message (a leading dot, or too long). */
bool maildir_parse(struct str name, struct maildir_name *out);

/* Appends base and ":2," with the letters of flags, and those letters of `unknown` that have no
 * bit. */
void maildir_format(struct str base, uint32_t flags, struct str unknown, struct buf *out);

/* Appends `base` without its U and V fields, then these; ':' becomes '_'. */
void maildir_with_uid(struct str base, uint32_t uid, uint32_t validity, struct buf *out);

/* Appends a fresh unique name without fields: time, process, 64 random bits, host. */
void maildir_unique(const struct store *st, struct buf *out);

#endif
