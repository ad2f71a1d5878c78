/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE: one folder's name each.
 */
#include <errno.h>

#include "runtime/base/err.h"

#include "mailstack/imapd/cmd.h"
#include "mailstack/imapd/session.h"
#include "mailstack/imapd/user.h"
#include "mailstack/lib/proto/imap_parser.h"
#include "mailstack/lib/store/folder.h"
#include "mailstack/lib/store/index.h"
#include "mailstack/lib/store/mailbox.h"
#include "mailstack/lib/store/transfer.h"

/* "A." asks for a folder that will have others below it: any can. */
static struct imap_arg without_last_separator(const struct imap_arg *a)
{
    struct imap_arg cut = *a;

    if (cut.kind != IMAP_LIST && cut.s.n > 1 && cut.s.p[cut.s.n - 1] == FOLDER_SEPARATOR)
        cut.s.n--;
    return cut;
}

void cmd_create(struct session *s, const struct imap_cmd *c)
{
    struct imap_arg a = without_last_separator(&c->args[0]);
    struct str name = cmd_folder(s, &a);
    struct err err = {0};

    if (name.p == NULL)
        return;
    if (folder_create(s->user->home_fd, name, &err) < 0)
        session_fail(s, &err);
    else
        session_ok(s, "created");
}

void cmd_delete(struct session *s, const struct imap_cmd *c)
{
    struct str name = cmd_folder(s, &c->args[0]);
    struct err err = {0};

    if (name.p == NULL)
        return;
    if (folder_delete(s->user->home_fd, name, &err) < 0) {
        session_fail(s, &err);
        return;
    }
    user_forget_box(s->user, name);
    session_ok(s, "deleted");
}

/* RFC 3501, 6.3.5: INBOX stays, its messages move to a new folder. */
static int move_inbox(struct session *s, struct str to, struct err *err)
{
    struct box *inbox = user_open_box(s->user, STR("INBOX"), err);
    struct transfer t;
    uint32_t uid;
    int rc;

    if (inbox == NULL)
        return -1;
    rc = folder_create(s->user->home_fd, to, err);
    if (rc == 0)
        rc = transfer_begin(&t, inbox->mailbox, to, TRANSFER_MOVE, err);
    if (rc == 0) {
        for (size_t i = 0; rc == 0 && i < inbox->mailbox->n; i++)
            rc = transfer_one(&t, inbox->mailbox, i, &uid, err);
        if (rc == 0)
            rc = transfer_end(&t, err);
        else
            transfer_abort(&t);
        if (mailbox_sync(inbox->mailbox, err) < 0)
            rc = -1;
    }
    user_close_box(s->user, inbox);
    return rc;
}

void cmd_rename(struct session *s, const struct imap_cmd *c)
{
    struct str from = cmd_folder(s, &c->args[0]), to;
    struct err err = {0};
    int rc;

    if (from.p == NULL)
        return;
    to = cmd_folder(s, &c->args[1]);
    if (to.p == NULL)
        return;
    if (folder_is_inbox(from))
        rc = move_inbox(s, to, &err);
    else
        rc = folder_rename(s->user->home_fd, from, to, &err);
    if (rc < 0) {
        session_fail(s, &err);
        return;
    }
    if (!folder_is_inbox(from))
        user_forget_box(s->user, from);
    session_ok(s, "renamed");
}

static void change(struct session *s, const struct imap_cmd *c,
                   int (*fn)(int home_fd, struct str name, struct err *err))
{
    struct str name = cmd_folder(s, &c->args[0]);
    struct err err = {0};

    if (name.p == NULL)
        return;
    if (fn(s->user->home_fd, name, &err) < 0)
        session_fail(s, &err);
    else
        session_ok(s, "done");
}

void cmd_subscribe(struct session *s, const struct imap_cmd *c)
{
    change(s, c, folder_subscribe);
}

void cmd_unsubscribe(struct session *s, const struct imap_cmd *c)
{
    change(s, c, folder_unsubscribe);
}
