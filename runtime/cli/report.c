/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cli/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/jw.h"
#include "runtime/base/own.h"
#include "runtime/base/str.h"

#define LINE_MAX_ 8192 /* ERR_TEXT_MAX, escaped */

static const char *const level_names[] = {
    [REPORT_ERROR] = "error",
    [REPORT_WARN] = "warning",
    [REPORT_DEBUG] = "debug",
};

int report_open(struct report *r, const char *path, struct err *err)
{
    if (path == NULL)
        return 0;
    r->log_fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (r->log_fd < 0)
        return err_set(err, errno, "open the log file '%s'", path);
    return 0;
}

void report_close(struct report *r)
{
    own_close_fd(&r->log_fd);
    r->log_fd = -1;
}

static void append_time(struct buf *out, int64_t wall_s)
{
    time_t t = (time_t)wall_s;
    struct tm tm;
    char text[32];

    if (gmtime_r(&t, &tm) != NULL && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm) > 0)
        buf_append_c(out, text);
}

void report_format(struct buf *out, bool json, enum report_level level, const char *text,
                   int64_t wall_s)
{
    own_buf struct buf time_text = BUF_INIT(64);
    struct jw w = jw_start(out, JW_ONE_LINE);

    append_time(&time_text, wall_s);
    if (json) {
        jw_object(&w, NULL);
        jw_c(&w, "level", level_names[level]);
        jw_c(&w, "msg", text);
        jw_c(&w, "time", buf_c(&time_text));
        jw_end(&w);
    } else {
        buf_printf(out, "time=\"%s\" level=%s msg=", buf_c(&time_text), level_names[level]);
        jw_quote(out, str_of(text));
    }
    buf_append_char(out, '\n');
}

static void write_line(int fd, const struct buf *line)
{
    struct err ignored;

    if (fd_write_all(fd, buf_str(line), &ignored) < 0)
        return; /* there is nobody left to tell */
}

/* "mailbox-run: TEXT", without control characters, so that data cannot forge a second line. */
static void format_plain(struct buf *out, enum report_level level, const char *text)
{
    buf_printf(out, "mailbox-run: %s", level == REPORT_ERROR ? "" : level_names[level]);
    if (level != REPORT_ERROR)
        buf_append_c(out, ": ");
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            buf_append_char(out, ' ');
        else
            buf_append_char(out, *text);
    }
    buf_append_char(out, '\n');
}

/* Of a character of more than one byte: C1 controls, which a terminal obeys as it does escape
 * sequences, and what reorders or breaks the line it stands in. */
static bool is_harmful(uint32_t c)
{
    return c < 0xa0 || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

/* The bytes of the character that s begins with, 0 if there is none, and what it is. */
static size_t decode(struct str s, uint32_t *c)
{
    unsigned char first = (unsigned char)s.p[0];
    size_t n = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

    if (n > s.n || !str_is_utf8(str_head(s, n)))
        return 0;
    *c = n == 1 ? first : first & (0x7fU >> n);
    for (size_t i = 1; i < n; i++)
        *c = *c << 6 | ((unsigned char)s.p[i] & 0x3f);
    return n;
}

/* What is said may be data of an image or a hook. C0 is left to the format. */
static void clean(struct buf *out, struct str s)
{
    while (s.n > 0) {
        uint32_t c = 0;
        size_t n = decode(s, &c);
        bool bad = n == 0 || c == 0x7f || (n > 1 && is_harmful(c));

        n = n == 0 ? 1 : n;
        buf_append(out, bad ? STR("?") : str_head(s, n));
        s = str_skip(s, n);
    }
}

void report_line(const struct report *r, enum report_level level, const char *given)
{
    own_buf struct buf cleaned = BUF_INIT(LINE_MAX_);
    const char *text = NULL;
    own_buf struct buf formatted = BUF_INIT(LINE_MAX_);
    own_buf struct buf plain = BUF_INIT(LINE_MAX_);

    if ((level == REPORT_DEBUG && !r->debug) || (level == REPORT_WARN && r->errors_only))
        return;
    clean(&cleaned, str_of(given));
    text = buf_c(&cleaned);
    report_format(&formatted, r->json, level, text, clock_wall_s());
    format_plain(&plain, level, text);
    if (r->log_fd >= 0)
        write_line(r->log_fd, &formatted);
    if (r->log_fd >= 0 && level != REPORT_ERROR)
        return;
    write_line(STDERR_FILENO, r->log_fd < 0 && r->json ? &formatted : &plain);
}
