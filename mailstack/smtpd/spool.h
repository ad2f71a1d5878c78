/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool - the bytes of a message on their way: in memory, beyond SPOOL_MEMORY_MAX in a scratch file
 *
 * Who receives asks for the tail, appends to it, and asks again: each time it has room for at least
 * SPOOL_ROOM bytes. spool_view ends the writing and shows all of it as one view; a scratch file is
 * mapped for that. The file has no name: nothing is left of it when the process dies.
 *
 * Limits:    the caller's, on the size of a message.
 * Errors:    a scratch file that cannot be written (disk full): spool_tail gives NULL.
 * Tests:     tests/unit/mailstack/smtpd/test_spool.c
 */
#ifndef MR_SMTPD_SPOOL_H
#define MR_SMTPD_SPOOL_H

#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/buf.h"
#include "runtime/base/str.h"

struct err;

#define SPOOL_MEMORY_MAX 65536
#define SPOOL_ROOM       1024

struct spool {
    const char *dir; /* of the scratch file */
    struct buf memory;
    int fd;
    uint64_t file_n; /* bytes in the file; those in memory stand behind them */
    void *map;
};

void spool_init(struct spool *s, const char *dir);
void spool_done(struct spool *s);
must_check struct buf *spool_tail(struct spool *s, struct err *err);
must_check int spool_append(struct spool *s, struct str bytes, struct err *err);
void spool_drop(struct spool *s); /* forgets all that was written */
/* All of it; lives until spool_done. */
must_check int spool_view(struct spool *s, struct str *out, struct err *err);

#endif
