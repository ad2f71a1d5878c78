/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan - the messages in a folder's directories, each with a UID
 *
 * The folder's lock (uid.h) is held from scan_init to scan_settle. Files without a UID of this
 * folder, or with one that another file has too, get a new one in the order of their names; then
 * those in new/ are moved to cur/, as far as that succeeds.
 *
 * Tests:     tests/unit/mailstack/lib/store/test_mailbox.c
 */
#ifndef MR_STORE_SCAN_H
#define MR_STORE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"

struct err;
struct uid;

enum scan_where {
    SCAN_NEW,
    SCAN_CUR
};

struct scan_msg {
    uint32_t uid; /* 0: none yet */
    uint32_t flags;
    uint64_t size; /* MAILDIR_NO_SIZE: the name does not tell */
    uint64_t vsize;
    char *name;
    bool in_new;
};

struct scan {
    struct uid *uid;
    int new_fd;
    int cur_fd;
    struct scan_msg *v;
    size_t n;
    size_t cap;
    bool renamed; /* files were renamed by scan_settle */
};

void scan_init(struct scan *s, struct uid *uid, int new_fd, int cur_fd);
void scan_done(struct scan *s);
must_check int scan_dir(struct scan *s, enum scan_where where, struct err *err);
/* Afterwards v is in the order of UIDs, without doubles. */
must_check int scan_settle(struct scan *s, struct err *err);

#endif
