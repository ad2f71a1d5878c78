/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values are written a character at a time, and always so that the closing mark still fits: a cut
 * line is as well formed as a whole one.
 */
#include "runtime/base/log.h"

#include <errno.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#define CLOSING   "...\""
#define CLOSING_N (sizeof(CLOSING) - 1)
#define ESCAPED_N 12 /* the longest form of one character: three bytes as \xHH */
#define NUMBER_N  24 /* the longest number, with room for " =" */

static int log_fd = STDERR_FILENO;
static enum log_level log_level = LOG_LEVEL_INFO;

void log_to(int fd)
{
    log_fd = fd;
}

void log_set_level(enum log_level level)
{
    log_level = level;
}

bool log_enabled(enum log_level level)
{
    return level <= log_level;
}

/* --- values ---------------------------------------------------------------------------------- */

/* The bytes of the character s begins with; in text that is not UTF-8 each byte stands alone. */
static size_t char_n(struct str s, bool utf8)
{
    unsigned char c = (unsigned char)s.p[0];

    if (!utf8 || c < 0x80)
        return 1;
    if (c < 0xe0)
        return 2;
    return c < 0xf0 ? 3 : 4;
}

/* What a terminal or a reader of lines may act upon: C0, DEL, C1, U+2028, U+2029, broken bytes. */
static bool is_plain(struct str c)
{
    unsigned char first = (unsigned char)c.p[0];
    unsigned char second = c.n > 1 ? (unsigned char)c.p[1] : 0;

    if (c.n == 1)
        return first >= ' ' && first < 0x7f;
    if (c.n == 2)
        return first != 0xc2 || second >= 0xa0;
    return !(c.n == 3 && first == 0xe2 && second == 0x80 && ((unsigned char)c.p[2] & 0xfe) == 0xa8);
}

static void put_char(struct buf *out, struct str c)
{
    if (is_plain(c)) {
        if (c.p[0] == '"' || c.p[0] == '\\')
            buf_append_char(out, '\\');
        buf_append(out, c);
        return;
    }
    if (c.p[0] == '\n') {
        buf_append_c(out, "\\n");
        return;
    }
    for (size_t i = 0; i < c.n; i++)
        buf_printf(out, "\\x%02x", (unsigned)(unsigned char)c.p[i]);
}

static bool needs_quotes(struct str s, bool utf8)
{
    if (s.n == 0 || str_find_any(s, " \"=\\") >= 0)
        return true;
    for (size_t n; s.n > 0; s = str_skip(s, n)) {
        n = char_n(s, utf8);
        if (!is_plain(str_head(s, n)))
            return true;
    }
    return false;
}

static void put_value(struct buf *out, struct str s)
{
    bool utf8 = str_is_utf8(s);
    bool quoted = needs_quotes(s, utf8);

    if (quoted)
        buf_append_char(out, '"');
    for (size_t n; s.n > 0; s = str_skip(s, n)) {
        if (buf_room(out) < ESCAPED_N + CLOSING_N) {
            buf_append_c(out, "...");
            break;
        }
        n = char_n(s, utf8);
        put_char(out, str_head(s, n));
    }
    if (quoted)
        buf_append_char(out, '"');
}

void log_format_field(struct buf *out, const struct log_field *field)
{
    size_t key_n = str_of(field->key).n;

    /* A field that would be nothing but its mark is left out. */
    if (buf_room(out) < key_n + NUMBER_N + CLOSING_N)
        return;
    buf_printf(out, " %s=", field->key);
    switch (field->kind) {
    case LOG_KIND_STR:
        put_value(out, field->s);
        break;
    case LOG_KIND_UINT:
        buf_printf(out, "%llu", (unsigned long long)field->u);
        break;
    case LOG_KIND_INT:
        buf_printf(out, "%lld", (long long)field->i);
        break;
    case LOG_KIND_END:
        break;
    }
}

void log_event(enum log_level level, const char *event, const struct log_field *fields)
{
    static const char *const names[] = {
        [LOG_LEVEL_ERROR] = "error",
        [LOG_LEVEL_WARN] = "warn",
        [LOG_LEVEL_INFO] = "info",
        [LOG_LEVEL_DEBUG] = "debug",
    };
    own_buf struct buf line = BUF_INIT(LOG_LINE_MAX - 1);
    int saved = errno;

    if (!log_enabled(level))
        return;
    buf_printf(&line, "%s %s", names[level], event);
    for (; fields->key != NULL; fields++)
        log_format_field(&line, fields);
    line.max = LOG_LINE_MAX; /* the end of the line always fits */
    buf_append_char(&line, '\n');
    (void)!write(log_fd, line.p, line.n); /* there is nobody to tell that the log is gone */
    errno = saved;
}
