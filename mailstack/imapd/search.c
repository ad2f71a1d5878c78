/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tree of AND lists: each key has `next` (and), OR has two children, NOT and parentheses one.
 */
#include "mailstack/imapd/search.h"

#include <errno.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/own.h"

#include "mailstack/imapd/imap_date.h"
#include "mailstack/imapd/match.h"
#include "mailstack/imapd/session.h"
#include "mailstack/imapd/user.h"
#include "mailstack/lib/mail/charset.h"
#include "mailstack/lib/mail/date.h"
#include "mailstack/lib/mail/decode.h"
#include "mailstack/lib/mail/header.h"
#include "mailstack/lib/mail/mime.h"
#include "mailstack/lib/mail/rfc2047.h"
#include "mailstack/lib/proto/imap_parser.h"
#include "mailstack/lib/proto/imap_seqset.h"
#include "mailstack/lib/store/keyword.h"
#include "mailstack/lib/store/mailbox.h"
#include "mailstack/lib/store/maildir.h"
#include "mailstack/lib/store/msgfile.h"

#define VALUE_MAX (1u << 20)
#define TEXT_MAX  (128u << 20) /* a decoded part */
#define TREE_MAX  (64u << 20)
#define DAY_S     86400

enum op {
    OP_ALL,
    OP_AND, /* parentheses */
    OP_OR,
    OP_NOT,
    OP_FLAGS,   /* mask of flags that must be as in want */
    OP_RECENT,  /* n: 1 recent, 0 old */
    OP_NEW,     /* recent and unseen */
    OP_KEYWORD, /* text: the name; n: 1 has it, 0 has it not */
    OP_SEQ,
    OP_UID,
    OP_LARGER,
    OP_SMALLER,
    OP_BEFORE, /* days of arrival, n: the day */
    OP_ON,
    OP_SINCE,
    OP_SENT_BEFORE,
    OP_SENT_ON,
    OP_SENT_SINCE,
    OP_HEADER, /* name, text */
    OP_BODY,
    OP_TEXT,
};

struct search_key {
    enum op op;
    const struct search_key *next;
    const struct search_key *a, *b;
    uint32_t mask, want;
    int64_t n;
    const char *name;
    struct str text; /* folded */
    struct imap_seqset set;
};

struct parse {
    struct session *s;
    const struct imap_arg *args;
    size_t n;
    struct str charset; /* p == NULL: none was named */
    unsigned depth;
};

/* --- parsing
 * ------------------------------------------------------------------------------------------ */

typedef bool key_fn(struct parse *p, struct search_key *k, const char *arg);

static const struct search_key *parse_one(struct parse *p);

static bool take(struct parse *p, const struct imap_arg **out)
{
    if (p->n == 0)
        return false;
    *out = p->args++;
    p->n--;
    return true;
}

static bool take_string(struct parse *p, struct str *out)
{
    const struct imap_arg *a;

    return take(p, &a) && imap_arg_astring(a, out);
}

/* The text looked for: to UTF-8, folded. */
static bool take_text(struct parse *p, struct str *out)
{
    own_buf struct buf utf8 = BUF_INIT(VALUE_MAX), folded = BUF_INIT(VALUE_MAX);
    struct str given;

    if (!take_string(p, &given))
        return false;
    if (str_is_utf8(given))
        buf_append(&utf8, given);
    else
        (void)charset_to_utf8(STR("iso-8859-1"), given, &utf8); /* 8-bit that is not UTF-8 */
    match_fold(buf_str(&utf8), &folded);
    *out = arena_str(p->s->arena, buf_str(&folded));
    return out->p != NULL;
}

static bool key_flag(struct parse *p, struct search_key *k, const char *arg)
{
    (void)p;
    (void)arg; /* mask and want are in the table */
    k->op = OP_FLAGS;
    return true;
}

static bool key_all(struct parse *p, struct search_key *k, const char *arg)
{
    (void)p;
    (void)arg;
    k->op = OP_ALL;
    return true;
}

static bool key_new(struct parse *p, struct search_key *k, const char *arg)
{
    (void)p;
    (void)arg;
    k->op = OP_NEW;
    return true;
}

static bool key_recent(struct parse *p, struct search_key *k, const char *arg)
{
    (void)p;
    k->op = OP_RECENT;
    k->n = arg == NULL;
    return true;
}

