/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyword - names of the flag letters a..z of a folder (`dovecot-keywords`)
 *
 * Lines of "INDEX NAME": 0 is the letter a. A name keeps its letter for ever. Letters that are in
 * file names but not in the file get the name "keyword-x".
 *
 * Limits:    MAILDIR_KEYWORDS names of at most KEYWORD_MAX bytes.
 * Tests:     tests/unit/mailstack/lib/store/test_keyword.c
 */
#ifndef MR_STORE_KEYWORD_H
#define MR_STORE_KEYWORD_H

#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

#include "mailstack/lib/store/maildir.h"

struct err;

#define KEYWORD_MAX  100
#define KEYWORD_FILE "dovecot-keywords"

struct keywords {
    char *name[MAILDIR_KEYWORDS]; /* NULL: not in use */
};

must_check int keyword_load(struct keywords *k, int folder_fd, struct err *err);
void keyword_done(struct keywords *k);
/* The flag bit of a name (case does not matter), or 0. */
uint32_t keyword_bit(const struct keywords *k, struct str name);
/* The same, given a letter if it has none yet and one is free (else ENOSPC); the folder's lock is
 * held. */
must_check int keyword_add(struct keywords *k, int folder_fd, struct str name, uint32_t *bit,
                           struct err *err);
/* Gives the letters in flags that have no name one. */
must_check int keyword_name_all(struct keywords *k, uint32_t flags, struct err *err);
/* flags of one folder as those of another: names that `to` lacks, and cannot take, are dropped. */
must_check int keyword_map(const struct keywords *from, struct keywords *to, int to_fd,
                           uint32_t flags, uint32_t *out, struct err *err);

#endif
