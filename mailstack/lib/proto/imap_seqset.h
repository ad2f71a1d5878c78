/* SPDX-License-Identifier: Apache-2.0 */
/*
 * imap_seqset - sets of sequence numbers or UIDs, "1:5,9,12:*" (RFC 3501 section 9, sequence-set)
 *
 * '*' is kept as IMAP_SEQ_STAR and resolved against the largest number when the set is asked. A
 * range may be given either way round.
 *
 * Limits:    IMAP_SEQSET_MAX ranges.
 * Tests:     tests/unit/mailstack/lib/proto/test_imap_seqset.c
 * Fuzz:      tests/fuzz/mailstack/lib/proto/fuzz_imap_seqset.c
 */
#ifndef MR_PROTO_IMAP_SEQSET_H
#define MR_PROTO_IMAP_SEQSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct arena;
struct buf;
struct err;

#define IMAP_SEQSET_MAX 16384
#define IMAP_SEQ_STAR   UINT32_MAX

struct imap_range {
    uint32_t lo;
    uint32_t hi;
};

struct imap_seqset {
    const struct imap_range *v;
    size_t n;
};

must_check int imap_seqset_parse(struct str s, struct arena *a, struct imap_seqset *out,
                                 struct err *err);
/* Is number in the set, where '*' means `largest` (0: nothing is there, '*' matches nothing)? */
bool imap_seqset_has(const struct imap_seqset *set, uint32_t number, uint32_t largest);
/* The i-th range with '*' resolved and lo <= hi. */
struct imap_range imap_seqset_range(const struct imap_seqset *set, size_t i, uint32_t largest);

/* Builds "1:3,7" from numbers that come in any order; ascending neighbours join. Start with {0}. */
struct imap_seqset_out {
    struct imap_range open;
    bool started;
};

void imap_seqset_add(struct imap_seqset_out *o, struct buf *to, uint32_t number);
void imap_seqset_end(struct imap_seqset_out *o, struct buf *to);

#endif
