/* SPDX-License-Identifier: Apache-2.0 */
/*
 * STORE (RFC 3501, 6.4.6): each message's flags are told afterwards by view_tell, unless .SILENT.
 */
#include <errno.h>

#include "runtime/base/err.h"

#include "mailstack/imapd/cmd.h"
#include "mailstack/imapd/session.h"
#include "mailstack/imapd/user.h"
#include "mailstack/lib/proto/imap_parser.h"
#include "mailstack/lib/store/mailbox.h"

enum how {
    HOW_SET,
    HOW_ADD,
    HOW_DEL
};

struct change {
    enum how how;
    bool silent;
    uint32_t flags;
};

static bool parse_item(const struct imap_arg *a, struct change *ch)
{
    static const struct {
        const char *name;
        enum how how;
        bool silent;
    } items[] = {
        {"FLAGS", HOW_SET, false},        {"+FLAGS", HOW_ADD, false},
        {"-FLAGS", HOW_DEL, false},       {"FLAGS.SILENT", HOW_SET, true},
        {"+FLAGS.SILENT", HOW_ADD, true}, {"-FLAGS.SILENT", HOW_DEL, true},
    };

    for (size_t i = 0; i < ARRAY_N(items); i++) {
        if (!imap_arg_is(a, items[i].name))
            continue;
        ch->how = items[i].how;
        ch->silent = items[i].silent;
        return true;
    }
    return false;
}

static uint32_t apply(const struct change *ch, uint32_t flags)
{
    switch (ch->how) {
    case HOW_SET:
        return ch->flags;
    case HOW_ADD:
        return flags | ch->flags;
    case HOW_DEL:
        return flags & ~ch->flags;
    }
    return flags;
}

/* A silent change is known to the client, unless there is another it has not heard of. */
static int change_one(struct session *s, const struct change *ch, size_t at, struct err *err)
{
    struct mailbox *mb = s->view.box->mailbox;
    struct view_msg *v = &s->view.v[at];
    ptrdiff_t i = view_msg(&s->view, at);
    bool known;

    if (i < 0)
        return 0;
    known = mb->v[i].modseq <= v->modseq;
    if (mailbox_set_flags(mb, (size_t)i, apply(ch, mb->v[i].flags), err) < 0)
        return err->code == ENOENT ? 0 : -1; /* removed by another program this moment */
    if (!ch->silent)
        v->modseq = 0;
    else if (known)
        v->modseq = mb->v[i].modseq;
    return 0;
}

static int change_all(struct session *s, struct change *ch, const struct imap_arg *flags, size_t n,
                      const struct cmd_set *set, struct err *err)
{
    struct mailbox *mb = s->view.box->mailbox;
    int rc;

    if (mailbox_begin(mb, err) < 0)
        return -1;
    rc = cmd_flags(mb, flags, n, ch->how != HOW_DEL, &ch->flags, err);
    for (size_t i = 0; rc == 0 && i < set->n; i++)
        rc = change_one(s, ch, set->v[i], err);
    mailbox_end(mb);
    if (!ch->silent)
        s->view.changes = UINT64_MAX; /* tell, also where nothing changed */
    return rc;
}

void cmd_store(struct session *s, const struct imap_cmd *c)
{
    bool list = c->args_n == 3 && c->args[2].kind == IMAP_LIST;
    struct err err = {0};
    struct cmd_set set;
    struct change ch;

    if (!parse_item(&c->args[1], &ch)) {
        session_bad(s, "expected FLAGS, +FLAGS or -FLAGS");
        return;
    }
    if (!cmd_set(s, &c->args[0], c->uid, &set))
        return;
    if (change_all(s, &ch, list ? c->args[2].list : &c->args[2],
                   list ? c->args[2].list_n : c->args_n - 2, &set, &err) == 0)
        session_ok(s, "stored");
    else if (err.code == EPROTO)
        session_bad(s, "%s", "not a flag that can be set");
    else
        session_fail(s, &err);
}
