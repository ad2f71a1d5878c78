/* SPDX-License-Identifier: Apache-2.0 */
/*
 * index - what the Maildir cannot tell: MODSEQ, expunged UIDs, what was recent (SQLite, WAL)
 *
 * One file a home, `mailstack-index.db`. A folder is known by its UIDVALIDITY, which is unique in
 * its home, so that renaming it changes nothing here. The Maildir is the truth: the index may be
 * lost (MODSEQ values are never below the wall clock in microseconds, so they only grow all the
 * same), and a broken one is removed and begun anew.
 *
 * Lifetime:  index_new/index_free; used by one process at a time per connection, many in all.
 * Tests:     tests/unit/mailstack/lib/store/test_index.c
 */
#ifndef MR_STORE_INDEX_H
#define MR_STORE_INDEX_H

#include <stdint.h>

#include "runtime/base/attr.h"

struct err;
struct index;

#define INDEX_FILE    "mailstack-index.db"
#define INDEX_WAIT_MS 5000 /* for another process's transaction */

struct index_folder {
    uint32_t validity;
    uint32_t recent_from; /* UIDs from here on were seen by no session; 0: nothing known */
    uint64_t modseq;      /* the highest given */
};

must_check struct index *index_new(int home_fd, struct err *err);
void index_free(struct index *ix); /* NULL is fine */

/* Fills modseq and recent_from (0 where the folder is not known) of f->validity, and calls fn for
 * each message in the order of UIDs. */
must_check int index_load(struct index *ix, struct index_folder *f,
                          void (*fn)(void *ctx, uint32_t uid, uint32_t flags, uint64_t modseq),
                          void *ctx, struct err *err);

must_check int index_begin(struct index *ix, struct err *err);
must_check int index_commit(struct index *ix, struct err *err);
void index_rollback(struct index *ix);

must_check int index_put_folder(struct index *ix, const struct index_folder *f, struct err *err);
must_check int index_put(struct index *ix, uint32_t validity, uint32_t uid, uint32_t flags,
                         uint64_t modseq, struct err *err);
/* The message is gone as of modseq; that it was there stays recorded. */
must_check int index_expunge(struct index *ix, uint32_t validity, uint32_t uid, uint64_t modseq,
                             struct err *err);
/* All of a folder, which was deleted. */
must_check int index_drop(struct index *ix, uint32_t validity, struct err *err);

#endif
