/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/proto/smtp_reply.h"

#include <errno.h>

#include "runtime/base/err.h"

#define CODE_N 3

static enum parse_result bad(struct err *err, int code, const char *why)
{
    (void)err_set(err, code, "%s", why);
    return PARSE_ERROR;
}

/* One line up to its LF, without its line end. */
static bool take_line(struct str *rest, struct str *line)
{
    ptrdiff_t lf = str_find(*rest, '\n');

    if (lf < 0)
        return false;
    *line = str_head(*rest, (size_t)lf);
    if (line->n && line->p[line->n - 1] == '\r')
        line->n--;
    *rest = str_skip(*rest, (size_t)lf + 1);
    return true;
}

/* 0 if the line does not begin like one of a reply. */
static unsigned code_of(struct str line)
{
    if (line.n < CODE_N || line.p[0] < '2' || line.p[0] > '5' || !ascii_is_digit(line.p[1]) ||
        !ascii_is_digit(line.p[2]))
        return 0;
    if (line.n > CODE_N && line.p[CODE_N] != ' ' && line.p[CODE_N] != '-')
        return 0;
    return (unsigned)(line.p[0] - '0') * 100 + (unsigned)(line.p[1] - '0') * 10 +
           (unsigned)(line.p[2] - '0');
}

enum parse_result smtp_reply_parse(struct str in, struct smtp_reply *out, size_t *used,
                                   struct err *err)
{
    struct str rest = str_head(in, SMTP_REPLY_MAX);
    struct str line;
    unsigned first = 0;

    *used = 0;
    while (take_line(&rest, &line)) {
        unsigned code = code_of(line);

        if (code == 0 || (first && code != first))
            return bad(err, EBADMSG, "what came is not a reply");
        first = code;
        if (line.n > CODE_N && line.p[CODE_N] == '-')
            continue;
        *used = (size_t)(rest.p - in.p);
        out->code = code;
        out->text = str_skip(line, CODE_N + 1);
        out->all = str_head(in, *used);
        return PARSE_DONE;
    }
    return in.n < SMTP_REPLY_MAX ? PARSE_MORE : bad(err, EMSGSIZE, "a reply too long");
}

bool smtp_reply_line(struct str *all, struct str *text)
{
    struct str line;

    if (!take_line(all, &line))
        return false;
    *text = str_skip(line, CODE_N + 1);
    return true;
}

/* Digits, at most three. */
static bool is_number(struct str s)
{
    if (s.n == 0 || s.n > 3)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (!ascii_is_digit(s.p[i]))
            return false;
    }
    return true;
}

struct str smtp_reply_status(unsigned code, struct str text, struct str *rest)
{
    struct str word = text;
    struct str behind = STR_NONE;
    struct str class;
    struct str subject;
    struct str detail;

    *rest = text;
    (void)str_cut(text, ' ', &word, &behind); /* a status may stand alone */
    if (!str_cut(word, '.', &class, &subject) || !str_cut(subject, '.', &subject, &detail) ||
        class.n != 1 || (unsigned)(class.p[0] - '0') != code / 100 || !is_number(subject) ||
        !is_number(detail))
        return STR_NONE;
    *rest = behind;
    return word;
}
