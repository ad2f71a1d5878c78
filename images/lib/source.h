/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source - bytes that are pulled through a chain of small stages
 *
 * A layer is read as: file -> digest of the blob -> gzip, zstd or nothing -> digest of the archive
 * -> tar_read. Each stage owns the one behind it.
 *
 * Limits:    a stage holds SOURCE_CHUNK bytes, plus what zlib and libzstd take (the zstd window at
 *            most 1 << SOURCE_ZSTD_WINDOW_LOG).
 * Tests:     tests/unit/images/lib/test_source.c
 */
#ifndef MR_IMAGE_SOURCE_H
#define MR_IMAGE_SOURCE_H

#include <stdint.h>
#include <sys/types.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct err;

#define SOURCE_CHUNK           65536
#define SOURCE_ZSTD_WINDOW_LOG 27 /* 128 MiB: the most that zstd's own tool takes unasked */

struct source {
    /* Up to n bytes; 0 only at the end. */
    ssize_t (*read)(struct source *s, void *p, size_t n, struct err *err);
    void (*free)(struct source *s);
};

must_check ssize_t source_read(struct source *s, void *p, size_t n, struct err *err);
/* n bytes; fewer only at the end. */
must_check ssize_t source_read_full(struct source *s, void *p, size_t n, struct err *err);
must_check int source_skip(struct source *s, uint64_t n, struct err *err); /* EOF: an error */
must_check int source_drain(struct source *s, struct err *err);            /* reads to the end */
void source_free(struct source *s);                                        /* NULL is fine */
void source_close(struct source *const *s);
#define own_source __attribute__((cleanup(source_close)))

must_check struct source *source_of_fd(int fd); /* takes the descriptor */
must_check struct source *source_of_str(struct str bytes);

/* Fails at the end if size or digest ("sha256:...") are not as promised, and at once when there is
 * more than size. digest NULL: only counts. Takes `from`. */
must_check struct source *source_check(struct source *from, const char *digest, uint64_t size,
                                       const char *what);
/* The size is not known beforehand: at most size_max. */
must_check struct source *source_check_max(struct source *from, const char *digest,
                                           uint64_t size_max, const char *what);

/* gzip, zstd or plain, told from the first bytes; several members or frames in a row are one. Takes
 * `from`, also on failure. */
must_check struct source *source_expand(struct source *from, struct err *err);

#endif
