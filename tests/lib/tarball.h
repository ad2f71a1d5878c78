/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarball - archives for tests, entry by entry, honest or not
 */
#ifndef MR_TESTS_TARBALL_H
#define MR_TESTS_TARBALL_H

#include "runtime/base/buf.h"
#include "runtime/base/str.h"

struct tarball_entry {
    const char *name; /* at most 100 bytes */
    char type;        /* '0', '1', '2', '5' ...; 0 stands for '0' */
    const char *target;
    const char *content;
    unsigned mode;          /* 0 stands for 0644, or 0755 */
    const char *size_field; /* NULL: as it is */
};

void tarball_put(struct buf *out, const struct tarball_entry *e);
/* An extended header ('x', 'g') or a GNU long name ('L', 'K') with these bytes. */
void tarball_put_meta(struct buf *out, char type, struct str content);
void tarball_end(struct buf *out);

#endif