static bool key_keyword(struct parse *p, struct search_key *k, const char *arg)
{
    k->op = OP_KEYWORD;
    k->n = arg == NULL;
    return take_string(p, &k->text);
}

static bool take_size(struct parse *p, struct search_key *k, enum op op)
{
    const struct imap_arg *a;
    uint32_t n;

    k->op = op;
    if (!take(p, &a) || !imap_arg_u32(a, &n))
        return false;
    k->n = n;
    return true;
}

static bool key_larger(struct parse *p, struct search_key *k, const char *arg)
{
    (void)arg;
    return take_size(p, k, OP_LARGER);
}

static bool key_smaller(struct parse *p, struct search_key *k, const char *arg)
{
    (void)arg;
    return take_size(p, k, OP_SMALLER);
}

static bool take_day(struct parse *p, struct search_key *k, enum op op)
{
    struct str s;

    k->op = op;
    return take_string(p, &s) && imap_date(s, &k->n);
}

static bool key_before(struct parse *p, struct search_key *k, const char *arg)
{
    return take_day(p, k, arg == NULL ? OP_BEFORE : OP_SENT_BEFORE);
}

static bool key_on(struct parse *p, struct search_key *k, const char *arg)
{
    return take_day(p, k, arg == NULL ? OP_ON : OP_SENT_ON);
}

static bool key_since(struct parse *p, struct search_key *k, const char *arg)
{
    return take_day(p, k, arg == NULL ? OP_SINCE : OP_SENT_SINCE);
}

static bool key_field(struct parse *p, struct search_key *k, const char *arg)
{
    k->op = OP_HEADER;
    k->name = arg;
    return take_text(p, &k->text);
}

static bool key_header(struct parse *p, struct search_key *k, const char *arg)
{
    struct str name;

    (void)arg;
    k->op = OP_HEADER;
    if (!take_string(p, &name) || str_has_nul(name))
        return false;
    k->name = arena_copy(p->s->arena, name);
    return k->name != NULL && take_text(p, &k->text);
}

static bool key_body(struct parse *p, struct search_key *k, const char *arg)
{
    (void)arg;
    k->op = OP_BODY;
    return take_text(p, &k->text);
}

static bool key_text(struct parse *p, struct search_key *k, const char *arg)
{
    (void)arg;
    k->op = OP_TEXT;
    return take_text(p, &k->text);
}

static bool key_uid(struct parse *p, struct search_key *k, const char *arg)
{
    struct err ignored;
    struct str s;

    (void)arg;
    k->op = OP_UID;
    return take_string(p, &s) && imap_seqset_parse(s, p->s->arena, &k->set, &ignored) == 0;
}

static bool key_not(struct parse *p, struct search_key *k, const char *arg)
{
    (void)arg;
    k->op = OP_NOT;
    k->a = parse_one(p);
    return k->a != NULL;
}

static bool key_or(struct parse *p, struct search_key *k, const char *arg)
{
    (void)arg;
    k->op = OP_OR;
    k->a = parse_one(p);
    k->b = k->a == NULL ? NULL : parse_one(p);
    return k->b != NULL;
}

