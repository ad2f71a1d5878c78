/* SPDX-License-Identifier: Apache-2.0 */
/*
 * COPY (RFC 3501, 6.4.7) and MOVE (RFC 6851), with COPYUID (RFC 4315).
 */
#include <errno.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"

#include "mailstack/imapd/cmd.h"
#include "mailstack/imapd/session.h"
#include "mailstack/imapd/user.h"
#include "mailstack/lib/proto/imap_seqset.h"
#include "mailstack/lib/store/mailbox.h"
#include "mailstack/lib/store/transfer.h"

#define SETS_MAX (1u << 20) /* bytes of a UID set; a longer one is left out */

struct copied {
    struct imap_seqset_out from_set, to_set;
    struct buf from, to;
    uint32_t validity;
    size_t n;
};

static int copy_one(struct session *s, struct transfer *t, size_t at, struct copied *done,
                    struct err *err)
{
    struct mailbox *mb = s->view.box->mailbox;
    ptrdiff_t i = view_msg(&s->view, at);
    uint32_t uid;

    if (i < 0)
        return 0; /* gone: there is nothing to copy */
    if (transfer_one(t, mb, (size_t)i, &uid, err) < 0)
        return err->code == ENOENT ? 0 : -1;
    imap_seqset_add(&done->from_set, &done->from, s->view.v[at].uid);
    imap_seqset_add(&done->to_set, &done->to, uid);
    done->n++;
    return 0;
}

static int copy_all(struct session *s, const struct cmd_set *set, struct str to,
                    enum transfer_how how, struct copied *done, struct err *err)
{
    struct mailbox *mb = s->view.box->mailbox;
    struct transfer t;
    int rc = 0;

    if (mailbox_sync(mb, err) < 0 || transfer_begin(&t, mb, to, how, err) < 0)
        return -1;
    done->validity = t.uid.validity;
    for (size_t i = 0; rc == 0 && i < set->n; i++)
        rc = copy_one(s, &t, set->v[i], done, err);
    imap_seqset_end(&done->from_set, &done->from);
    imap_seqset_end(&done->to_set, &done->to);
    if (rc == 0)
        return transfer_end(&t, err);
    transfer_abort(&t);
    return -1;
}

static void say_why_not(struct session *s, const struct err *err)
{
    if (err->code == ENOENT)
        session_no(s, "[TRYCREATE] no such mailbox");
    else
        session_fail(s, err);
}

/* COPYUID comes with the tagged OK of COPY, but in front of the EXPUNGEs of MOVE. */
static void answer(struct session *s, const struct copied *done, enum transfer_how how)
{
    own_buf struct buf code = BUF_INIT(2 * SETS_MAX + 64);

    buf_printf(&code, "COPYUID %u ", done->validity);
    buf_append(&code, buf_str(&done->from));
    buf_append_char(&code, ' ');
    buf_append(&code, buf_str(&done->to));
    if (done->n == 0 || done->from.failed || done->to.failed || code.failed) {
        session_ok(s, "done");
    } else if (how == TRANSFER_COPY) {
        session_ok_code(s, buf_str(&code), "copied");
    } else {
        buf_append_c(session_out(s), "* OK [");
        buf_append(session_out(s), buf_str(&code));
        buf_append_c(session_out(s), "] moved\r\n");
        session_ok(s, "moved");
    }
}

static void run(struct session *s, const struct imap_cmd *c, enum transfer_how how)
{
    struct copied done = {.from = BUF_INIT(SETS_MAX), .to = BUF_INIT(SETS_MAX)};
    struct err err = {0};
    struct cmd_set set;
    struct str to;

    if (!cmd_set(s, &c->args[0], c->uid, &set))
        return;
    to = cmd_folder(s, &c->args[1]);
    if (to.p == NULL)
        return;
    if (copy_all(s, &set, to, how, &done, &err) < 0)
        say_why_not(s, &err);
    else
        answer(s, &done, how);
    buf_done(&done.from);
    buf_done(&done.to);
}

void cmd_copy(struct session *s, const struct imap_cmd *c)
{
    run(s, c, TRANSFER_COPY);
}

void cmd_move(struct session *s, const struct imap_cmd *c)
{
    run(s, c, TRANSFER_MOVE);
}
