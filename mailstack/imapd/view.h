/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view - what one session was told of its selected folder: sequence numbers, flags, recent
 *
 * The box is shared and changes at any time; the view changes only when the session may be told so
 * (RFC 3501, 5.2 and 7.4.1: no EXPUNGE while FETCH, STORE or SEARCH by sequence number is in
 * progress, or when no command is).
 *
 * Tests:     tests/mail/test_imap_sync.py
 */
#ifndef MR_IMAPD_VIEW_H
#define MR_IMAPD_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct box;
struct buf;
struct mailbox;

struct view_msg {
    uint64_t modseq; /* up to which the client knows the flags */
    uint32_t uid;
    bool recent;
};

struct view {
    struct box *box;
    struct view_msg *v;
    size_t n;
    size_t cap;
    size_t recent_n;
    uint32_t recent_from; /* of messages to come */
    uint32_t keywords;    /* bits of the names in the last FLAGS */
    uint64_t changes;     /* of the mailbox, as far as told */
    bool owes_expunge;    /* something could not be told yet */
    bool read_only;
};

enum view_how {
    VIEW_WITH_EXPUNGE,
    VIEW_NO_EXPUNGE,
};

/* Takes the box's messages as they are, told nothing yet. */
void view_open(struct view *w, struct box *box, bool read_only);
void view_done(struct view *w); /* the box is the caller's */
/* Appends untagged responses for what changed since. with_uid: in FETCH (the command was UID ...).
 */
void view_tell(struct view *w, enum view_how how, bool with_uid, struct buf *out);
/* Position of a UID, or -1. */
ptrdiff_t view_find(const struct view *w, uint32_t uid);
/* The mailbox's position of the i-th, or -1 if it is gone. */
ptrdiff_t view_msg(const struct view *w, size_t i);
uint32_t view_first_unseen(const struct view *w); /* sequence number, or 0 */

/* "FLAGS (\Seen ...)" of a message; "* FLAGS (...)" and the PERMANENTFLAGS of the folder. */
void view_put_flags(const struct mailbox *mb, uint32_t flags, bool recent, struct buf *out);
void view_put_flag_list(struct view *w, struct buf *out);

#endif
