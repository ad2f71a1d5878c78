/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/imapd/fetch.h"

#include <errno.h>
#include <stdlib.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"

#include "mailstack/imapd/imap_date.h"
#include "mailstack/imapd/session.h"
#include "mailstack/imapd/user.h"
#include "mailstack/lib/mail/header.h"
#include "mailstack/lib/mail/mime.h"
#include "mailstack/lib/proto/imap_bodystructure.h"
#include "mailstack/lib/proto/imap_envelope.h"
#include "mailstack/lib/proto/imap_parser.h"
#include "mailstack/lib/store/crlf.h"
#include "mailstack/lib/store/mailbox.h"
#include "mailstack/lib/store/msgfile.h"

#define CHUNK    16384
#define TREE_MAX (64u << 20) /* memory for the parts of one message */
#define MADE_MAX (4u << 20)  /* of the fields chosen by HEADER.FIELDS */

/* --- items
 * ------------------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    enum fetch_kind kind;
} plain[] = {
    {"UID", FETCH_UID},
    {"FLAGS", FETCH_FLAGS},
    {"INTERNALDATE", FETCH_INTERNALDATE},
    {"RFC822.SIZE", FETCH_SIZE},
    {"ENVELOPE", FETCH_ENVELOPE},
    {"BODY", FETCH_BODY},
    {"BODYSTRUCTURE", FETCH_BODYSTRUCTURE},
};

static const struct {
    const char *name;
    enum section_what what;
    bool seen;
} rfc822[] = {
    {"RFC822", SECTION_ALL, true},
    {"RFC822.HEADER", SECTION_HEADER, false},
    {"RFC822.TEXT", SECTION_TEXT, true},
};

static const struct {
    const char *name;
    const char *items[6];
} macros[] = {
    {"ALL", {"FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", NULL}},
    {"FAST", {"FLAGS", "INTERNALDATE", "RFC822.SIZE", NULL}},
    {"FULL", {"FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY", NULL}},
};

static bool add(struct fetch_items *l, struct fetch_item item)
{
    if (l->n == FETCH_ITEMS_MAX)
        return false;
    l->v[l->n++] = item;
    l->flags |= item.kind == FETCH_FLAGS;
    l->file |= item.kind >= FETCH_ENVELOPE;
    l->tree |= item.kind == FETCH_BODY || item.kind == FETCH_BODYSTRUCTURE ||
               (item.kind == FETCH_SECTION && !section_is_simple(&item.section));
    return true;
}

static bool add_section(struct fetch_items *l, struct str word, struct arena *a)
{
    bool peek = str_istarts(word, STR("BODY.PEEK["));
    struct fetch_item item = {.kind = FETCH_SECTION};
    struct str inner;
    size_t label_n;

    if (!peek && !str_istarts(word, STR("BODY[")))
        return false;
    inner = str_skip(word, peek ? sizeof("BODY.PEEK[") - 1 : sizeof("BODY[") - 1);
    if (!section_parse(inner, a, &item.section, &label_n))
        return false;
    item.label = str_of(arena_printf(a, "BODY[%.*s", (int)label_n, inner.p));
    l->seen |= !peek;
    return item.label.p != NULL && add(l, item);
}

static bool add_word(struct fetch_items *l, struct str word, struct arena *a)
{
    for (size_t i = 0; i < ARRAY_N(plain); i++)
        if (str_ieq_c(word, plain[i].name))
            return add(l, (struct fetch_item){.kind = plain[i].kind});
    for (size_t i = 0; i < ARRAY_N(rfc822); i++) {
        if (!str_ieq_c(word, rfc822[i].name))
            continue;
        l->seen |= rfc822[i].seen;
        return add(l, (struct fetch_item){.kind = FETCH_SECTION,
                                          .section = {.what = rfc822[i].what},
                                          .label = str_of(rfc822[i].name)});
    }
    return add_section(l, word, a);
}

static bool add_macro(struct fetch_items *l, struct str word, struct arena *a, bool *is_macro)
{
    *is_macro = false;
    for (size_t i = 0; i < ARRAY_N(macros); i++) {
        if (!str_ieq_c(word, macros[i].name))
            continue;
        *is_macro = true;
        for (size_t j = 0; macros[i].items[j] != NULL; j++)
            if (!add_word(l, str_of(macros[i].items[j]), a))
                return false;
    }
    return true;
}

static bool has_uid(const struct fetch_items *l)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->v[i].kind == FETCH_UID)
            return true;
    return false;
}

bool fetch_parse(const struct imap_arg *a, bool with_uid, struct arena *arena,
                 struct fetch_items *out)
{
    struct fetch_items l = {.v = arena_array(arena, FETCH_ITEMS_MAX, sizeof(*l.v))};
    const struct imap_arg *words = a->kind == IMAP_LIST ? a->list : a;
    size_t n = a->kind == IMAP_LIST ? a->list_n : 1;
    bool is_macro = false;
    struct str word;

    if (l.v == NULL || n == 0)
        return false;
    if (a->kind != IMAP_LIST &&
        (!imap_arg_atom(a, &word) || !add_macro(&l, word, arena, &is_macro)))
        return false;
    for (size_t i = 0; !is_macro && i < n; i++)
        if (!imap_arg_atom(&words[i], &word) || !add_word(&l, word, arena))
            return false;
    if (with_uid && !has_uid(&l) && !add(&l, (struct fetch_item){.kind = FETCH_UID}))
        return false;
    *out = l;
    return true;
}

/* --- one response
 * ------------------------------------------------------------------------------------ */

