/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/jw.h"

#include <assert.h>
#include <inttypes.h>

#include "runtime/base/buf.h"

struct jw jw_start(struct buf *out, enum jw_style style)
{
    return (struct jw){.out = out, .style = style};
}

static void new_line(struct jw *w)
{
    if (w->style == JW_ONE_LINE)
        return;
    buf_append_char(w->out, '\n');
    for (unsigned i = 0; i < w->depth; i++)
        buf_append_c(w->out, w->style == JW_INDENT_TABS ? "\t" : "  ");
}

/* What stands in front of a value: comma, line, key. */
static void lead(struct jw *w, const char *key)
{
    if (w->depth > 0) {
        bool *some = &w->some[w->depth - 1];

        if (*some)
            buf_append_char(w->out, ',');
        *some = true;
        new_line(w);
    }
    if (key == NULL)
        return;
    jw_quote(w->out, str_of(key));
    buf_append_c(w->out, w->style == JW_ONE_LINE ? ":" : ": ");
}

static void open_(struct jw *w, const char *key, const char *pair)
{
    lead(w, key);
    assert(w->depth < JW_DEPTH_MAX);
    buf_append_char(w->out, pair[0]);
    w->close[w->depth] = pair[1];
    w->some[w->depth] = false;
    w->depth++;
}

void jw_object(struct jw *w, const char *key)
{
    open_(w, key, "{}");
}

void jw_array(struct jw *w, const char *key)
{
    open_(w, key, "[]");
}

void jw_end(struct jw *w)
{
    assert(w->depth > 0);
    w->depth--;
    if (w->some[w->depth])
        new_line(w);
    buf_append_char(w->out, w->close[w->depth]);
}

void jw_str(struct jw *w, const char *key, struct str value)
{
    lead(w, key);
    jw_quote(w->out, value);
}

void jw_c(struct jw *w, const char *key, const char *value)
{
    if (value == NULL)
        jw_null(w, key);
    else
        jw_str(w, key, str_of(value));
}

void jw_uint(struct jw *w, const char *key, uint64_t value)
{
    lead(w, key);
    buf_printf(w->out, "%" PRIu64, value);
}

void jw_int(struct jw *w, const char *key, int64_t value)
{
    lead(w, key);
    buf_printf(w->out, "%" PRId64, value);
}

void jw_bool(struct jw *w, const char *key, bool value)
{
    lead(w, key);
    buf_append_c(w->out, value ? "true" : "false");
}

void jw_null(struct jw *w, const char *key)
{
    lead(w, key);
    buf_append_c(w->out, "null");
}

void jw_raw(struct jw *w, const char *key, struct str json)
{
    lead(w, key);
    buf_append(w->out, json);
}

static const char *short_escape(unsigned char c)
{
    static const char *const table[128] = {
        ['"'] = "\\\"", ['\\'] = "\\\\", ['\n'] = "\\n", ['\r'] = "\\r",
        ['\t'] = "\\t", ['\b'] = "\\b",  ['\f'] = "\\f",
    };

    return c < 128 ? table[c] : NULL;
}

/* The length of the well-formed UTF-8 sequence at the front of s, or 0. */
static size_t utf8_n(struct str s)
{
    unsigned char c = (unsigned char)s.p[0];
    size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

    return n <= s.n && str_is_utf8(str_head(s, n)) ? n : 0;
}

void jw_quote(struct buf *out, struct str value)
{
    buf_append_char(out, '"');
    while (value.n > 0) {
        unsigned char c = (unsigned char)value.p[0];
        const char *escaped = short_escape(c);
        size_t n = utf8_n(value);

        if (escaped != NULL)
            buf_append_c(out, escaped);
        else if (c < 0x20 || c == 0x7f)
            buf_printf(out, "\\u%04x", c);
        else if (n == 0)
            buf_append_c(out, "\xef\xbf\xbd");
        else
            buf_append(out, str_head(value, n));
        value = str_skip(value, n == 0 ? 1 : n);
    }
    buf_append_char(out, '"');
}
