/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blob - a content-addressed store: blobs/sha256/HEX in the directory of an OCI image layout
 *
 * What is read is checked against its name, whoever wrote it. A blob is written to a temporary
 * file, flushed, and renamed: it is there whole or not at all, also after a crash. A name can only
 * ever stand for one content, so writers need no lock.
 *
 * Digests are "sha256:HEX"; other text is an error, so that none becomes a path.
 *
 * Tests:     tests/unit/images/lib/test_blob.c
 */
#ifndef MR_IMAGE_BLOB_H
#define MR_IMAGE_BLOB_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

#include "images/lib/digest.h"
#include "images/lib/sink.h"
#include "images/lib/source.h"

struct buf;
struct err;

#define BLOB_SIZE_MAX (1ULL << 36) /* of one blob: 64 GiB */

/* Makes the directories. */
must_check int blob_store_make(int layout_fd, struct err *err);

/* The whole of a small one, at most out->max bytes, checked. */
must_check int blob_read(int layout_fd, const char *digest, struct buf *out, struct err *err);
/* A large one, checked as it is read: trust what you made of it only after the source has given its
 * end. NULL on failure. */
must_check struct source *blob_source(int layout_fd, const char *digest, uint64_t size,
                                      struct err *err);
bool blob_has(int layout_fd, const char *digest, uint64_t size);

must_check int blob_put(int layout_fd, struct str content, char digest[DIGEST_TEXT_MAX],
                        struct err *err);

struct blob_writer { /* blob_begin; write through `to`; blob_commit; always blob_writer_done */
    struct sink *to;
    struct sink_sum sum; /* digest and size, after blob_commit */
    int layout_fd;
    int fd;
    char tmp[64];
};

must_check int blob_begin(struct blob_writer *w, int layout_fd, struct err *err);
must_check int blob_commit(struct blob_writer *w, struct err *err);
void blob_writer_done(struct blob_writer *w); /* removes what was not committed */

/* Copies all of `from`. */
must_check int blob_put_source(int layout_fd, struct source *from, struct sink_sum *out,
                               struct err *err);

/* Removes every blob for which keep() is false. */
must_check int blob_sweep(int layout_fd, bool (*keep)(void *ctx, const char *digest), void *ctx,
                          struct err *err);

#endif
