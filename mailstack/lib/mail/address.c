/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A walk over tokens. What stands in front of '<', ':' or '@' decides what it was: a display name,
 * a group's name or a local part; so words are gathered in two forms at once: as a phrase, with
 * single spaces between, and joined, as a local part is. Each step consumes at least one byte.
 */
#include "mailstack/lib/mail/address.h"

#include <errno.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/header.h"

#define FIRST_ROOM 4

struct walk {
    struct str s; /* what is left */
    struct arena *arena;
    struct address_list list;
    size_t room;
    struct buf phrase;
    struct buf joined;
    struct buf comment; /* the last one seen */
    size_t words_n;
    bool has_comment;
    bool in_group;
};

static bool is_atom(char c)
{
    return (unsigned char)c > ' ' && c != 0x7f && str_find(STR("()<>[]:;@\\,.\""), c) < 0;
}

static bool is_space(char c)
{
    return ascii_is_space(c) || c == '\r' || c == '\n';
}

static char peek(const struct walk *w)
{
    return w->s.n ? w->s.p[0] : '\0';
}

static void advance(struct walk *w, size_t n)
{
    w->s = str_skip(w->s, n);
}

/* --- tokens --- */

/* A comment with its nested ones; one that is never closed ends at the end of the field. */
static void take_comment(struct walk *w)
{
    size_t depth = 0;

    buf_reset(&w->comment);
    do {
        char c = peek(w);

        advance(w, 1);
        if (c == '\\' && w->s.n) {
            c = peek(w);
            advance(w, 1);
        } else if (c == '(' && depth < ADDRESS_COMMENT_DEPTH_MAX) {
            if (depth++ == 0)
                continue;
        } else if (c == ')' && --depth == 0) {
            break;
        }
        if (c != '\r' && c != '\n')
            buf_append_char(&w->comment, c);
    } while (w->s.n);
    w->has_comment = true;
}

static void skip_cfws(struct walk *w)
{
    while (w->s.n) {
        if (is_space(peek(w)))
            advance(w, 1);
        else if (peek(w) == '(')
            take_comment(w);
        else
            return;
    }
}

/* A quoted string's content goes to both forms, line ends left out. */
static void take_quoted(struct walk *w)
{
    advance(w, 1);
    while (w->s.n && peek(w) != '"') {
        if (peek(w) == '\\' && w->s.n > 1)
            advance(w, 1);
        if (peek(w) != '\r' && peek(w) != '\n') {
            buf_append_char(&w->phrase, peek(w));
            buf_append_char(&w->joined, peek(w));
        }
        advance(w, 1);
    }
    advance(w, 1);
}

static void take_atom(struct walk *w)
{
    size_t n = 0;

    while (n < w->s.n && (is_atom(w->s.p[n]) || w->s.p[n] == '.'))
        n++;
    buf_append(&w->phrase, str_head(w->s, n));
    buf_append(&w->joined, str_head(w->s, n));
    advance(w, n);
}

/* Words, up to what is none. A dot joins its neighbours, so "John Q. Public" and "a . b" both are
 * one word less than they look like. */
static void take_words(struct walk *w)
{
    buf_reset(&w->phrase);
    buf_reset(&w->joined);
    w->words_n = 0;
    for (;;) {
        struct str before;
        bool dotted;

        skip_cfws(w);
        before = w->s;
        if (peek(w) != '"' && peek(w) != '.' && (w->s.n == 0 || !is_atom(peek(w))))
            return;
        dotted = peek(w) == '.' || (w->joined.n && w->joined.p[w->joined.n - 1] == '.');
        if (w->words_n > 0 && is_space(before.p[-1]))
            buf_append_char(&w->phrase, ' ');
        if (!dotted || w->words_n == 0)
            w->words_n++;
        if (peek(w) == '"')
            take_quoted(w);
        else
            take_atom(w);
    }
}

/* Up to the next separator of elements: what cannot be read is not read as something else. */
static void skip_element(struct walk *w)
{
    w->list.flawed = true;
    while (w->s.n && peek(w) != ',' && peek(w) != ';') {
        if (peek(w) == '"') {
            buf_reset(&w->phrase);
            buf_reset(&w->joined);
            take_quoted(w);
        } else if (peek(w) == '(') {
            take_comment(w);
        } else {
            advance(w, 1);
        }
    }
}

