/* SPDX-License-Identifier: Apache-2.0 */
/*
 * msgfile - the bytes of one stored message
 *
 * A small file is read, a large one is mapped: its pages are the kernel's and are given back under
 * pressure. Message files never change once they have their name.
 *
 * Limits:    MSGFILE_MAX bytes; above, EFBIG.
 * Tests:     tests/unit/mailstack/lib/store/test_msgfile.c
 */
#ifndef MR_STORE_MSGFILE_H
#define MR_STORE_MSGFILE_H

#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct err;

#define MSGFILE_MAX      (2ull << 30)
#define MSGFILE_READ_MAX 262144 /* read up to here, map beyond */

struct msgfile {
    struct str raw; /* as stored, until msgfile_close */
    char *heap;
    void *map;
};

must_check int msgfile_open(struct msgfile *f, int fd, struct err *err); /* fd stays the caller's */
void msgfile_close(struct msgfile *f);                                   /* a zeroed one is fine */

/* The size with CRLF line ends, by reading it all. */
must_check int msgfile_vsize(int fd, uint64_t *out, struct err *err);

#endif