static const struct {
    const char *name;
    key_fn *fn;
    uint32_t mask, want;
    const char *arg;
} keys[] = {
    {"ALL", key_all, 0, 0, NULL},
    {"ANSWERED", key_flag, MAILDIR_ANSWERED, MAILDIR_ANSWERED, NULL},
    {"BCC", key_field, 0, 0, "Bcc"},
    {"BEFORE", key_before, 0, 0, NULL},
    {"BODY", key_body, 0, 0, NULL},
    {"CC", key_field, 0, 0, "Cc"},
    {"DELETED", key_flag, MAILDIR_DELETED, MAILDIR_DELETED, NULL},
    {"DRAFT", key_flag, MAILDIR_DRAFT, MAILDIR_DRAFT, NULL},
    {"FLAGGED", key_flag, MAILDIR_FLAGGED, MAILDIR_FLAGGED, NULL},
    {"FROM", key_field, 0, 0, "From"},
    {"HEADER", key_header, 0, 0, NULL},
    {"KEYWORD", key_keyword, 0, 0, NULL},
    {"LARGER", key_larger, 0, 0, NULL},
    {"NEW", key_new, 0, 0, NULL},
    {"NOT", key_not, 0, 0, NULL},
    {"OLD", key_recent, 0, 0, "old"},
    {"ON", key_on, 0, 0, NULL},
    {"OR", key_or, 0, 0, NULL},
    {"RECENT", key_recent, 0, 0, NULL},
    {"SEEN", key_flag, MAILDIR_SEEN, MAILDIR_SEEN, NULL},
    {"SENTBEFORE", key_before, 0, 0, "sent"},
    {"SENTON", key_on, 0, 0, "sent"},
    {"SENTSINCE", key_since, 0, 0, "sent"},
    {"SINCE", key_since, 0, 0, NULL},
    {"SMALLER", key_smaller, 0, 0, NULL},
    {"SUBJECT", key_field, 0, 0, "Subject"},
    {"TEXT", key_text, 0, 0, NULL},
    {"TO", key_field, 0, 0, "To"},
    {"UID", key_uid, 0, 0, NULL},
    {"UNANSWERED", key_flag, MAILDIR_ANSWERED, 0, NULL},
    {"UNDELETED", key_flag, MAILDIR_DELETED, 0, NULL},
    {"UNDRAFT", key_flag, MAILDIR_DRAFT, 0, NULL},
    {"UNFLAGGED", key_flag, MAILDIR_FLAGGED, 0, NULL},
    {"UNKEYWORD", key_keyword, 0, 0, "not"},
    {"UNSEEN", key_flag, MAILDIR_SEEN, 0, NULL},
};

static const struct search_key *parse_list(struct parse *p)
{
    const struct search_key *first = NULL;
    struct search_key *last = NULL;

    while (p->n > 0) {
        const struct search_key *one = parse_one(p);
        struct search_key *link = arena_alloc(p->s->arena, sizeof(*link));

        if (one == NULL || link == NULL)
            return NULL;
        *link = *one;
        link->next = NULL;
        if (last != NULL)
            last->next = link;
        else
            first = link;
        last = link;
    }
    return first;
}

static bool parse_parentheses(struct parse *p, const struct imap_arg *list, struct search_key *k)
{
    struct parse inner = *p;

    inner.args = list->list;
    inner.n = list->list_n;
    k->op = OP_AND;
    k->a = parse_list(&inner);
    return k->a != NULL;
}

static bool parse_word(struct parse *p, struct str word, struct search_key *k)
{
    struct err ignored;

    for (size_t i = 0; i < ARRAY_N(keys); i++) {
        if (!str_ieq_c(word, keys[i].name))
            continue;
        k->mask = keys[i].mask;
        k->want = keys[i].want;
        return keys[i].fn(p, k, keys[i].arg);
    }
    k->op = OP_SEQ;
    return imap_seqset_parse(word, p->s->arena, &k->set, &ignored) == 0;
}

static const struct search_key *parse_one(struct parse *p)
{
    struct search_key *k = arena_alloc(p->s->arena, sizeof(*k));
    const struct imap_arg *a;
    struct str word;
    bool good;

    if (k == NULL || p->depth >= SEARCH_DEPTH_MAX || !take(p, &a))
        return NULL;
    p->depth++;
    if (a->kind == IMAP_LIST)
        good = parse_parentheses(p, a, k);
    else
        good = imap_arg_atom(a, &word) && parse_word(p, word, k);
    p->depth--;
    return good ? k : NULL;
}

enum search_error search_parse(struct session *s, const struct imap_arg *args, size_t n,
                               const struct search_key **out)
{
    struct parse p = {.s = s, .args = args, .n = n};
    const struct search_key *k;
    struct str charset;

    if (n > 1 && imap_arg_is(&args[0], "CHARSET")) {
        if (!imap_arg_astring(&args[1], &charset))
            return SEARCH_SYNTAX;
        if (!str_ieq_c(charset, "UTF-8") && !str_ieq_c(charset, "US-ASCII"))
            return SEARCH_CHARSET;
        p.args += 2;
        p.n -= 2;
    }
    k = parse_list(&p);
    if (k == NULL)
        return SEARCH_SYNTAX;
    *out = k;
    return SEARCH_OK;
}

/* --- matching
 * ------------------------------------------------------------------------------------------ */

