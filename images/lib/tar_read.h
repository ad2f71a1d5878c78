/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tar_read - tar archives, one entry after the other: v7, ustar, pax, GNU long names
 *
 * The reader pulls from a source and never goes back. What pax or GNU records say about an entry is
 * already merged into it. Global pax headers are passed over, as container engines do; sparse files
 * and types that no layer may hold are errors. Names are given as they stand in the archive:
 * judging them is up to the caller.
 *
 * Limits:    below. A size is compared with TAR_SIZE_MAX before anything is done with it; memory is
 *            bounded by TAR_META_MAX whatever the archive says.
 * Lifetime:  an entry looks into the reader and lives until the next call.
 * Tests:     tests/unit/images/lib/test_tar.c
 * Fuzz:      tests/fuzz/images/lib/fuzz_tar_read.c
 */
#ifndef MR_IMAGE_TAR_READ_H
#define MR_IMAGE_TAR_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct err;
struct source;

#define TAR_BLOCK       512
#define TAR_PATH_MAX    4095          /* what the kernel takes as a path, without its NUL */
#define TAR_SIZE_MAX    (1LL << 40)   /* of one file: 1 TiB */
#define TAR_META_MAX    (1024 * 1024) /* of one pax record set or GNU long name */
#define TAR_XATTRS_MAX  64            /* extended attributes of one entry */
#define TAR_SPECIAL_MAX 16            /* headers in a row that only describe the next entry */

enum tar_type {
    TAR_FILE,
    TAR_HARDLINK,
    TAR_SYMLINK,
    TAR_CHAR,
    TAR_BLOCKDEV,
    TAR_DIR,
    TAR_FIFO
};

struct tar_xattr {
    struct str name;
    struct str value;
};

struct tar_entry {
    enum tar_type type;
    struct str name; /* not empty, no NUL inside, at most TAR_PATH_MAX; so is target */
    struct str target;
    uint32_t mode; /* 07777 at most */
    uint32_t uid;
    uint32_t gid;
    uint64_t size; /* of the data that follow: 0 for all but TAR_FILE */
    int64_t mtime_s;
    uint32_t mtime_ns;
    uint32_t major;
    uint32_t minor;
    const struct tar_xattr *xattrs;
    size_t xattrs_n;
};

struct tar_reader;

must_check struct tar_reader *tar_reader_new(struct source *from); /* does not take it */
void tar_reader_free(struct tar_reader *r);                        /* NULL is fine */

/* The next entry; what is left of the data of the last one is passed over. *more is false at the
 * end of the archive. */
must_check int tar_next(struct tar_reader *r, struct tar_entry *e, bool *more, struct err *err);
/* Data of the entry, up to n bytes; 0 at its end. */
must_check ssize_t tar_data(struct tar_reader *r, void *p, size_t n, struct err *err);

#endif
