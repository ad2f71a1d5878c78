/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd - the commands: a table from verb to function, states and arguments; one file a verb
 *
 * Tests:     tests/mail/test_imap.py
 */
#ifndef MR_IMAPD_CMD_H
#define MR_IMAPD_CMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct err;
struct imap_arg;
struct imap_cmd;
struct session;

enum cmd_flags {
    CMD_HAS_UID = 1,    /* may come as UID ... */
    CMD_NO_EXPUNGE = 2, /* unless by UID: the client counts on its sequence numbers */
    CMD_WRITES = 4,     /* not in a folder opened by EXAMINE */
    CMD_NO_SYNC = 8,    /* does not look at the folder before its tagged response */
};

struct cmd {
    const char *name;
    unsigned states; /* of enum session_state */
    unsigned flags;
    size_t args_min;
    size_t args_max;
    void (*run)(struct session *s, const struct imap_cmd *c);
};

#define CMD_ARGS_ANY SIZE_MAX

const struct cmd *cmd_find(const struct imap_cmd *c); /* NULL: none of that name */

void cmd_capability(struct session *s, const struct imap_cmd *c);
void cmd_noop(struct session *s, const struct imap_cmd *c);
void cmd_logout(struct session *s, const struct imap_cmd *c);
void cmd_id(struct session *s, const struct imap_cmd *c);
void cmd_namespace(struct session *s, const struct imap_cmd *c);
void cmd_select(struct session *s, const struct imap_cmd *c);
void cmd_examine(struct session *s, const struct imap_cmd *c);
void cmd_close(struct session *s, const struct imap_cmd *c);
void cmd_unselect(struct session *s, const struct imap_cmd *c);
void cmd_create(struct session *s, const struct imap_cmd *c);
void cmd_delete(struct session *s, const struct imap_cmd *c);
void cmd_rename(struct session *s, const struct imap_cmd *c);
void cmd_subscribe(struct session *s, const struct imap_cmd *c);
void cmd_unsubscribe(struct session *s, const struct imap_cmd *c);
void cmd_list(struct session *s, const struct imap_cmd *c);
void cmd_lsub(struct session *s, const struct imap_cmd *c);
void cmd_status(struct session *s, const struct imap_cmd *c);
void cmd_append(struct session *s, const struct imap_cmd *c);
void cmd_idle(struct session *s, const struct imap_cmd *c);
void cmd_expunge(struct session *s, const struct imap_cmd *c);
void cmd_search(struct session *s, const struct imap_cmd *c);
void cmd_fetch(struct session *s, const struct imap_cmd *c);
void cmd_store(struct session *s, const struct imap_cmd *c);
void cmd_copy(struct session *s, const struct imap_cmd *c);
void cmd_move(struct session *s, const struct imap_cmd *c);
void cmd_getquota(struct session *s, const struct imap_cmd *c);
void cmd_getquotaroot(struct session *s, const struct imap_cmd *c);

/* --- what several of them need -------------------------------------------------------------------
 */

/* A folder's name, checked and in its one spelling, in the command's arena; p NULL and the reply
 * sent if it is none. */
must_check struct str cmd_folder(struct session *s, const struct imap_arg *a);

/* Positions in the view of a sequence set (or UID set), ascending, in the command's arena. A
 * sequence number that does not exist: false, and BAD was sent. UIDs that do not exist are passed
 * over. */
struct cmd_set {
    const size_t *v;
    size_t n;
};

must_check bool cmd_set(struct session *s, const struct imap_arg *a, bool uid, struct cmd_set *out);

/* Flags named in a list (or one atom): bits of maildir.h. With `make`, keywords that are not known
 * yet get a letter (the folder's lock is held); else they are 0. `unknown_n` counts those that have
 * no bit. */
struct mailbox;
must_check int cmd_flags(struct mailbox *mb, const struct imap_arg *args, size_t n, bool make,
                         uint32_t *out, struct err *err);

#endif
