/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FETCH (RFC 3501, 6.4.5): the messages one after the other, as fast as the client reads.
 *
 * \Seen is set for SEEN_AHEAD messages at a time, before they are sent: one lock for many.
 */
#include <errno.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"

#include "mailstack/imapd/cmd.h"
#include "mailstack/imapd/fetch.h"
#include "mailstack/imapd/session.h"
#include "mailstack/imapd/user.h"
#include "mailstack/lib/store/mailbox.h"
#include "mailstack/lib/store/maildir.h"

#define SEEN_AHEAD 32

struct work {
    struct fetch_items items;
    struct cmd_set set;
    struct fetch *fetch;
    size_t next;   /* in the set */
    size_t seen_n; /* how far \Seen was set */
};

static bool needs_seen(struct session *s, size_t at, ptrdiff_t *i)
{
    *i = view_msg(&s->view, at);
    return *i >= 0 && (s->view.box->mailbox->v[*i].flags & MAILDIR_SEEN) == 0;
}

static int set_seen(struct session *s, const struct work *w, size_t to, struct err *err)
{
    struct mailbox *mb = s->view.box->mailbox;
    int rc = 0;
    ptrdiff_t i;

    if (mailbox_begin(mb, err) < 0)
        return -1;
    for (size_t k = w->seen_n; rc == 0 && k < to; k++)
        if (needs_seen(s, w->set.v[k], &i))
            rc = mailbox_set_flags(mb, (size_t)i, mb->v[i].flags | MAILDIR_SEEN, err);
    mailbox_end(mb);
    return rc;
}

static void mark_seen(struct session *s, struct work *w)
{
    size_t to = w->seen_n + SEEN_AHEAD < w->set.n ? w->seen_n + SEEN_AHEAD : w->set.n;
    struct err err = {0};
    bool any = false;
    ptrdiff_t i;

    for (size_t k = w->seen_n; k < to && !any; k++)
        any = needs_seen(s, w->set.v[k], &i);
    if (any && set_seen(s, w, to, &err) < 0 && err.code != ENOENT)
        log_warn("imap.seen_failed", LOG_S("user", s->user->name), LOG_S("error", err.text));
    w->seen_n = to;
}

static void begin_next(struct session *s, struct work *w)
{
    const struct view *view = &s->view;
    size_t at = w->set.v[w->next];
    ptrdiff_t i;

    if (w->items.seen && !view->read_only && w->next >= w->seen_n)
        mark_seen(s, w);
    i = view_msg(view, at);
    fetch_begin(w->fetch, at,
                w->items.seen && i >= 0 && view->box->mailbox->v[i].modseq > view->v[at].modseq);
    w->next++;
}

static bool step(struct session *s)
{
    struct work *w = s->step_ctx;

    while (fetch_go(w->fetch)) {
        if (w->next < w->set.n) {
            begin_next(s, w);
            continue;
        }
        if (fetch_missed_any(w->fetch))
            session_no(s, "[EXPUNGEISSUED] some messages are gone");
        else
            session_ok(s, "fetched");
        return true;
    }
    return false;
}

static void end(void *ctx)
{
    struct work *w = ctx;

    fetch_free(w->fetch);
}

void cmd_fetch(struct session *s, const struct imap_cmd *c)
{
    struct work *w = arena_alloc(s->arena, sizeof(*w));

    if (w == NULL || !fetch_parse(&c->args[1], c->uid, s->arena, &w->items)) {
        session_bad(s, "not a fetch item");
        return;
    }
    if (!cmd_set(s, &c->args[0], c->uid, &w->set))
        return;
    w->fetch = fetch_new(s, &w->items);
    session_step(s, step, w, end);
}
