/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream - bytes that are pulled (stream) or pushed (sink) through a chain of small stages
 *
 * A layer is read as: file -> digest of the blob -> gzip, zstd or nothing -> digest of the archive
 * -> tar_read. It is written the other way round. Each stage owns the one behind it.
 *
 * Limits:    a stage of memory is STREAM_CHUNK bytes, plus what zlib and libzstd take (the zstd
 *            window at most 1 << STREAM_ZSTD_WINDOW_LOG).
 * Tests:     tests/unit/images/lib/test_stream.c
 */
#ifndef MR_IMAGE_STREAM_H
#define MR_IMAGE_STREAM_H

#include <stdint.h>
#include <sys/types.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct err;

#define STREAM_CHUNK           65536
#define STREAM_ZSTD_WINDOW_LOG 27 /* 128 MiB: the most that zstd's own tool takes unasked */

struct stream {
    /* Up to n bytes; 0 only at the end. */
    ssize_t (*read)(struct stream *s, void *p, size_t n, struct err *err);
    void (*free)(struct stream *s);
};

must_check ssize_t stream_read(struct stream *s, void *p, size_t n, struct err *err);
/* n bytes; fewer only at the end. */
must_check ssize_t stream_read_full(struct stream *s, void *p, size_t n, struct err *err);
must_check int stream_skip(struct stream *s, uint64_t n, struct err *err); /* EOF: an error */
must_check int stream_drain(struct stream *s, struct err *err);            /* reads to the end */
void stream_free(struct stream *s);                                        /* NULL is fine */
void stream_close(struct stream *const *s);
#define own_stream __attribute__((cleanup(stream_close)))

must_check struct stream *stream_of_fd(int fd); /* takes the descriptor */
must_check struct stream *stream_of_str(struct str bytes);

/* Fails at the end if size or digest ("sha256:...") are not as promised, and at once when there is
 * more than size. digest NULL: only counts. Takes `from`. */
must_check struct stream *stream_check(struct stream *from, const char *digest, uint64_t size,
                                       const char *what);
/* The size is not known beforehand: at most size_max. */
must_check struct stream *stream_check_max(struct stream *from, const char *digest,
                                           uint64_t size_max, const char *what);

/* gzip, zstd or plain, told from the first bytes; several members or frames in a row are one. Takes
 * `from`, also on failure. */
must_check struct stream *stream_expand(struct stream *from, struct err *err);

/* ---------------------------------------------------------------------------------------------- */

struct sink {
    int (*write)(struct sink *s, struct str bytes, struct err *err);
    int (*end)(struct sink *s, struct err *err); /* writes what is held back; then `to` is ended */
    void (*free)(struct sink *s);
};

must_check int sink_write(struct sink *s, struct str bytes, struct err *err);
must_check int sink_end(struct sink *s, struct err *err);
void sink_free(struct sink *s); /* NULL is fine */
void sink_close(struct sink *const *s);
#define own_sink __attribute__((cleanup(sink_close)))

must_check struct sink *sink_to_fd(int fd); /* does not take the descriptor */

/* Counts and sums what passes; out is filled in by sink_end. Takes `to`. */
struct sink_sum {
    char digest[72];
    uint64_t size;
};

must_check struct sink *sink_sum(struct sink *to, struct sink_sum *out);
/* gzip, level 9, without name or time in its header: the same bytes for the same input. Takes `to`.
 */
must_check struct sink *sink_gzip(struct sink *to);

#endif