/* --- results --- */

static int copy(struct walk *w, const struct buf *b, struct str *out, struct err *err)
{
    *out = arena_str(w->arena, buf_str(b));
    if (!out->p)
        return err_set(err, ENOMEM, "addresses: the arena is full");
    return 0;
}

static int grow(struct walk *w, struct err *err)
{
    size_t room = w->room ? w->room * 2 : FIRST_ROOM;
    struct address *at = arena_array(w->arena, room, sizeof(*at));

    if (!at)
        return err_set(err, ENOMEM, "addresses: the arena is full");
    if (w->list.n)
        memcpy(at, w->list.at, w->list.n * sizeof(*at));
    w->list.at = at;
    w->room = room;
    return 0;
}

static int emit(struct walk *w, const struct address *a, struct err *err)
{
    if (w->list.n == ADDRESS_MAX) {
        w->list.flawed = true;
        w->s = STR_NONE;
        return 0;
    }
    if (w->list.n == w->room && grow(w, err) < 0)
        return -1;
    w->list.at[w->list.n++] = *a;
    return 0;
}

/* --- grammar --- */

static int take_domain(struct walk *w, struct str *out, struct err *err)
{
    own_buf struct buf domain = BUF_INIT(w->s.n + 1);

    skip_cfws(w);
    if (peek(w) == '[') {
        while (w->s.n && peek(w) != ']') {
            if (!is_space(peek(w)))
                buf_append_char(&domain, peek(w));
            advance(w, 1);
        }
        buf_append_char(&domain, ']');
        w->list.flawed = w->list.flawed || w->s.n == 0;
        advance(w, 1);
        return copy(w, &domain, out, err);
    }
    while (w->s.n && (is_atom(peek(w)) || peek(w) == '.')) {
        size_t n = 0;

        while (n < w->s.n && (is_atom(w->s.p[n]) || w->s.p[n] == '.'))
            n++;
        bool ends_in_dot = w->s.p[n - 1] == '.';

        buf_append(&domain, str_head(w->s, n));
        advance(w, n);
        skip_cfws(w);
        if (!ends_in_dot && peek(w) != '.')
            break;
    }
    w->list.flawed = w->list.flawed || domain.n == 0;
    return copy(w, &domain, out, err);
}

/* "@a,@b:" in front of the address proper. */
static int take_route(struct walk *w, struct str *out, struct err *err)
{
    struct str s = w->s;
    ptrdiff_t colon =
        str_find(str_head(s, (size_t)(str_find(s, '>') < 0 ? 0 : str_find(s, '>'))), ':');
    own_buf struct buf route = BUF_INIT(s.n + 1);

    if (colon < 0) {
        w->list.flawed = true;
        return 0;
    }
    for (size_t i = 0; i < (size_t)colon; i++) {
        if (!is_space(s.p[i]))
            buf_append_char(&route, s.p[i]);
    }
    advance(w, (size_t)colon + 1);
    return copy(w, &route, out, err);
}

/* local@domain, the words taken already, '@' perhaps next. */
static int take_spec(struct walk *w, struct address *a, struct err *err)
{
    if (copy(w, &w->joined, &a->local, err) < 0)
        return -1;
    w->list.flawed = w->list.flawed || w->words_n > 1;
    if (peek(w) != '@')
        return 0;
    advance(w, 1);
    return take_domain(w, &a->domain, err);
}

static int take_angle(struct walk *w, struct address *a, struct err *err)
{
    advance(w, 1);
    skip_cfws(w);
    if (peek(w) == '@' && take_route(w, &a->route, err) < 0)
        return -1;
    take_words(w);
    if (take_spec(w, a, err) < 0)
        return -1;
    skip_cfws(w);
    if (peek(w) != '>')
        w->list.flawed = true;
    while (w->s.n && peek(w) != '>' && peek(w) != ',' && peek(w) != ';')
        advance(w, 1);
    if (peek(w) == '>')
        advance(w, 1);
    return 0;
}

