/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/imapd/view.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/mem.h"

#include "mailstack/imapd/user.h"
#include "mailstack/lib/store/mailbox.h"
#include "mailstack/lib/store/maildir.h"

static const struct {
    uint32_t bit;
    const char *name;
} system_flags[] = {
    {MAILDIR_ANSWERED, "\\Answered"}, {MAILDIR_FLAGGED, "\\Flagged"},
    {MAILDIR_DELETED, "\\Deleted"},   {MAILDIR_SEEN, "\\Seen"},
    {MAILDIR_DRAFT, "\\Draft"},
};

static void put_word(struct buf *out, const char *word, bool *first)
{
    if (!*first)
        buf_append_char(out, ' ');
    buf_append_c(out, word);
    *first = false;
}

static void put_keywords(const struct mailbox *mb, uint32_t flags, struct buf *out, bool *first)
{
    for (size_t i = 0; i < MAILDIR_KEYWORDS; i++)
        if ((flags & (1u << (MAILDIR_KEYWORD_SHIFT + i))) != 0 && mb->keywords.name[i] != NULL)
            put_word(out, mb->keywords.name[i], first);
}

void view_put_flags(const struct mailbox *mb, uint32_t flags, bool recent, struct buf *out)
{
    bool first = true;

    buf_append_c(out, "FLAGS (");
    for (size_t i = 0; i < ARRAY_N(system_flags); i++)
        if ((flags & system_flags[i].bit) != 0)
            put_word(out, system_flags[i].name, &first);
    put_keywords(mb, flags, out, &first);
    if (recent)
        put_word(out, "\\Recent", &first);
    buf_append_char(out, ')');
}

static uint32_t named_keywords(const struct mailbox *mb)
{
    uint32_t bits = 0;

    for (size_t i = 0; i < MAILDIR_KEYWORDS; i++)
        if (mb->keywords.name[i] != NULL)
            bits |= 1u << (MAILDIR_KEYWORD_SHIFT + i);
    return bits;
}

static void put_list(const struct mailbox *mb, uint32_t keywords, struct buf *out)
{
    view_put_flags(mb, (MAILDIR_SYSTEM & ~(uint32_t)MAILDIR_PASSED) | keywords, false, out);
}

void view_put_flag_list(struct view *w, struct buf *out)
{
    const struct mailbox *mb = w->box->mailbox;
    bool all = named_keywords(mb) == ~MAILDIR_SYSTEM;

    w->keywords = named_keywords(mb);
    buf_append_c(out, "* ");
    put_list(mb, w->keywords, out);
    buf_append_c(out, "\r\n");
    if (w->read_only) {
        buf_append_c(out, "* OK [PERMANENTFLAGS ()] read-only\r\n");
        return;
    }
    buf_append_c(out, "* OK [PERMANENT");
    put_list(mb, w->keywords, out);
    if (!all) { /* more keywords can be made */
        buf_truncate(out, out->n - 1);
        buf_append_c(out, " \\*)");
    }
    buf_append_c(out, "] flags\r\n");
}

static void push(struct view *w, const struct mailbox_msg *m)
{
    struct view_msg *to;

    if (w->n == w->cap) {
        w->cap = w->cap == 0 ? 16 : 2 * w->cap;
        w->v = mem_grow(w->v, w->cap, sizeof(w->v[0]));
    }
    to = &w->v[w->n++];
    *to = (struct view_msg){.uid = m->uid, .modseq = m->modseq};
    to->recent = m->uid >= w->recent_from;
    w->recent_n += to->recent;
}

static void claim_recent(struct view *w)
{
    w->recent_from =
        w->read_only ? w->box->mailbox->recent_from : mailbox_claim_recent(w->box->mailbox);
}

