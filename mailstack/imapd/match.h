/* SPDX-License-Identifier: Apache-2.0 */
/*
 * match - is this text in that, without regard to case; pure
 *
 * Both are UTF-8. Case is folded for ASCII, Latin-1, Latin Extended-A, Greek and Cyrillic, one
 * character for one.
 *
 * Tests:     tests/unit/mailstack/imapd/test_match.c
 */
#ifndef MR_IMAPD_MATCH_H
#define MR_IMAPD_MATCH_H

#include <stdbool.h>

#include "runtime/base/str.h"

struct buf;

/* Appends the text folded. */
void match_fold(struct str utf8, struct buf *out);
/* `folded` is what match_fold made of the text that is looked for. An empty one is found anywhere.
 */
bool match_in(struct str folded, struct str utf8);

#endif
