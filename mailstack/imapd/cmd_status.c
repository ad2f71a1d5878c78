/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/buf.h"
#include "runtime/base/err.h"

#include "mailstack/imapd/cmd.h"
#include "mailstack/imapd/session.h"
#include "mailstack/imapd/user.h"
#include "mailstack/lib/proto/imap_parser.h"
#include "mailstack/lib/proto/imap_quote.h"
#include "mailstack/lib/store/mailbox.h"
#include "mailstack/lib/store/maildir.h"

static uint32_t messages(const struct mailbox *mb)
{
    return (uint32_t)mb->n;
}

static uint32_t recent(const struct mailbox *mb)
{
    return (uint32_t)(mb->n - mailbox_from(mb, mb->recent_from));
}

static uint32_t uidnext(const struct mailbox *mb)
{
    return mb->next;
}

static uint32_t uidvalidity(const struct mailbox *mb)
{
    return mb->validity;
}

static uint32_t unseen(const struct mailbox *mb)
{
    uint32_t n = 0;

    for (size_t i = 0; i < mb->n; i++)
        n += (mb->v[i].flags & MAILDIR_SEEN) == 0;
    return n;
}

static const struct {
    const char *name;
    uint32_t (*get)(const struct mailbox *mb);
} items[] = {
    {"MESSAGES", messages},       {"RECENT", recent}, {"UIDNEXT", uidnext},
    {"UIDVALIDITY", uidvalidity}, {"UNSEEN", unseen},
};

static bool put_item(const struct mailbox *mb, const struct imap_arg *a, bool first,
                     struct buf *out)
{
    for (size_t i = 0; i < ARRAY_N(items); i++) {
        if (!imap_arg_is(a, items[i].name))
            continue;
        buf_printf(out, "%s%s %u", first ? "" : " ", items[i].name, items[i].get(mb));
        return true;
    }
    return false;
}

static bool check_items(const struct imap_arg *list)
{
    for (size_t i = 0; i < list->list_n; i++) {
        bool known = false;

        for (size_t j = 0; j < ARRAY_N(items); j++)
            known |= imap_arg_is(&list->list[i], items[j].name);
        if (!known)
            return false;
    }
    return list->list_n > 0;
}

static void put_status(struct session *s, struct str name, const struct mailbox *mb,
                       const struct imap_arg *list)
{
    struct buf *out = session_out(s);

    buf_append_c(out, "* STATUS ");
    imap_quote_astring(out, name);
    buf_append_c(out, " (");
    for (size_t i = 0; i < list->list_n; i++)
        (void)put_item(mb, &list->list[i], i == 0, out); /* all are known: checked before */
    buf_append_c(out, ")\r\n");
}

void cmd_status(struct session *s, const struct imap_cmd *c)
{
    struct err err = {0};
    struct box *box;
    struct str name;

    if (c->args[1].kind != IMAP_LIST || !check_items(&c->args[1])) {
        session_bad(s, "expected a list of status items");
        return;
    }
    name = cmd_folder(s, &c->args[0]);
    if (name.p == NULL)
        return;
    box = user_open_box(s->user, name, &err);
    if (box == NULL) {
        session_fail(s, &err);
        return;
    }
    put_status(s, name, box->mailbox, &c->args[1]);
    user_close_box(s->user, box);
    session_ok(s, "done");
}
