/* SPDX-License-Identifier: Apache-2.0 */
/*
 * imap_date - date and date-time of IMAP (RFC 3501 section 9); pure
 *
 * Tests:     tests/unit/mailstack/imapd/test_imap_date.c
 */
#ifndef MR_IMAPD_IMAP_DATE_H
#define MR_IMAPD_IMAP_DATE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "runtime/base/str.h"

struct buf;

/* " 1-Feb-2026 10:20:30 +0100" to seconds since the epoch. */
bool imap_date_time(struct str s, time_t *out);
/* "1-Feb-2026" to days since the epoch. */
bool imap_date(struct str s, int64_t *days);
/* Appends "01-Feb-2026 10:20:30 +0000", quoted. */
void imap_date_put(int64_t unix_s, struct buf *out);

#endif