struct candidate {
    struct session *s;
    struct mailbox *mb;
    size_t at; /* in the view */
    size_t i;  /* in the mailbox */
    bool open; /* or the attempt was made */
    struct msgfile file;
    struct arena *arena;
    struct mime_part *tree;
};

static void need_file(struct candidate *c)
{
    struct err err = {0};
    own_fd int fd = -1;

    if (c->open)
        return;
    c->open = true;
    fd = mailbox_open_msg(c->mb, c->s->view.v[c->at].uid, &err);
    if (fd < 0 || msgfile_open(&c->file, fd, &err) < 0) {
        if (err.code != ENOENT)
            log_error("imap.read_failed", LOG_S("user", c->s->user->name),
                      LOG_S("error", err.text));
    }
}

static const struct mime_part *need_tree(struct candidate *c)
{
    struct err err = {0};

    need_file(c);
    if (c->arena != NULL)
        return c->tree;
    c->arena = arena_new(TREE_MAX);
    if (mime_parse(c->file.raw, c->arena, &c->tree, &err) < 0) {
        log_warn("imap.parse_failed", LOG_S("error", err.text));
        c->tree = NULL;
    }
    return c->tree;
}

static bool value_matches(struct str value, struct str folded)
{
    own_buf struct buf utf8 = BUF_INIT(VALUE_MAX);

    rfc2047_decode(value, &utf8);
    return match_in(folded, buf_str(&utf8));
}

/* A field of that name that holds the text; an empty text: a field of that name. */
static bool header_matches(struct candidate *c, const struct search_key *k)
{
    struct header_walk w;
    struct header_field f;

    need_file(c);
    w = header_walk(c->file.raw);
    while (header_next(&w, &f))
        if (str_ieq_c(f.name, k->name) && value_matches(f.value, k->text))
            return true;
    return false;
}

static bool any_header_matches(struct str header, struct str folded)
{
    struct header_walk w = header_walk(header);
    struct header_field f;

    while (header_next(&w, &f)) {
        own_buf struct buf line = BUF_INIT(VALUE_MAX);

        buf_append(&line, f.name);
        buf_append_c(&line, ": ");
        rfc2047_decode(f.value, &line);
        if (match_in(folded, buf_str(&line)))
            return true;
    }
    return false;
}

static bool part_matches(const struct mime_part *p, struct str folded)
{
    own_buf struct buf bytes = BUF_INIT(TEXT_MAX), utf8 = BUF_INIT(TEXT_MAX);
    struct str charset = mime_param(&p->content_type, "charset");

    if (p->child != NULL || !mime_is(p, "text", NULL))
        return false;
    decode_all(p->encoding, p->body, &bytes);
    if (str_is_utf8(buf_str(&bytes)) && (charset.p == NULL || str_is_ascii(buf_str(&bytes))))
        return match_in(folded, buf_str(&bytes));
    (void)charset_to_utf8(charset.p == NULL ? STR("us-ascii") : charset, buf_str(&bytes), &utf8);
    return match_in(folded, buf_str(&utf8));
}

static bool body_matches(struct candidate *c, struct str folded, bool headers_too)
{
    const struct mime_part *root = need_tree(c);

    for (const struct mime_part *p = root; p != NULL; p = mime_next(root, p)) {
        bool is_message = p == root || (p->parent != NULL && mime_is_message(p->parent));

        if (is_message && (headers_too || p != root) && any_header_matches(p->header, folded))
            return true;
        if (part_matches(p, folded))
            return true;
    }
    return false;
}

static int64_t day_of(int64_t unix_s)
{
    return unix_s >= 0 ? unix_s / DAY_S : -((-unix_s + DAY_S - 1) / DAY_S);
}

static bool compare_days(enum op op, int64_t day, int64_t key)
{
    if (op == OP_BEFORE || op == OP_SENT_BEFORE)
        return day < key;
    if (op == OP_ON || op == OP_SENT_ON)
        return day == key;
    return day >= key;
}

static bool arrival_matches(struct candidate *c, const struct search_key *k)
{
    struct err err = {0};
    struct timespec t;

    return mailbox_date(c->mb, c->i, &t, &err) == 0 && compare_days(k->op, day_of(t.tv_sec), k->n);
}