/* A comment behind the address names its owner, as it was done before display names. */
static int take_mailbox(struct walk *w, struct err *err)
{
    struct address a = {.kind = ADDRESS_MAILBOX};
    bool angle = peek(w) == '<';
    bool plain = peek(w) == '@' || w->words_n == 1;

    if ((angle || !plain) && w->words_n && copy(w, &w->phrase, &a.name, err) < 0)
        return -1;
    if (angle ? take_angle(w, &a, err) < 0 : plain && take_spec(w, &a, err) < 0)
        return -1;
    w->list.flawed = w->list.flawed || (!angle && !plain);
    skip_cfws(w);
    if (!a.name.p && w->has_comment && copy(w, &w->comment, &a.name, err) < 0)
        return -1;
    if (w->s.n && peek(w) != ',' && peek(w) != ';')
        skip_element(w);
    return emit(w, &a, err);
}

static int take_group(struct walk *w, struct err *err)
{
    struct address a = {.kind = ADDRESS_GROUP};

    advance(w, 1);
    if (w->in_group) {
        w->list.flawed = true;
        return 0;
    }
    w->in_group = true;
    if (copy(w, &w->phrase, &a.name, err) < 0)
        return -1;
    return emit(w, &a, err);
}

static int end_group(struct walk *w, struct err *err)
{
    if (!w->in_group) {
        w->list.flawed = true;
        return 0;
    }
    w->in_group = false;
    return emit(w, &(struct address){.kind = ADDRESS_GROUP_END}, err);
}

static int take_element(struct walk *w, struct err *err)
{
    char c;

    w->has_comment = false;
    take_words(w);
    c = peek(w);
    if (w->words_n == 0 && (c == ',' || c == ';')) {
        advance(w, 1);
        return c == ';' ? end_group(w, err) : 0;
    }
    if (w->words_n && c == ':')
        return take_group(w, err);
    if (w->words_n || c == '<')
        return take_mailbox(w, err);
    if (w->s.n) {
        advance(w, 1);
        skip_element(w);
    }
    return 0;
}

int address_parse_list(struct str value, struct arena *a, struct address_list *out, struct err *err)
{
    struct walk w = {.s = value, .arena = a};
    int rc = 0;

    /* A word is never longer than the input; the spaces between words are there in it. */
    buf_init(&w.phrase, value.n + 1);
    buf_init(&w.joined, value.n + 1);
    buf_init(&w.comment, value.n + 1);
    while (rc == 0 && w.s.n)
        rc = take_element(&w, err);
    if (rc == 0 && w.in_group) {
        w.list.flawed = true;
        rc = emit(&w, &(struct address){.kind = ADDRESS_GROUP_END}, err);
    }
    buf_done(&w.phrase);
    buf_done(&w.joined);
    buf_done(&w.comment);
    if (rc == 0)
        *out = w.list;
    return rc;
}

/* --- formatting --- */

static bool is_dot_atom(struct str s)
{
    bool dot = true; /* at the start as after a dot: another must not follow */

    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '.' ? dot : !is_atom(s.p[i]))
            return false;
        dot = s.p[i] == '.';
    }
    return !dot;
}

static void quote(struct buf *to, struct str s)
{
    buf_append_char(to, '"');
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (c == '"' || c == '\\')
            buf_append_char(to, '\\');
        buf_append_char(to, c == '\r' || c == '\n' || c == '\0' ? ' ' : c);
    }
    buf_append_char(to, '"');
}

void address_format_spec(struct buf *to, struct str local, struct str domain)
{
    if (is_dot_atom(local))
        buf_append(to, local);
    else
        quote(to, local);
    if (!domain.p)
        return;
    buf_append_char(to, '@');
    for (size_t i = 0; i < domain.n; i++) {
        if ((unsigned char)domain.p[i] > ' ')
            buf_append_char(to, domain.p[i]);
    }
}

void address_format(struct buf *to, const struct address *a)
{
    if (!a->name.p) {
        address_format_spec(to, a->local, a->domain);
        return;
    }
    quote(to, a->name);
    buf_append_c(to, " <");
    address_format_spec(to, a->local, a->domain);
    buf_append_char(to, '>');
}
