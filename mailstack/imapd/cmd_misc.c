/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CAPABILITY, NOOP (and CHECK), LOGOUT, ID, NAMESPACE: those that need no file of their own.
 */
#include "runtime/base/log.h"

#include "mailstack/imapd/cmd.h"
#include "mailstack/imapd/session.h"
#include "mailstack/imapd/user.h"

void cmd_capability(struct session *s, const struct imap_cmd *c)
{
    (void)c;
    link_put(&s->link, STR("* CAPABILITY " SESSION_CAPABILITIES "\r\n"));
    session_ok(s, "done");
}

void cmd_noop(struct session *s, const struct imap_cmd *c)
{
    (void)c;
    session_ok(s, "done");
}

void cmd_logout(struct session *s, const struct imap_cmd *c)
{
    (void)c;
    log_info("imap.logout", LOG_S("user", s->user->name));
    link_put(&s->link, STR("* BYE logging out\r\n"));
    session_ok(s, "bye");
    s->closing = true;
    link_finish(&s->link);
}

void cmd_id(struct session *s, const struct imap_cmd *c)
{
    (void)c; /* what the client says of itself is not kept */
    link_put(&s->link,
             STR("* ID (\"name\" \"mailbox-run imapd\" \"version\" \"" MR_VERSION "\")\r\n"));
    session_ok(s, "done");
}

void cmd_namespace(struct session *s, const struct imap_cmd *c)
{
    (void)c;
    link_put(&s->link, STR("* NAMESPACE ((\"\" \".\")) NIL NIL\r\n"));
    session_ok(s, "done");
}
