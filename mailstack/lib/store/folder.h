/* SPDX-License-Identifier: Apache-2.0 */
/*
 * folder - the folders of a home (Maildir++): names, list, create, delete, rename, subscriptions
 *
 * A folder's name is what IMAP shows: modified UTF-7, levels separated by '.', "INBOX" (in any
 * case) for the home itself. "A.B" lives in the directory ".A.B" of the home; that ".A" exists is
 * not implied. Folders are made and removed under tmp/ and renamed into or out of place, so that
 * none is ever seen half made.
 *
 * Errors:    err->code is ENOENT (no such folder), EEXIST, EINVAL (a name that cannot be), EPERM
 *            (not with INBOX).
 * Limits:    FOLDER_NAME_MAX bytes a name, FOLDER_DEPTH_MAX levels, FOLDER_MAX folders.
 * Tests:     tests/unit/mailstack/lib/store/test_folder.c
 */
#ifndef MR_STORE_FOLDER_H
#define MR_STORE_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct err;

#define FOLDER_NAME_MAX  200
#define FOLDER_DEPTH_MAX 32
#define FOLDER_MAX       10000
#define FOLDER_SEPARATOR '.'
#define FOLDER_SPECIALS  5

struct folder_special {
    const char *name;
    const char *use; /* RFC 6154: "\\Sent" */
};

extern const struct folder_special folder_special[FOLDER_SPECIALS];
/* The special use of a folder of that name, or NULL. */
const char *folder_use(struct str name);

/* Writes the directory's name, terminated: "." for INBOX, ".Sent". */
must_check int folder_dir(struct str name, char out[FOLDER_NAME_MAX + 2], struct err *err);
bool folder_is_inbox(struct str name);
/* INBOX, and INBOX as the first level of a name, in capitals; else as given. Writes, terminated. */
must_check int folder_canonical(struct str name, char out[FOLDER_NAME_MAX + 2], struct err *err);

/* The folder's directory descriptor. */
must_check int folder_open(int home_fd, struct str name, struct err *err);
bool folder_exists(int home_fd, struct str name);
must_check int folder_create(int home_fd, struct str name, struct err *err);
must_check int folder_delete(int home_fd, struct str name, struct err *err);
/* With what is below it. INBOX is refused here: its messages are moved, not its directory. */
must_check int folder_rename(int home_fd, struct str from, struct str to, struct err *err);
/* cur, new, tmp of a directory where they are missing. */
must_check int folder_make_dirs(int dir_fd, struct err *err);

struct folder_names {
    char **v; /* sorted bytewise, no duplicates */
    size_t n;
};

void folder_names_done(struct folder_names *l);
bool folder_names_has(const struct folder_names *l, struct str name);
/* All that exist, INBOX included. */
must_check int folder_list(int home_fd, struct folder_names *out, struct err *err);
must_check int folder_subscriptions(int home_fd, struct folder_names *out, struct err *err);
/* Adds or removes one name; either is fine if nothing changes. */
must_check int folder_subscribe(int home_fd, struct str name, struct err *err);
must_check int folder_unsubscribe(int home_fd, struct str name, struct err *err);

/* Removes what a crash left behind in tmp/ of a folder: older than FOLDER_STALE_S. */
#define FOLDER_STALE_S (36 * 3600) /* Maildir's own figure */
void folder_sweep(int folder_fd);

#endif
