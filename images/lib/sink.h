/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink - bytes that are pushed through a chain of small stages
 *
 * A layer is written as: tar_write -> digest of the archive -> gzip -> digest of the blob -> file.
 * Each stage owns the one behind it.
 *
 * Limits:    a stage holds SINK_CHUNK bytes, plus what zlib takes.
 * Tests:     tests/unit/images/lib/test_sink.c
 */
#ifndef MR_IMAGE_SINK_H
#define MR_IMAGE_SINK_H

#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

#include "images/lib/digest.h"

struct err;

#define SINK_CHUNK 65536

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
    char digest[DIGEST_TEXT_MAX];
    uint64_t size;
};

must_check struct sink *sink_sum(struct sink *to, struct sink_sum *out);
/* gzip, level 9, without name or time in its header: the same bytes for the same input. Takes `to`.
 */
must_check struct sink *sink_gzip(struct sink *to);

#endif
