/* SPDX-License-Identifier: Apache-2.0 */
/* Reading is a machine over five states; the bytes between line ends are passed on in runs. */
#include "mailstack/lib/mail/dot.h"

#include <string.h>

#include "runtime/base/buf.h"

enum state {
    LINE_START, /* behind CRLF, or at the very start */
    IN_LINE,
    CR,     /* behind a CR that was not yet given out */
    DOT,    /* behind the dot that begins a line; not given out */
    DOT_CR, /* behind dot and CR; neither given out */
    ENDED,
};

#define HELD_MAX 3 /* bytes one input byte can bring out: CR, and a byte */

struct dot_in dot_in_start(void)
{
    return (struct dot_in){.state = LINE_START};
}

static void put(struct dot_in *d, struct buf *out, char c)
{
    buf_append_char(out, c);
    d->size++;
}

static void end_line(struct dot_in *d, struct buf *out)
{
    buf_append(out, STR("\r\n"));
    d->size += 2;
    if (d->line_n > d->line_max)
        d->line_max = d->line_n;
    d->line_n = 0;
    d->state = LINE_START;
}

/* An ordinary byte within a line, or a CR that may begin a line end. */
static void take(struct dot_in *d, struct buf *out, char c)
{
    if (c == '\r') {
        d->state = CR;
        return;
    }
    if (c == '\n')
        d->bare = true;
    put(d, out, c);
    d->line_n++;
    d->state = IN_LINE;
}

static void bare_cr(struct dot_in *d, struct buf *out)
{
    d->bare = true;
    put(d, out, '\r');
    d->line_n++;
}

static void step(struct dot_in *d, struct buf *out, char c)
{
    switch ((enum state)d->state) {
    case LINE_START:
        if (c == '.')
            d->state = DOT;
        else
            take(d, out, c);
        return;
    case IN_LINE:
        take(d, out, c);
        return;
    case CR:
        if (c == '\n') {
            end_line(d, out);
            return;
        }
        bare_cr(d, out);
        take(d, out, c);
        return;
    case DOT: /* the stuffed dot is dropped, whatever follows it */
        if (c == '\r')
            d->state = DOT_CR;
        else
            take(d, out, c);
        return;
    case DOT_CR:
        if (c == '\n') {
            d->state = ENDED;
            return;
        }
        bare_cr(d, out);
        take(d, out, c);
        return;
    case ENDED:
        return;
    }
}

/* Within a line all goes out as it is up to the next CR or LF. */
static size_t run(struct dot_in *d, struct str in, struct buf *out)
{
    size_t room = buf_room(out);
    struct str s = str_head(in, room);
    const char *cr = memchr(s.p, '\r', s.n);
    const char *lf;

    if (cr)
        s.n = (size_t)(cr - s.p);
    lf = memchr(s.p, '\n', s.n);
    if (lf)
        s.n = (size_t)(lf - s.p);
    buf_append(out, s);
    d->size += s.n;
    d->line_n += s.n;
    return s.n;
}

bool dot_in_feed(struct dot_in *d, struct str in, size_t *used, struct buf *out)
{
    size_t at = 0;

    while (at < in.n && d->state != ENDED && buf_room(out) >= HELD_MAX) {
        if (d->state == IN_LINE)
            at += run(d, str_skip(in, at), out);
        if (at < in.n && buf_room(out) >= HELD_MAX)
            step(d, out, in.p[at++]);
    }
    *used = at;
    return d->state == ENDED;
}

struct dot_out dot_out_start(void)
{
    return (struct dot_out){'\n'};
}

static void out_byte(struct dot_out *d, char c, struct buf *out)
{
    if (d->last == '\r') { /* the CRLF went out with the CR */
        d->last = '\n';
        if (c == '\n')
            return;
    }
    if (c == '\r' || c == '\n') {
        buf_append(out, STR("\r\n"));
    } else {
        if (d->last == '\n' && c == '.')
            buf_append_char(out, '.');
        buf_append_char(out, c);
    }
    d->last = c;
}

void dot_out_feed(struct dot_out *d, struct str in, struct buf *out)
{
    while (in.n) {
        ptrdiff_t end = str_find_any(in, "\r\n");
        struct str line = end < 0 ? in : str_head(in, (size_t)end);

        if (line.n) {
            out_byte(d, line.p[0], out);
            buf_append(out, str_skip(line, 1));
            d->last = 'x';
        }
        in = str_skip(in, line.n);
        if (end >= 0) {
            out_byte(d, in.p[0], out);
            in = str_skip(in, 1);
        }
    }
}

void dot_out_end(struct dot_out *d, struct buf *out)
{
    if (d->last != '\n' && d->last != '\r')
        buf_append(out, STR("\r\n"));
    buf_append(out, STR(".\r\n"));
    d->last = '\n';
}
