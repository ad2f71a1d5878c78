/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search - the keys of SEARCH as a tree, and whether a message matches it (RFC 3501, 6.4.4)
 *
 * What can be answered from the index is asked first; the file is opened only where a key needs it,
 * once a message.
 *
 * Limits:    SEARCH_DEPTH_MAX levels of NOT, OR and parentheses.
 * Tests:     tests/mail/test_imap_fetch.py
 */
#ifndef MR_IMAPD_SEARCH_H
#define MR_IMAPD_SEARCH_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/attr.h"

struct imap_arg;
struct search_key;
struct session;

#define SEARCH_DEPTH_MAX 32

enum search_error {
    SEARCH_OK,
    SEARCH_SYNTAX,
    SEARCH_CHARSET, /* not one of ours: NO [BADCHARSET] */
};

/* With CHARSET in front, or without. The tree lives in the command's arena. */
must_check enum search_error search_parse(struct session *s, const struct imap_arg *args, size_t n,
                                          const struct search_key **out);
/* Does the i-th message of the view match? false too where it is gone. */
must_check bool search_matches(struct session *s, const struct search_key *key, size_t i);

#endif
