/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/proto/smtp_cmd.h"

#include <errno.h>

#include "runtime/base/err.h"
#include "runtime/base/num.h"

#define HELO_MAX 255

static const struct {
    const char *name;
    enum smtp_verb verb;
} verbs[] = {
    {"HELO", SMTP_HELO},         {"EHLO", SMTP_EHLO}, {"MAIL", SMTP_MAIL}, {"RCPT", SMTP_RCPT},
    {"DATA", SMTP_DATA},         {"BDAT", SMTP_BDAT}, {"RSET", SMTP_RSET}, {"NOOP", SMTP_NOOP},
    {"VRFY", SMTP_VRFY},         {"EXPN", SMTP_EXPN}, {"HELP", SMTP_HELP}, {"QUIT", SMTP_QUIT},
    {"STARTTLS", SMTP_STARTTLS}, {"AUTH", SMTP_AUTH},
};

static enum parse_result bad(struct err *err, int code, const char *why)
{
    (void)err_set(err, code, "%s", why);
    return PARSE_ERROR;
}

/* The first CR or LF decides: it must be a CR with an LF behind it. */
enum parse_result smtp_line_parse(struct str in, size_t max, struct str *line, size_t *used,
                                  struct err *err)
{
    ptrdiff_t at = str_find_any(str_head(in, max), "\r\n");
    size_t end = at < 0 ? in.n : (size_t)at;

    *used = 0;
    if (end + 2 > max)
        return bad(err, EMSGSIZE, "line too long");
    if (at < 0 || (in.p[end] == '\r' && end + 1 == in.n))
        return PARSE_MORE;
    if (in.p[end] == '\n' || in.p[end + 1] != '\n') {
        *used = end + 1;
        return bad(err, EBADMSG, "bare CR or LF in a line");
    }
    *used = end + 2;
    if (str_has_nul(str_head(in, end)))
        return bad(err, EBADMSG, "NUL in a line");
    *line = str_head(in, end);
    return PARSE_DONE;
}

static enum smtp_verb find_verb(struct str name)
{
    for (size_t i = 0; i < ARRAY_N(verbs); i++) {
        if (str_ieq_c(name, verbs[i].name))
            return verbs[i].verb;
    }
    return SMTP_UNKNOWN;
}

enum parse_result smtp_cmd_parse(struct str in, struct smtp_cmd *cmd, size_t *used, struct err *err)
{
    struct str line;
    enum parse_result r = smtp_line_parse(in, SMTP_LINE_MAX, &line, used, err);

    if (r != PARSE_DONE)
        return r;
    line = str_trim_set(line, " \t");
    if (!str_cut(line, ' ', &cmd->name, &cmd->args)) {
        cmd->name = line;
        cmd->args = STR_NONE;
    }
    cmd->args = str_trim_set(cmd->args, " \t");
    cmd->verb = find_verb(cmd->name);
    return PARSE_DONE;
}

int smtp_bdat_parse(struct str args, uint64_t *size, bool *last, struct err *err)
{
    struct str number = args;
    struct str word = STR_NONE;
    uint64_t n;

    if (str_cut(args, ' ', &number, &word)) {
        word = str_trim_set(word, " ");
        if (!str_ieq(word, STR("LAST")))
            return err_set(err, EINVAL, "expected LAST behind the size");
    }
    if (num_parse_u64(number, 0, INT64_MAX, &n, err) < 0)
        return -1;
    *size = n;
    *last = word.n > 0;
    return 0;
}

bool smtp_is_helo_name(struct str s)
{
    if (s.n == 0 || s.n > HELO_MAX || !str_is_utf8(s))
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (!(ascii_is_alnum(s.p[i]) || c >= 0x80 || str_find(STR(".-_[]:"), s.p[i]) >= 0))
            return false;
    }
    return true;
}
