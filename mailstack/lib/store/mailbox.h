/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mailbox - one folder as a list of messages in the order of their UIDs, kept in step with its
 * directories
 *
 * The list is read from the directories; files that other programs put there get UIDs, flags they
 * changed by renaming are noticed, files they removed are gone. Messages in new/ are moved to cur/.
 * With an index each change gets a MODSEQ and is recorded; without one (pop3d) MODSEQs are given
 * but forgotten. If the index fails (a full disk, say) the mailbox goes on without it: index_error
 * says why.
 *
 * mailbox_sync is cheap when nothing happened: two fstat calls. Changes are made between
 * mailbox_begin and mailbox_end, which hold the folder's lock: positions in `v` are stable there.
 *
 * Lifetime:  mailbox_new/mailbox_free. `v` and names in it change in mailbox_sync, _begin and _end.
 * Limits:    MAILBOX_MAX messages: beyond it opening fails with EMSGSIZE.
 * Tests:     tests/unit/mailstack/lib/store/test_mailbox.c
 */
#ifndef MR_STORE_MAILBOX_H
#define MR_STORE_MAILBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "runtime/base/attr.h"
#include "runtime/base/err.h"
#include "runtime/base/str.h"

#include "mailstack/lib/store/folder.h"
#include "mailstack/lib/store/keyword.h"
#include "mailstack/lib/store/uid.h"

struct index;
struct store;

#define MAILBOX_MAX 2000000

struct mailbox_msg {
    uint32_t uid;
    uint32_t flags; /* of maildir.h */
    uint64_t modseq;
    uint64_t size;  /* MAILDIR_NO_SIZE until asked for */
    uint64_t vsize; /* likewise */
    char *name;     /* of the file; NULL: removed since mailbox_begin */
    bool in_new;
};

struct mailbox {
    char name[FOLDER_NAME_MAX + 2];
    const struct store *st;
    int home_fd; /* the caller's */
    int folder_fd;
    int new_fd;
    int cur_fd;
    struct uid uid;
    struct index *index; /* the caller's; NULL: none, or it failed */
    struct err index_error;
    struct keywords keywords;
    struct mailbox_msg *v;
    size_t n;
    size_t cap;
    uint32_t validity;
    uint32_t next;        /* UIDNEXT */
    uint32_t recent_from; /* UIDs from here on were shown to no session */
    uint64_t modseq;      /* the highest given */
    uint64_t changes;     /* grows with every change of v */
    struct timespec new_mtime, cur_mtime;
    bool unsure_new, unsure_cur; /* a change in the clock tick of the last look may be missed */
    uint64_t begin_changes;
    int64_t removed_bytes, removed_n;
};

must_check struct mailbox *mailbox_new(const struct store *st, int home_fd, struct index *index,
                                       struct str name, struct err *err);
void mailbox_free(struct mailbox *mb); /* NULL is fine */

/* Looks for changes made by others. ENOENT: the folder was deleted or renamed. */
must_check int mailbox_sync(struct mailbox *mb, struct err *err);
/* Position of a UID, or -1. */
ptrdiff_t mailbox_find(const struct mailbox *mb, uint32_t uid);
/* Position of the first message with at least this UID; n if there is none. */
size_t mailbox_from(const struct mailbox *mb, uint32_t uid);

must_check int mailbox_begin(struct mailbox *mb, struct err *err); /* with a sync */
/* Gives message i these flags and the next MODSEQ; the same flags: nothing. */
must_check int mailbox_set_flags(struct mailbox *mb, size_t i, uint32_t flags, struct err *err);
must_check int mailbox_remove(struct mailbox *mb, size_t i, struct err *err);
void mailbox_end(struct mailbox *mb); /* removed messages leave v */

/* The file; ENOENT if the message is gone by now. */
must_check int mailbox_open_msg(struct mailbox *mb, uint32_t uid, struct err *err);
/* Size with CRLF line ends, from the name or by reading; and the time of arrival. */
must_check int mailbox_vsize(struct mailbox *mb, size_t i, uint64_t *out, struct err *err);
must_check int mailbox_date(struct mailbox *mb, size_t i, struct timespec *out, struct err *err);

/* The first UID no session was shown as recent; from now on it is the one behind the last. */
uint32_t mailbox_claim_recent(struct mailbox *mb);

#endif