/* The day as written in the Date field, whatever its zone (RFC 3501). */
static bool sent_matches(struct candidate *c, const struct search_key *k)
{
    struct header_field f;
    struct err ignored = {0};
    struct date d;

    need_file(c);
    if (!header_find(c->file.raw, "Date", &f) || date_parse(f.value, &d, &ignored) < 0)
        return false;
    return compare_days(k->op, day_of(d.unix_s + (int64_t)d.zone_min * 60), k->n);
}

static bool size_matches(struct candidate *c, const struct search_key *k)
{
    struct err err = {0};
    uint64_t n;

    if (mailbox_vsize(c->mb, c->i, &n, &err) < 0)
        return false;
    return k->op == OP_LARGER ? n > (uint64_t)k->n : n < (uint64_t)k->n;
}

static bool keyword_matches(const struct candidate *c, const struct search_key *k)
{
    bool has = (c->mb->v[c->i].flags & keyword_bit(&c->mb->keywords, k->text)) != 0;

    return has == (k->n != 0);
}

static bool set_matches(const struct candidate *c, const struct search_key *k)
{
    const struct view *w = &c->s->view;

    if (k->op == OP_SEQ)
        return imap_seqset_has(&k->set, (uint32_t)c->at + 1, (uint32_t)w->n);
    return imap_seqset_has(&k->set, w->v[c->at].uid, w->n == 0 ? 0 : w->v[w->n - 1].uid);
}

static bool all_match(struct candidate *c, const struct search_key *first);

static bool matches(struct candidate *c, const struct search_key *k)
{
    const struct view_msg *v = &c->s->view.v[c->at];
    uint32_t flags = c->mb->v[c->i].flags;

    switch (k->op) {
    case OP_ALL:
        return true;
    case OP_AND:
        return all_match(c, k->a);
    case OP_OR:
        return matches(c, k->a) || matches(c, k->b);
    case OP_NOT:
        return !matches(c, k->a);
    case OP_FLAGS:
        return (flags & k->mask) == k->want;
    case OP_RECENT:
        return v->recent == (k->n != 0);
    case OP_NEW:
        return v->recent && (flags & MAILDIR_SEEN) == 0;
    case OP_KEYWORD:
        return keyword_matches(c, k);
    case OP_SEQ:
    case OP_UID:
        return set_matches(c, k);
    case OP_LARGER:
    case OP_SMALLER:
        return size_matches(c, k);
    case OP_BEFORE:
    case OP_ON:
    case OP_SINCE:
        return arrival_matches(c, k);
    case OP_SENT_BEFORE:
    case OP_SENT_ON:
    case OP_SENT_SINCE:
        return sent_matches(c, k);
    case OP_HEADER:
        return header_matches(c, k);
    case OP_BODY:
        return body_matches(c, k->text, false);
    case OP_TEXT:
        return body_matches(c, k->text, true);
    }
    return false;
}

static bool needs_file(const struct search_key *k)
{
    switch (k->op) {
    case OP_AND:
    case OP_OR:
    case OP_NOT:
    case OP_SENT_BEFORE:
    case OP_SENT_ON:
    case OP_SENT_SINCE:
    case OP_HEADER:
    case OP_BODY:
    case OP_TEXT:
        return true; /* or may */
    case OP_ALL:
    case OP_FLAGS:
    case OP_RECENT:
    case OP_NEW:
    case OP_KEYWORD:
    case OP_SEQ:
    case OP_UID:
    case OP_LARGER:
    case OP_SMALLER:
    case OP_BEFORE:
    case OP_ON:
    case OP_SINCE:
        break;
    }
    return false;
}

/* Those that are cheap to answer first. */
static bool all_match(struct candidate *c, const struct search_key *first)
{
    for (const struct search_key *k = first; k != NULL; k = k->next)
        if (!needs_file(k) && !matches(c, k))
            return false;
    for (const struct search_key *k = first; k != NULL; k = k->next)
        if (needs_file(k) && !matches(c, k))
            return false;
    return true;
}

bool search_matches(struct session *s, const struct search_key *key, size_t i)
{
    ptrdiff_t at = view_msg(&s->view, i);
    struct candidate c = {.s = s, .mb = s->view.box->mailbox, .at = i, .i = (size_t)at};
    bool found;

    if (at < 0)
        return false;
    found = all_match(&c, key);
    msgfile_close(&c.file);
    arena_free(c.arena);
    return found;
}
