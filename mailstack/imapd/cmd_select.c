/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SELECT, EXAMINE, CLOSE, UNSELECT: into and out of the selected state.
 */
#include <errno.h>

#include "runtime/base/err.h"
#include "runtime/base/log.h"

#include "mailstack/imapd/cmd.h"
#include "mailstack/imapd/expunge.h"
#include "mailstack/imapd/session.h"
#include "mailstack/imapd/user.h"
#include "mailstack/lib/store/folder.h"
#include "mailstack/lib/store/mailbox.h"

static void describe(struct session *s)
{
    const struct mailbox *mb = s->view.box->mailbox;
    uint32_t unseen = view_first_unseen(&s->view);
    struct buf *out = session_out(s);

    view_put_flag_list(&s->view, out);
    buf_printf(out, "* %zu EXISTS\r\n* %zu RECENT\r\n", s->view.n, s->view.recent_n);
    if (unseen != 0)
        buf_printf(out, "* OK [UNSEEN %u] first unseen\r\n", unseen);
    buf_printf(out, "* OK [UIDVALIDITY %u] UIDs are valid\r\n* OK [UIDNEXT %u] next UID\r\n",
               mb->validity, mb->next);
}

static void open_folder(struct session *s, const struct imap_cmd *c, bool read_only)
{
    struct err err = {0};
    struct box *box;
    struct str name;

    session_unselect(s); /* also where the new one cannot be selected */
    name = cmd_folder(s, &c->args[0]);
    if (name.p == NULL)
        return;
    box = user_open_box(s->user, name, &err);
    if (box == NULL) {
        session_fail(s, &err);
        return;
    }
    folder_sweep(box->mailbox->folder_fd);
    view_open(&s->view, box, read_only);
    s->has_view = true;
    s->state = SESSION_SELECTED;
    describe(s);
    session_ok(s, read_only ? "[READ-ONLY] examined" : "[READ-WRITE] selected");
}

void cmd_select(struct session *s, const struct imap_cmd *c)
{
    open_folder(s, c, false);
}

void cmd_examine(struct session *s, const struct imap_cmd *c)
{
    open_folder(s, c, true);
}

/* RFC 3501, 6.4.2: what is marked is removed, and nothing is said about it. */
void cmd_close(struct session *s, const struct imap_cmd *c)
{
    struct err err = {0};
    int rc = 0;

    (void)c;
    if (!s->view.read_only)
        rc = expunge_deleted(s, NULL, &err);
    if (rc == 0)
        user_tell_idle(s->user, s->view.box);
    session_unselect(s);
    if (rc < 0)
        session_fail(s, &err);
    else
        session_ok(s, "closed");
}

void cmd_unselect(struct session *s, const struct imap_cmd *c)
{
    (void)c;
    session_unselect(s);
    session_ok(s, "unselected");
}
