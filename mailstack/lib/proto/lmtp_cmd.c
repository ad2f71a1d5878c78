/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/proto/lmtp_cmd.h"

#include <errno.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"

static int parse_mail(struct str rest, struct lmtp_cmd *c, struct err *err);
static int parse_rcpt(struct str rest, struct lmtp_cmd *c, struct err *err);
static int parse_bdat(struct str rest, struct lmtp_cmd *c, struct err *err);
static int parse_bare(struct str rest, struct lmtp_cmd *c, struct err *err);
static int parse_name(struct str rest, struct lmtp_cmd *c, struct err *err);
static int parse_any(struct str rest, struct lmtp_cmd *c, struct err *err);

static const struct {
    const char *name;
    enum lmtp_verb verb;
    int (*parse)(struct str rest, struct lmtp_cmd *c, struct err *err);
} verbs[] = {
    {"LHLO", LMTP_LHLO, parse_name}, {"MAIL", LMTP_MAIL, parse_mail},
    {"RCPT", LMTP_RCPT, parse_rcpt}, {"DATA", LMTP_DATA, parse_bare},
    {"BDAT", LMTP_BDAT, parse_bdat}, {"RSET", LMTP_RSET, parse_bare},
    {"NOOP", LMTP_NOOP, parse_any},  {"VRFY", LMTP_VRFY, parse_any},
    {"QUIT", LMTP_QUIT, parse_bare},
};

/* Appends the local part in front of '@' unquoted and advances *in to the '@' (or the '>'). */
static int take_local(struct str *in, struct buf *out, struct err *err)
{
    bool quoted = in->n > 0 && in->p[0] == '"';

    if (!quoted) {
        ptrdiff_t end = str_find_any(*in, "@>");

        if (end < 0)
            return err_set(err, 0, "path without '>'");
        buf_append(out, str_head(*in, (size_t)end));
        *in = str_skip(*in, (size_t)end);
        return 0;
    }
    *in = str_skip(*in, 1);
    while (in->n > 0 && in->p[0] != '"') {
        if (in->p[0] == '\\')
            *in = str_skip(*in, 1);
        if (in->n > 0)
            buf_append_char(out, in->p[0]);
        *in = str_skip(*in, 1);
    }
    if (in->n == 0)
        return err_set(err, 0, "quoted local part without an end");
    *in = str_skip(*in, 1);
    return 0;
}

static int check_text(struct str s, struct err *err)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return err_set(err, 0, "control character in an address");
    return str_is_utf8(s) ? 0 : err_set(err, 0, "address that is not UTF-8");
}

static int take_mailbox(struct str *in, struct buf *out, struct err *err)
{
    ptrdiff_t end;

    if (take_local(in, out, err) < 0)
        return -1;
    if (in->n == 0 || in->p[0] != '@')
        return err_set(err, 0, "address without a domain");
    end = str_find(*in, '>');
    if (end < 2)
        return err_set(err, 0, "address without a domain");
    if (str_find_any(str_head(*in, (size_t)end), " \"\\<") >= 0)
        return err_set(err, 0, "bad character in a domain");
    buf_append(out, str_head(*in, (size_t)end));
    *in = str_skip(*in, (size_t)end);
    return 0;
}

/* "<...>" at the start of *in, which is advanced behind it. */
static int take_path(struct str *in, struct lmtp_cmd *c, struct err *err)
{
    own_buf struct buf addr = BUF_INIT(LMTP_ADDR_MAX);
    struct str route;

    if (in->n == 0 || in->p[0] != '<')
        return err_set(err, 0, "path without '<'");
    *in = str_skip(*in, 1);
    if (in->n > 0 && in->p[0] == '@' && !str_cut(*in, ':', &route, in))
        return err_set(err, 0, "source route without ':'");
    if ((in->n == 0 || in->p[0] != '>') && take_mailbox(in, &addr, err) < 0)
        return -1;
    if (in->n == 0 || in->p[0] != '>')
        return err_set(err, 0, "path without '>'");
    *in = str_skip(*in, 1);
    if (addr.failed)
        return err_set(err, 0, "address over %d bytes", LMTP_ADDR_MAX);
    if (check_text(buf_str(&addr), err) < 0)
        return -1;
    for (size_t i = 0; i < addr.n; i++)
        c->addr[i] = addr.p[i];
    c->addr[addr.n] = '\0';
    return 0;
}

