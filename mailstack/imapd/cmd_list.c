/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LIST, LSUB (RFC 3501, 6.3.8 and 6.3.9; RFC 3348; RFC 6154): the names that match a pattern.
 *
 * A level that has folders below it but is none itself is shown with \Noselect.
 */
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"

#include "mailstack/imapd/cmd.h"
#include "mailstack/imapd/session.h"
#include "mailstack/imapd/user.h"
#include "mailstack/lib/proto/imap_parser.h"
#include "mailstack/lib/proto/imap_quote.h"
#include "mailstack/lib/store/folder.h"

#define WILDCARDS_MAX 16 /* matching takes time exponential in them, else */

/* '*' matches anything, '%' anything but the separator. INBOX in any case. */
static bool matches(struct str pattern, struct str name)
{
    while (pattern.n > 0 && pattern.p[0] != '*' && pattern.p[0] != '%') {
        if (name.n == 0 || name.p[0] != pattern.p[0])
            return false;
        pattern = str_skip(pattern, 1);
        name = str_skip(name, 1);
    }
    if (pattern.n == 0)
        return name.n == 0;
    for (size_t i = 0;; i++) {
        if (matches(str_skip(pattern, 1), str_skip(name, i)))
            return true;
        if (i >= name.n || (pattern.p[0] == '%' && name.p[i] == FOLDER_SEPARATOR))
            return false;
    }
}

/* "**" is "*", "*%" is "*": and the number of wildcards is limited. false: too many. */
static bool simplify(struct str given, struct buf *out)
{
    size_t wild = 0;

    for (size_t i = 0; i < given.n; i++) {
        char c = given.p[i], last = out->n == 0 ? '\0' : out->p[out->n - 1];

        if (c == '*' && last == '%')
            out->p[out->n - 1] = '*';
        else if (!((c == '*' || c == '%') && (last == '*' || (c == '%' && last == '%'))))
            buf_append_char(out, c);
        wild += c == '*' || c == '%';
    }
    return wild <= WILDCARDS_MAX && !out->failed;
}

static bool has_below(const struct folder_names *l, struct str name)
{
    for (size_t i = 0; i < l->n; i++) {
        struct str at = str_of(l->v[i]);

        if (at.n > name.n && str_starts(at, name) && at.p[name.n] == FOLDER_SEPARATOR)
            return true;
    }
    return false;
}

static void put_name(struct session *s, const char *verb, const char *attributes, struct str name)
{
    struct buf *out = session_out(s);

    buf_printf(out, "* %s (%s) \".\" ", verb, attributes);
    imap_quote_astring(out, name);
    buf_append_c(out, "\r\n");
}

struct listing {
    struct session *s;
    const char *verb;
    struct str pattern;
    const struct folder_names *names; /* what is listed */
    const struct folder_names *exist; /* what there is */
    bool subscribed;
};

static void put_one(const struct listing *l, struct str name)
{
    const char *use = folder_use(name);
    own_buf struct buf attributes = BUF_INIT(128);

    if (l->subscribed) {
        if (!folder_names_has(l->exist, name))
            buf_append_c(&attributes, "\\Noselect");
    } else {
        buf_append_c(&attributes, has_below(l->exist, name) ? "\\HasChildren" : "\\HasNoChildren");
        if (use != NULL)
            buf_printf(&attributes, " %s", use);
    }
    put_name(l->s, l->verb, buf_c(&attributes), name);
}

/* The levels above a name that are no folders themselves, each once: the first name below does it.
 */
static void put_parents(const struct listing *l, size_t i)
{
    struct str name = str_of(l->names->v[i]);
    struct str before = i == 0 ? STR_NONE : str_of(l->names->v[i - 1]);

    for (size_t at = 1; at < name.n; at++) {
        struct str parent = str_head(name, at);

        if (name.p[at] != FOLDER_SEPARATOR || folder_names_has(l->names, parent))
            continue;
        if (before.n > at && str_starts(before, parent) && before.p[at] == FOLDER_SEPARATOR)
            continue;
        /* LSUB shows it only where '%' hides what is subscribed below (RFC 3501, 6.3.9). */
        if (matches(l->pattern, parent) && !(l->subscribed && matches(l->pattern, name)))
            put_name(l->s, l->verb, l->subscribed ? "\\Noselect" : "\\Noselect \\HasChildren",
                     parent);
    }
}

static void put_matching(const struct listing *l)
{
    for (size_t i = 0; i < l->names->n; i++) {
        struct str name = str_of(l->names->v[i]);

        put_parents(l, i);
        if (matches(l->pattern, name))
            put_one(l, name);
    }
}

static int list(struct session *s, struct str pattern, const char *verb, struct err *err)
{
    struct folder_names exist = {0}, subscribed = {0};
    struct listing l = {.s = s, .verb = verb, .pattern = pattern, .names = &exist, .exist = &exist};
    int rc = folder_list(s->user->home_fd, &exist, err);

    if (rc == 0 && strcmp(verb, "LSUB") == 0) {
        l.subscribed = true;
        l.names = &subscribed;
        rc = folder_subscriptions(s->user->home_fd, &subscribed, err);
    }
    if (rc == 0)
        put_matching(&l);
    folder_names_done(&exist);
    folder_names_done(&subscribed);
    return rc;
}

/* INBOX, as the first level, is matched in any case. */
static void fold_inbox(struct buf *pattern)
{
    struct str first = buf_str(pattern), rest;

    (void)str_cut(first, FOLDER_SEPARATOR, &first, &rest); /* else it is all one level */
    for (size_t i = 0; folder_is_inbox(first) && i < first.n; i++)
        pattern->p[i] = "INBOX"[i];
}

static void run(struct session *s, const struct imap_cmd *c, const char *verb)
{
    own_buf struct buf given = BUF_INIT(4096), pattern = BUF_INIT(4096);
    struct str reference, mailbox;
    struct err err = {0};

    if (!imap_arg_astring(&c->args[0], &reference) || !imap_arg_astring(&c->args[1], &mailbox)) {
        session_bad(s, "expected a reference and a pattern");
        return;
    }
    if (mailbox.n == 0) { /* asks for the separator */
        put_name(s, verb, "\\Noselect", STR_NONE);
        session_ok(s, "done");
        return;
    }
    buf_append(&given, reference);
    buf_append(&given, mailbox);
    if (given.failed || !simplify(buf_str(&given), &pattern)) {
        session_no(s, "[LIMIT] pattern too long");
        return;
    }
    fold_inbox(&pattern);
    if (list(s, buf_str(&pattern), verb, &err) < 0)
        session_fail(s, &err);
    else
        session_ok(s, "done");
}

void cmd_list(struct session *s, const struct imap_cmd *c)
{
    run(s, c, "LIST");
}

void cmd_lsub(struct session *s, const struct imap_cmd *c)
{
    run(s, c, "LSUB");
}