struct fetch {
    struct session *s;
    const struct fetch_items *items;
    struct msgfile file;
    struct arena *arena; /* of the parts; NULL until they are needed */
    struct mime_part *tree;
    struct buf made;
    size_t at;   /* in the view */
    size_t item; /* the next */
    bool first;  /* nothing is between the parentheses yet */
    bool running;
    bool missed;
    bool in_body; /* a literal is being written */
    struct str body;
    char last;     /* byte in front of body, for the line ends */
    uint64_t skip; /* of the converted bytes, before a partial begins */
    uint64_t left; /* of the literal */
};

struct fetch *fetch_new(struct session *s, const struct fetch_items *items)
{
    struct fetch *f = mem_type(struct fetch);

    f->s = s;
    f->items = items;
    buf_init(&f->made, MADE_MAX);
    return f;
}

static void close_message(struct fetch *f)
{
    msgfile_close(&f->file);
    arena_free(f->arena);
    f->arena = NULL;
    f->tree = NULL;
    buf_done(&f->made);
    f->running = false;
    f->in_body = false;
}

void fetch_free(struct fetch *f)
{
    if (f == NULL)
        return;
    close_message(f);
    free(f);
}

bool fetch_missed_any(const struct fetch *f)
{
    return f->missed;
}

static struct mailbox *box_of(const struct fetch *f)
{
    return f->s->view.box->mailbox;
}

static int open_file(struct fetch *f, struct err *err)
{
    own_fd int fd = mailbox_open_msg(box_of(f), f->s->view.v[f->at].uid, err);

    if (fd < 0 || msgfile_open(&f->file, fd, err) < 0)
        return -1;
    if (!f->items->tree)
        return 0;
    f->arena = arena_new(TREE_MAX);
    return mime_parse(f->file.raw, f->arena, &f->tree, err);
}

/* A message that cannot be read is passed over, and the command ends with NO. */
static void miss(struct fetch *f, const struct err *why)
{
    if (why->code != ENOENT)
        log_error("imap.read_failed", LOG_S("user", f->s->user->name),
                  LOG_U("uid", f->s->view.v[f->at].uid), LOG_S("error", why->text));
    f->missed = true;
    close_message(f);
}

static void put_flags(struct fetch *f)
{
    struct view_msg *v = &f->s->view.v[f->at];
    ptrdiff_t i = view_msg(&f->s->view, f->at);
    const struct mailbox *mb = box_of(f);

    if (i < 0)
        return;
    view_put_flags(mb, mb->v[i].flags, v->recent, session_out(f->s));
    v->modseq = mb->v[i].modseq;
}

void fetch_begin(struct fetch *f, size_t i, bool with_flags)
{
    struct err err = {0};

    f->at = i;
    f->item = 0;
    f->first = true;
    f->running = true;
    if (view_msg(&f->s->view, i) < 0) {
        f->missed = true;
        f->running = false;
        return;
    }
    if (f->items->file && open_file(f, &err) < 0) {
        miss(f, &err);
        return;
    }
    buf_printf(session_out(f->s), "* %zu FETCH (", i + 1);
    if (with_flags && !f->items->flags) {
        put_flags(f);
        f->first = false;
    }
}

/* --- items
 * -------------------------------------------------------------------------------------------- */

