/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IDLE (RFC 2177): the session stays in the command until DONE; what happens in the folder is told
 * as it happens (user_tell_idle), and meanwhile the deadline is the ordinary one.
 */
#include <errno.h>

#include "runtime/base/err.h"

#include "mailstack/imapd/cmd.h"
#include "mailstack/imapd/session.h"
#include "mailstack/imapd/user.h"
#include "mailstack/lib/store/mailbox.h"

void cmd_idle(struct session *s, const struct imap_cmd *c)
{
    struct err err = {0};

    (void)c;
    session_leave_input(s);
    link_put(&s->link, STR("+ idling\r\n"));
    s->idle = true;
    if (!s->has_view)
        return;
    user_watch_box(s->user, s->view.box);
    if (mailbox_sync(s->view.box->mailbox, &err) < 0)
        return; /* the folder was deleted: nothing will happen in it */
    session_tell(s);
}
