/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/proto/pop3_cmd.h"

#include <errno.h>

#include "runtime/base/err.h"

static enum parse_result fail(struct err *err, int code, const char *what)
{
    (void)err_set(err, code, "%s", what);
    return PARSE_ERROR;
}

static void split(struct str line, struct pop3_cmd *out)
{
    struct str field;
    struct str rest;

    *out = (struct pop3_cmd){.verb = line};
    if (!str_cut(line, ' ', &out->verb, &out->rest))
        return;
    rest = out->rest;
    while (str_next(&rest, ' ', &field)) {
        if (field.n == 0)
            continue;
        if (out->args_n == POP3_ARGS_MAX) {
            out->args_n++;
            return;
        }
        out->args[out->args_n++] = field;
    }
}

enum parse_result pop3_cmd_parse(struct str in, struct pop3_cmd *out, size_t *used, struct err *err)
{
    ptrdiff_t lf = str_find(str_head(in, POP3_LINE_MAX), '\n');

    *used = 0;
    if (lf < 0 && in.n >= POP3_LINE_MAX)
        return fail(err, EMSGSIZE, "line too long");
    if (lf < 0)
        return PARSE_MORE;
    *used = (size_t)lf + 1;
    if (lf == 0 || in.p[lf - 1] != '\r')
        return fail(err, 0, "a line ends in CRLF");
    struct str line = str_head(in, (size_t)lf - 1);

    if (str_find(line, '\r') >= 0 || str_has_nul(line))
        return fail(err, 0, "a bare CR or a NUL in the line");
    split(line, out);
    return PARSE_DONE;
}
