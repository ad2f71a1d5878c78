/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/err.h"

#include "mailstack/imapd/cmd.h"
#include "mailstack/imapd/expunge.h"
#include "mailstack/imapd/session.h"
#include "mailstack/imapd/user.h"
#include "mailstack/lib/store/mailbox.h"
#include "mailstack/lib/store/maildir.h"

static int remove_if_marked(struct session *s, size_t at, struct err *err)
{
    struct mailbox *mb = s->view.box->mailbox;
    ptrdiff_t i = view_msg(&s->view, at);

    if (i < 0 || (mb->v[i].flags & MAILDIR_DELETED) == 0)
        return 0;
    return mailbox_remove(mb, (size_t)i, err);
}

int expunge_deleted(struct session *s, const struct cmd_set *only, struct err *err)
{
    struct mailbox *mb = s->view.box->mailbox;
    size_t n = only != NULL ? only->n : s->view.n;
    int rc = 0;

    if (mailbox_begin(mb, err) < 0)
        return -1;
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = remove_if_marked(s, only != NULL ? only->v[i] : i, err);
    mailbox_end(mb);
    return rc;
}

void cmd_expunge(struct session *s, const struct imap_cmd *c)
{
    struct err err = {0};
    struct cmd_set set;

    if (c->uid != (c->args_n == 1)) {
        session_bad(s, "wrong number of arguments");
        return;
    }
    if (c->uid && !cmd_set(s, &c->args[0], true, &set))
        return;
    if (expunge_deleted(s, c->uid ? &set : NULL, &err) < 0)
        session_fail(s, &err);
    else
        session_ok(s, "expunged");
}
