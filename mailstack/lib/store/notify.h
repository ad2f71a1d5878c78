/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify - learn that something happened in a folder, without looking (inotify)
 *
 * One inotify instance watches any number of folders: the kernel's limit of instances is for each
 * user id and small (128), that of watches is large. Events are hints: who gets one looks at the
 * folder itself.
 *
 * Lifetime:  notify_new/notify_free; a watch until notify_del.
 * Tests:     tests/unit/mailstack/lib/store/test_notify.c
 */
#ifndef MR_STORE_NOTIFY_H
#define MR_STORE_NOTIFY_H

#include "runtime/base/attr.h"

struct err;
struct notify;

struct notify_watch {
    int wd[2]; /* new/ and cur/; -1: none */
};

must_check struct notify *notify_new(struct err *err);
void notify_free(struct notify *n);    /* NULL is fine */
int notify_fd(const struct notify *n); /* readable when there is something for notify_read */

/* Watches new/ and cur/ of a folder for `w`; the descriptor is not needed afterwards. A folder that
 * is watched already is from now on watched for `w` only. */
must_check int notify_add(struct notify *n, struct notify_watch *w, int folder_fd, struct err *err);
void notify_del(struct notify *n, struct notify_watch *w);

/* Calls fn for watches that had events (a watch may come twice), and never blocks. If the queue ran
 * over, for all of them. */
void notify_read(struct notify *n, void (*fn)(void *ctx, struct notify_watch *w), void *ctx);

#endif
