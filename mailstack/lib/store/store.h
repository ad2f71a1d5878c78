/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store - the mail volume: a directory of homes, and what every writer to it must know
 *
 * One struct store per process, filled once at start and only read afterwards.
 *
 *     ROOT/example.org/alice/            a home: Maildir++ with its own INBOX
 *         cur/ new/ tmp/                 INBOX
 *         .Sent/ .A.B/ ...               folders, each with cur/ new/ tmp/ and `maildirfolder`
 *         subscriptions maildirsize      as Dovecot and Courier have them
 *         dovecot-keywords               of each folder: names of the flag letters a..z
 *         mailstack-uid                  of each folder: UIDVALIDITY and UIDs (uid.h); its lock
 *         mailstack-uidvalidity          the last UIDVALIDITY given to a folder
 *         mailstack-index.db             SQLite; may be deleted at any time (index.h)
 *
 * Several processes with different user ids and one common group write here: directories are 2770,
 * files 0660, nothing relies on ownership.
 *
 * Tests:     tests/unit/mailstack/lib/store/test_home.c
 */
#ifndef MR_STORE_STORE_H
#define MR_STORE_STORE_H

#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct err;

#define STORE_BOOT_MAX  40
#define STORE_HOST_MAX  64
#define STORE_DIR_MODE  02770
#define STORE_FILE_MODE 0660

struct store {
    int root_fd;
    char boot[STORE_BOOT_MAX]; /* the kernel's boot id; empty if it cannot be read */
    char host[STORE_HOST_MAX]; /* for file names: letters, digits, '.', '-' */
    uint64_t quota;            /* bytes, where none was told for an account; 0: unlimited */
};

must_check int store_open(struct store *st, const char *path, struct str hostname, uint64_t quota,
                          struct err *err);
void store_close(struct store *st);

/* mkdirat with the mode of the volume; an existing directory is fine. */
must_check int store_mkdir(int dir_fd, const char *name, struct err *err);
/* A directory beneath dir_fd, links not followed; ENOENT in err->code if it is not there. */
must_check int store_opendir(int dir_fd, const char *name, struct err *err);

#endif
