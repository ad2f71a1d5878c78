/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges never hold 0 as a member, agree with imap_seqset_has, and written out are a set again. */
#include <assert.h>
#include <inttypes.h>
#include <stdint.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"

#include "mailstack/lib/proto/imap_seqset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(const struct imap_seqset *set, uint32_t largest)
{
    assert(!imap_seqset_has(set, 0, largest));
    for (size_t i = 0; i < set->n; i++) {
        struct imap_range r = imap_seqset_range(set, i, largest);

        assert(r.lo <= r.hi);
        if (r.lo > 0) {
            assert(imap_seqset_has(set, r.lo, largest));
            assert(imap_seqset_has(set, r.hi, largest));
        }
    }
}

/* The numbers of the set below 64, through the builder and back. */
static void there_and_back(const struct imap_seqset *set, struct arena *a)
{
    own_buf struct buf b = BUF_INIT(4096);
    struct imap_seqset_out o = {.started = false};
    struct imap_seqset again;
    struct err err = {0};

    for (uint32_t i = 1; i < 64; i++)
        if (imap_seqset_has(set, i, 9))
            imap_seqset_add(&o, &b, i);
    imap_seqset_end(&o, &b);
    if (b.n == 0)
        return;
    assert(imap_seqset_parse(buf_str(&b), a, &again, &err) == 0);
    for (uint32_t i = 1; i < 64; i++)
        assert(imap_seqset_has(set, i, 9) == imap_seqset_has(&again, i, 9));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena *a = arena_new(1 << 20);
    struct imap_seqset set;
    struct err err = {0};

    if (n < 4096 && imap_seqset_parse((struct str){(const char *)data, n}, a, &set, &err) == 0) {
        assert(set.n >= 1 && set.n <= IMAP_SEQSET_MAX);
        check(&set, 0);
        check(&set, 1);
        check(&set, 100);
        check(&set, UINT32_MAX - 1);
        there_and_back(&set, a);
    }
    arena_free(a);
    return 0;
}