static void put_date(struct fetch *f, struct buf *out)
{
    ptrdiff_t i = view_msg(&f->s->view, f->at);
    struct timespec date = {0};
    struct err err = {0};

    if (i < 0 || mailbox_date(box_of(f), (size_t)i, &date, &err) < 0)
        f->missed = true;
    buf_append_c(out, "INTERNALDATE ");
    imap_date_put(date.tv_sec, out);
}

static void put_size(struct fetch *f, struct buf *out)
{
    ptrdiff_t i = view_msg(&f->s->view, f->at);
    struct err err = {0};
    uint64_t n = 0;

    if (i < 0 || mailbox_vsize(box_of(f), (size_t)i, &n, &err) < 0)
        f->missed = true;
    buf_printf(out, "RFC822.SIZE %llu", (unsigned long long)n);
}

static void put_envelope(struct fetch *f, struct buf *out)
{
    struct str raw = f->file.raw;
    struct err err = {0};

    if (f->arena == NULL)
        f->arena = arena_new(TREE_MAX);
    buf_append_c(out, "ENVELOPE ");
    if (imap_envelope_format(out, str_head(raw, header_end(raw)), f->arena, &err) < 0)
        log_error("imap.envelope_failed", LOG_S("error", err.text));
}

static void put_structure(struct fetch *f, enum fetch_kind kind, struct buf *out)
{
    bool full = kind == FETCH_BODYSTRUCTURE;
    struct err err = {0};

    buf_append_c(out, full ? "BODYSTRUCTURE " : "BODY ");
    if (imap_bodystructure_format(out, f->tree, full ? IMAP_BODYSTRUCTURE : IMAP_BODY, f->arena,
                                  &err) < 0)
        log_error("imap.structure_failed", LOG_S("error", err.text));
}

static void begin_body(struct fetch *f, const struct fetch_item *item, struct buf *out)
{
    const struct section *sec = &item->section;
    uint64_t size;

    buf_append(out, item->label);
    if (sec->has_partial)
        buf_printf(out, "<%u>", sec->first);
    buf_reset(&f->made);
    f->body = section_find(sec, f->tree, f->file.raw, &f->made);
    if (f->body.p == NULL && f->body.n == 0 && sec->path_n > 0) {
        buf_append_c(out, " NIL");
        return;
    }
    size = crlf_size(f->body, '\0');
    f->skip = !sec->has_partial ? 0 : sec->first < size ? sec->first : size;
    f->left = size - f->skip;
    if (sec->has_partial && sec->count < f->left)
        f->left = sec->count;
    f->last = '\0';
    f->in_body = true;
    buf_printf(out, " {%llu}\r\n", (unsigned long long)f->left);
}

static void put_item(struct fetch *f, const struct fetch_item *item)
{
    struct buf *out = session_out(f->s);

    if (!f->first)
        buf_append_char(out, ' ');
    f->first = false;
    switch (item->kind) {
    case FETCH_UID:
        buf_printf(out, "UID %u", f->s->view.v[f->at].uid);
        break;
    case FETCH_FLAGS:
        put_flags(f);
        break;
    case FETCH_INTERNALDATE:
        put_date(f, out);
        break;
    case FETCH_SIZE:
        put_size(f, out);
        break;
    case FETCH_ENVELOPE:
        put_envelope(f, out);
        break;
    case FETCH_BODY:
    case FETCH_BODYSTRUCTURE:
        put_structure(f, item->kind, out);
        break;
    case FETCH_SECTION:
        begin_body(f, item, out);
        break;
    }
}

/* One piece of the literal. */
static void put_piece(struct fetch *f)
{
    char chunk[CHUNK];
    size_t n = crlf_convert(&f->body, &f->last, chunk, sizeof(chunk));
    struct str piece = {chunk, n};

    if (f->skip >= piece.n) {
        f->skip -= piece.n;
        return;
    }
    piece = str_skip(piece, (size_t)f->skip);
    f->skip = 0;
    piece = str_head(piece, f->left < piece.n ? (size_t)f->left : piece.n);
    buf_append(session_out(f->s), piece);
    f->left -= piece.n;
}

bool fetch_go(struct fetch *f)
{
    while (f->running) {
        if (link_is_full(&f->s->link))
            return false;
        if (f->in_body && f->left > 0) {
            put_piece(f);
        } else if (f->item < f->items->n) {
            f->in_body = false;
            put_item(f, &f->items->v[f->item++]);
        } else {
            buf_append_c(session_out(f->s), ")\r\n");
            close_message(f);
        }
    }
    return true;
}
