/* SPDX-License-Identifier: Apache-2.0 */
/*
 * user - the process of one user: all of that user's sessions on one loop
 *
 * Forked by the parent, without exec, at the first session; confined to the user's home by Landlock
 * where the kernel has it. Sessions arrive over a SOCK_SEQPACKET pair. Messages on it:
 *
 *     parent to user   a hand-off (handoff.h) with its descriptor; its first byte is the version
 *                      "N BOX"    something happened in a watched folder
 *                      "G"        go: the request to end is granted
 *     user to parent   "W BOX"    watch the folder whose descriptor comes along (notify.h)
 *                      "U BOX"    watch it no more
 *                      "E COUNT"  may I end? COUNT hand-offs were received
 *
 * The process asks to end when it has had no session for USER_LINGER_MS; the parent grants it
 * unless a hand-off is under way, so none is lost.
 *
 * Sessions that select the same folder share one struct mailbox.
 *
 * Tests:     tests/mail/test_imap.py
 */
#ifndef MR_IMAPD_USER_H
#define MR_IMAPD_USER_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/list.h"
#include "runtime/base/loop.h"
#include "runtime/base/str.h"

struct conf;
struct err;
struct index;
struct mailbox;
struct store;

#define USER_LINGER_MS 5000
#define USER_POLL_MS   30000 /* IDLE looks by itself this often, should a hint get lost */

struct user {
    const struct conf *conf;
    const struct store *store;
    struct loop *loop;
    struct loop_io io; /* to the parent */
    struct loop_timer linger;
    struct loop_timer poll;
    int sock;
    char *name;
    int home_fd;
    struct index *index;
    struct list sessions;
    size_t sessions_n;
    struct list boxes;
    uint32_t box_number;
    uint64_t received; /* hand-offs */
    uint64_t quota;    /* told by the last hand-off */
    bool draining;
};

/* A selected folder. */
struct box {
    struct list node;
    struct mailbox *mailbox;
    uint32_t number;
    unsigned refs;
    bool watched;
    bool orphan; /* deleted or renamed: not found by name any more */
};

/* Runs until the last session is over; the exit code of the process. sock becomes the user's. */
must_check int user_run(const struct conf *conf, const struct store *store, struct str name,
                        int sock);

/* The box of that folder, opened or shared; NULL with err set. */
must_check struct box *user_open_box(struct user *u, struct str name, struct err *err);
void user_close_box(struct user *u, struct box *b); /* NULL is fine */
void user_watch_box(struct user *u, struct box *b);
/* The folder's name no longer leads to these messages. */
void user_forget_box(struct user *u, struct str name);
/* Sessions in IDLE on this box are told what changed. */
void user_tell_idle(struct user *u, const struct box *b);
void user_session_gone(struct user *u);

#endif