static int take_keyword(struct str *rest, const char *keyword, struct err *err)
{
    struct str word = str_of(keyword);

    if (!str_istarts(*rest, word))
        return err_set(err, 0, "expected %s", keyword);
    *rest = str_trim_set(str_skip(*rest, word.n), " ");
    return 0;
}

static int mail_parameter(struct str key, struct str value, struct lmtp_cmd *c, struct err *err)
{
    if (str_ieq_c(key, "SIZE"))
        return num_parse_u64(value, 0, UINT64_MAX, &c->size, err);
    if (str_ieq_c(key, "SMTPUTF8") && value.n == 0)
        return 0;
    if (str_ieq_c(key, "BODY") && (str_ieq_c(value, "7BIT") || str_ieq_c(value, "8BITMIME")))
        return 0;
    return err_set(err, 0, "unknown parameter");
}

static int rcpt_parameter(struct str key, struct str value, struct lmtp_cmd *c, struct err *err)
{
    if (str_ieq_c(key, "XQUOTA"))
        return num_parse_u64(value, 0, INT64_MAX, &c->quota, err);
    return err_set(err, 0, "unknown parameter");
}

static int parse_parameters(struct str rest, struct lmtp_cmd *c,
                            int (*one)(struct str, struct str, struct lmtp_cmd *, struct err *),
                            struct err *err)
{
    struct str word;

    if (rest.n > 0 && rest.p[0] != ' ')
        return err_set(err, 0, "expected a space behind the path");
    while (str_next(&rest, ' ', &word)) {
        struct str key = word, value = STR_NONE;

        if (word.n == 0)
            continue;
        if (!str_cut(word, '=', &key, &value))
            key = word;
        if (one(key, value, c, err) < 0)
            return -1;
    }
    return 0;
}

static int parse_mail(struct str rest, struct lmtp_cmd *c, struct err *err)
{
    if (take_keyword(&rest, "FROM:", err) < 0 || take_path(&rest, c, err) < 0)
        return -1;
    return parse_parameters(rest, c, mail_parameter, err);
}

static int parse_rcpt(struct str rest, struct lmtp_cmd *c, struct err *err)
{
    if (take_keyword(&rest, "TO:", err) < 0 || take_path(&rest, c, err) < 0)
        return -1;
    if (c->addr[0] == '\0')
        return err_set(err, 0, "empty recipient");
    return parse_parameters(rest, c, rcpt_parameter, err);
}

static int parse_bdat(struct str rest, struct lmtp_cmd *c, struct err *err)
{
    struct str n = rest, last = STR_NONE;

    if (str_cut(rest, ' ', &n, &last) && !str_ieq_c(last, "LAST"))
        return err_set(err, 0, "expected LAST");
    c->last = last.n > 0;
    return num_parse_u64(n, 0, UINT32_MAX, &c->size, err);
}

static int parse_bare(struct str rest, struct lmtp_cmd *c, struct err *err)
{
    (void)c; /* nothing to fill in */
    return rest.n == 0 ? 0 : err_set(err, 0, "unexpected argument");
}

static int parse_name(struct str rest, struct lmtp_cmd *c, struct err *err)
{
    (void)c; /* the peer's name is not kept */
    return rest.n > 0 ? 0 : err_set(err, 0, "expected a host name");
}

static int parse_any(struct str rest, struct lmtp_cmd *c, struct err *err)
{
    (void)rest;
    (void)c;
    (void)err;
    return 0;
}

int lmtp_cmd_parse(struct str line, struct lmtp_cmd *out, struct err *err)
{
    struct lmtp_cmd c = {.verb = LMTP_UNKNOWN, .quota = LMTP_NO_QUOTA};
    struct str verb, rest;

    line = str_trim_set(line, " ");
    if (!str_cut(line, ' ', &verb, &rest)) {
        verb = line;
        rest = STR_NONE;
    }
    for (size_t i = 0; i < ARRAY_N(verbs); i++) {
        if (!str_ieq_c(verb, verbs[i].name))
            continue;
        c.verb = verbs[i].verb;
        if (verbs[i].parse(str_trim_set(rest, " "), &c, err) < 0)
            return -1;
        break;
    }
    *out = c;
    return 0;
}