void view_open(struct view *w, struct box *box, bool read_only)
{
    *w = (struct view){.box = box, .read_only = read_only};
    claim_recent(w);
    for (size_t i = 0; i < box->mailbox->n; i++)
        push(w, &box->mailbox->v[i]);
    w->changes = box->mailbox->changes;
    w->keywords = named_keywords(box->mailbox);
}

void view_done(struct view *w)
{
    free(w->v);
    *w = (struct view){0};
}

ptrdiff_t view_find(const struct view *w, uint32_t uid)
{
    size_t lo = 0, hi = w->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (w->v[mid].uid < uid)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < w->n && w->v[lo].uid == uid ? (ptrdiff_t)lo : -1;
}

ptrdiff_t view_msg(const struct view *w, size_t i)
{
    ptrdiff_t at = mailbox_find(w->box->mailbox, w->v[i].uid);

    return at >= 0 && w->box->mailbox->v[at].name != NULL ? at : -1;
}

uint32_t view_first_unseen(const struct view *w)
{
    for (size_t i = 0; i < w->n; i++) {
        ptrdiff_t at = view_msg(w, i);

        if (at >= 0 && (w->box->mailbox->v[at].flags & MAILDIR_SEEN) == 0)
            return (uint32_t)i + 1;
    }
    return 0;
}

static bool is_gone(const struct view *w, const struct view_msg *m, size_t *at)
{
    const struct mailbox *mb = w->box->mailbox;

    while (*at < mb->n && mb->v[*at].uid < m->uid)
        (*at)++;
    return *at >= mb->n || mb->v[*at].uid != m->uid;
}

static void tell_expunged(struct view *w, enum view_how how, struct buf *out)
{
    size_t kept = 0, at = 0;

    w->owes_expunge = false;
    for (size_t i = 0; i < w->n; i++) {
        bool gone = is_gone(w, &w->v[i], &at);

        if (gone && how == VIEW_WITH_EXPUNGE) {
            buf_printf(out, "* %zu EXPUNGE\r\n", kept + 1);
            w->recent_n -= w->v[i].recent;
            continue;
        }
        w->owes_expunge |= gone;
        w->v[kept++] = w->v[i];
    }
    w->n = kept;
}

static void tell_flags(struct view *w, bool with_uid, struct buf *out)
{
    const struct mailbox *mb = w->box->mailbox;
    size_t at = 0;

    for (size_t i = 0; i < w->n; i++) {
        struct view_msg *m = &w->v[i];

        if (is_gone(w, m, &at) || mb->v[at].modseq <= m->modseq)
            continue;
        m->modseq = mb->v[at].modseq;
        buf_printf(out, "* %zu FETCH (", i + 1);
        if (with_uid)
            buf_printf(out, "UID %u ", m->uid);
        view_put_flags(mb, mb->v[at].flags, m->recent, out);
        buf_append_c(out, ")\r\n");
    }
}

static void tell_new(struct view *w, struct buf *out)
{
    const struct mailbox *mb = w->box->mailbox;
    uint32_t last = w->n == 0 ? 0 : w->v[w->n - 1].uid;
    size_t from = mailbox_from(mb, last + 1), recent = w->recent_n, before = w->n;

    if (from == mb->n)
        return;
    claim_recent(w);
    for (size_t i = from; i < mb->n; i++)
        push(w, &mb->v[i]);
    if (w->n != before)
        buf_printf(out, "* %zu EXISTS\r\n", w->n);
    if (w->recent_n != recent)
        buf_printf(out, "* %zu RECENT\r\n", w->recent_n);
}

void view_tell(struct view *w, enum view_how how, bool with_uid, struct buf *out)
{
    const struct mailbox *mb = w->box->mailbox;

    if (named_keywords(mb) != w->keywords)
        view_put_flag_list(w, out);
    if (w->changes == mb->changes && !(w->owes_expunge && how == VIEW_WITH_EXPUNGE))
        return;
    tell_expunged(w, how, out);
    tell_flags(w, with_uid, out);
    tell_new(w, out);
    w->changes = mb->changes;
}
