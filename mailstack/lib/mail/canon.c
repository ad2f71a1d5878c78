/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/mail/canon.h"

#include "runtime/base/buf.h"

struct canon_body canon_body_start(enum canon_kind kind, void (*out)(void *ctx, struct str bytes),
                                   void *ctx)
{
    return (struct canon_body){.kind = kind, .out = out, .ctx = ctx};
}

/* What was held back turns out to stand in front of content. */
static void release(struct canon_body *c)
{
    static const char ends[] = "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n";
    const size_t most = (sizeof(ends) - 1) / 2;

    while (c->lines_n > 0) {
        size_t n = c->lines_n < most ? c->lines_n : most;

        c->out(c->ctx, (struct str){ends, 2 * n});
        c->lines_n -= n;
    }
    if (c->space)
        c->out(c->ctx, STR(" "));
    c->space = false;
    c->any = true;
}

static void content(struct canon_body *c, struct str bytes)
{
    release(c);
    c->out(c->ctx, bytes);
}

/* Bytes up to the next one that is not plain content. */
static size_t span(const struct canon_body *c, struct str s)
{
    size_t n = 0;

    while (n < s.n && s.p[n] != '\r' && (c->kind == CANON_SIMPLE || !ascii_is_space(s.p[n])))
        n++;
    return n;
}

void canon_body_feed(struct canon_body *c, struct str in)
{
    while (in.n > 0) {
        size_t n = span(c, in);

        if (c->cr) {
            c->cr = false;
            if (in.p[0] == '\n') {
                c->lines_n++;
                c->space = false;
                in = str_skip(in, 1);
                continue;
            }
            content(c, STR("\r"));
        }
        if (n > 0) {
            content(c, str_head(in, n));
        } else {
            c->cr = in.p[0] == '\r';
            c->space = c->space || !c->cr;
            n = 1;
        }
        in = str_skip(in, n);
    }
}

void canon_body_end(struct canon_body *c)
{
    if (c->cr)
        content(c, STR("\r"));
    c->cr = false;
    if (c->any || c->kind == CANON_SIMPLE)
        c->out(c->ctx, STR("\r\n"));
}

/* White space in runs of one, none at the ends; line ends of folds are no content. */
static void append_relaxed(struct str value, struct buf *out)
{
    bool space = false, any = false;

    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];

        if (c == '\r' || c == '\n')
            continue;
        if (ascii_is_space(c)) {
            space = true;
            continue;
        }
        if (space && any)
            buf_append_char(out, ' ');
        buf_append_char(out, c);
        space = false;
        any = true;
    }
}

void canon_header(enum canon_kind kind, struct str field, struct buf *out)
{
    struct str name, value;

    if (kind == CANON_SIMPLE) {
        buf_append(out, field);
        return;
    }
    if (!str_cut(field, ':', &name, &value)) {
        name = str_trim(field);
        value = STR_NONE;
    }
    name = str_trim(name);
    for (size_t i = 0; i < name.n; i++)
        buf_append_char(out, ascii_lower(name.p[i]));
    buf_append_char(out, ':');
    append_relaxed(value, out);
    buf_append_c(out, "\r\n");
}
