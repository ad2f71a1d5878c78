/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DELE, RSET, QUIT: marks, and the UPDATE state that carries them out.
 */
#include "runtime/base/err.h"
#include "runtime/base/log.h"

#include "mailstack/lib/store/mailbox.h"
#include "mailstack/lib/store/maildir.h"
#include "mailstack/pop3d/cmd.h"
#include "mailstack/pop3d/session.h"

void cmd_dele(struct session *s, const struct pop3_cmd *c)
{
    struct session_msg *m = session_msg(s, c, 0);

    if (m == NULL)
        return;
    m->deleted = true;
    session_ok(s, "marked");
}

void cmd_rset(struct session *s, const struct pop3_cmd *c)
{
    (void)c;
    for (size_t i = 0; i < s->n; i++)
        s->v[i].deleted = false;
    cmd_stat(s, c);
}

static int update_one(struct session *s, const struct session_msg *m, struct err *err)
{
    ptrdiff_t i = mailbox_find(s->mailbox, m->uid);

    if (i < 0 || s->mailbox->v[i].name == NULL)
        return 0; /* someone else removed it */
    if (m->deleted)
        return mailbox_remove(s->mailbox, (size_t)i, err);
    if (!m->retrieved)
        return 0;
    return mailbox_set_flags(s->mailbox, (size_t)i, s->mailbox->v[i].flags | MAILDIR_SEEN, err);
}

/* All that can be done is done; the first failure is reported. */
static int update(struct session *s, struct err *err)
{
    int rc = 0;

    if (mailbox_begin(s->mailbox, err) < 0)
        return -1;
    for (size_t i = 0; i < s->n; i++) {
        struct err why = {0};

        if (update_one(s, &s->v[i], &why) < 0 && rc == 0) {
            *err = why;
            rc = -1;
        }
    }
    mailbox_end(s->mailbox);
    return rc;
}

void cmd_quit(struct session *s, const struct pop3_cmd *c)
{
    struct err err = {0};

    (void)c;
    if (update(s, &err) < 0) {
        log_error("pop3.update_failed", LOG_S("error", err.text));
        session_err(s, "[SYS/TEMP] some deleted messages were not removed");
    } else {
        session_ok(s, "bye");
    }
    s->over = true;
}
