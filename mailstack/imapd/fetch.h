/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch - the items of FETCH as a list, and one message's response written piece by piece
 *
 * A response is written until the link is full and goes on when it has been drained: a large
 * message is never in memory as a whole, and one that is read slowly costs one open file.
 *
 * Tests:     tests/mail/test_imap_fetch.py
 */
#ifndef MR_IMAPD_FETCH_H
#define MR_IMAPD_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

#include "mailstack/imapd/section.h"

struct arena;
struct imap_arg;
struct session;

#define FETCH_ITEMS_MAX 256

enum fetch_kind {
    FETCH_UID,
    FETCH_FLAGS,
    FETCH_INTERNALDATE,
    FETCH_SIZE,
    FETCH_ENVELOPE,
    FETCH_BODY,
    FETCH_BODYSTRUCTURE,
    FETCH_SECTION, /* BODY[...] and the RFC822 forms */
};

struct fetch_item {
    enum fetch_kind kind;
    struct section section;
    struct str label; /* "RFC822.HEADER", or "BODY[" with what is in the brackets */
};

struct fetch_items {
    struct fetch_item *v;
    size_t n;
    bool seen; /* fetching sets \Seen */
    bool file; /* the file is needed */
    bool tree; /* and its parts */
    bool flags;
};

/* An atom (or macro) or a list of them. with_uid: UID is one of them in any case. */
must_check bool fetch_parse(const struct imap_arg *a, bool with_uid, struct arena *arena,
                            struct fetch_items *out);

struct fetch;

/* One response: fetch_begin opens, fetch_go writes. fetch_go false: the link is full. */
must_check struct fetch *fetch_new(struct session *s, const struct fetch_items *items);
void fetch_free(struct fetch *f);
/* The i-th of the view. with_flags: FLAGS is told though it was not asked for. */
void fetch_begin(struct fetch *f, size_t i, bool with_flags);
must_check bool fetch_go(struct fetch *f);
bool fetch_missed_any(const struct fetch *f); /* some messages were gone */

#endif
