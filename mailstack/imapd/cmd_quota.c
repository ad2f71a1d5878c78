/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GETQUOTA, GETQUOTAROOT (RFC 2087): one root, "", for the whole home. Units of 1024 octets.
 */
#include "runtime/base/err.h"

#include "mailstack/imapd/cmd.h"
#include "mailstack/imapd/session.h"
#include "mailstack/imapd/user.h"
#include "mailstack/lib/proto/imap_parser.h"
#include "mailstack/lib/proto/imap_quote.h"
#include "mailstack/lib/store/folder.h"
#include "mailstack/lib/store/quota.h"
#include "mailstack/lib/store/store.h"

static int put_quota(struct session *s, struct err *err)
{
    struct user *u = s->user;
    struct quota q;

    if (quota_get(u->home_fd, u->quota, u->store->quota, &q, err) < 0)
        return -1;
    if (q.limit == 0)
        link_put(&s->link, STR("* QUOTA \"\" ()\r\n"));
    else
        link_printf(&s->link, "* QUOTA \"\" (STORAGE %llu %llu)\r\n",
                    (unsigned long long)((q.used + 1023) / 1024),
                    (unsigned long long)(q.limit / 1024));
    return 0;
}

void cmd_getquota(struct session *s, const struct imap_cmd *c)
{
    struct err err = {0};
    struct str root;

    if (!imap_arg_astring(&c->args[0], &root))
        session_bad(s, "expected a quota root");
    else if (root.n > 0)
        session_no(s, "[NONEXISTENT] the only quota root is \"\"");
    else if (put_quota(s, &err) < 0)
        session_fail(s, &err);
    else
        session_ok(s, "done");
}

void cmd_getquotaroot(struct session *s, const struct imap_cmd *c)
{
    struct str name = cmd_folder(s, &c->args[0]);
    struct err err = {0};

    if (name.p == NULL)
        return;
    if (!folder_exists(s->user->home_fd, name)) {
        session_no(s, "[NONEXISTENT] no such mailbox");
        return;
    }
    link_put(&s->link, STR("* QUOTAROOT "));
    imap_quote_astring(session_out(s), name);
    link_put(&s->link, STR(" \"\"\r\n"));
    if (put_quota(s, &err) < 0)
        session_fail(s, &err);
    else
        session_ok(s, "done");
}
