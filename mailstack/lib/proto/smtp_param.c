/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/proto/smtp_param.h"

#include <errno.h>

#include "runtime/base/err.h"
#include "runtime/base/num.h"

/* Where parameters go: one of the two is set. */
struct target {
    struct smtp_mail *mail;
    struct smtp_rcpt *rcpt;
    unsigned seen; /* bits of the table below */
};

static int bad(struct err *err, const char *what)
{
    return err_set(err, EBADMSG, "bad value of %s", what);
}

/* RFC 3461 section 4: printable ASCII but '+' and '=', and "+HH" in upper case. */
static bool is_xtext(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '+') {
            if (i + 2 >= s.n || ascii_hex(s.p[i + 1]) < 0 || ascii_hex(s.p[i + 2]) < 0)
                return false;
            i += 2;
        } else if (s.p[i] < '!' || s.p[i] > '~' || s.p[i] == '=') {
            return false;
        }
    }
    return true;
}

static int p_size(struct target *t, struct str v, struct err *err)
{
    return num_parse_u64(v, 0, INT64_MAX, &t->mail->size, err) < 0 ? bad(err, "SIZE") : 0;
}

static int p_body(struct target *t, struct str v, struct err *err)
{
    t->mail->is_8bit = str_ieq(v, STR("8BITMIME"));
    return t->mail->is_8bit || str_ieq(v, STR("7BIT")) ? 0 : bad(err, "BODY");
}

static int p_utf8(struct target *t, struct str v, struct err *err)
{
    t->mail->is_utf8 = true;
    return v.p ? bad(err, "SMTPUTF8") : 0;
}

static int p_auth(struct target *t, struct str v, struct err *err)
{
    (void)t;
    return v.n && is_xtext(v) ? 0 : bad(err, "AUTH");
}

static int p_ret(struct target *t, struct str v, struct err *err)
{
    if (str_ieq(v, STR("FULL")))
        t->mail->ret = SMTP_RET_FULL;
    else if (str_ieq(v, STR("HDRS")))
        t->mail->ret = SMTP_RET_HDRS;
    else
        return bad(err, "RET");
    return 0;
}

static int p_envid(struct target *t, struct str v, struct err *err)
{
    t->mail->envid = v;
    return v.n && v.n <= SMTP_ENVID_MAX && is_xtext(v) ? 0 : bad(err, "ENVID");
}

static const struct {
    const char *name;
    unsigned bit;
} notify_words[] = {
    {"NEVER", SMTP_NOTIFY_NEVER},
    {"SUCCESS", SMTP_NOTIFY_SUCCESS},
    {"FAILURE", SMTP_NOTIFY_FAILURE},
    {"DELAY", SMTP_NOTIFY_DELAY},
};

static unsigned notify_bit(struct str word)
{
    for (size_t i = 0; i < ARRAY_N(notify_words); i++) {
        if (str_ieq_c(word, notify_words[i].name))
            return notify_words[i].bit;
    }
    return 0;
}

static int p_notify(struct target *t, struct str v, struct err *err)
{
    struct str word;

    while (str_next(&v, ',', &word)) {
        unsigned bit = notify_bit(word);

        if (!bit)
            return bad(err, "NOTIFY");
        t->rcpt->notify |= bit;
    }
    if (!t->rcpt->notify ||
        ((t->rcpt->notify & SMTP_NOTIFY_NEVER) && t->rcpt->notify != SMTP_NOTIFY_NEVER))
        return bad(err, "NOTIFY");
    return 0;
}

static int p_orcpt(struct target *t, struct str v, struct err *err)
{
    struct str type;
    struct str address;

    t->rcpt->orcpt = v;
    if (v.n > SMTP_ORCPT_MAX || !str_cut(v, ';', &type, &address) || !type.n || !address.n ||
        !is_xtext(type) || !is_xtext(address))
        return bad(err, "ORCPT");
    return 0;
}

static const struct param {
    const char *name;
    bool of_mail;
    int (*fn)(struct target *t, struct str value, struct err *err);
} params[] = {
    {"SIZE", true, p_size},      {"BODY", true, p_body},    {"SMTPUTF8", true, p_utf8},
    {"AUTH", true, p_auth},      {"RET", true, p_ret},      {"ENVID", true, p_envid},
    {"NOTIFY", false, p_notify}, {"ORCPT", false, p_orcpt},
};

static int take_one(struct target *t, struct str param, struct err *err)
{
    struct str name = param;
    struct str value = STR_NONE;

    (void)str_cut(param, '=', &name, &value); /* SMTPUTF8 has no value */
    for (size_t i = 0; i < ARRAY_N(params); i++) {
        if (params[i].of_mail != (t->mail != NULL) || !str_ieq_c(name, params[i].name))
            continue;
        if (t->seen & (1u << i))
            return err_set(err, EBADMSG, "%s given twice", params[i].name);
        t->seen |= 1u << i;
        return params[i].fn(t, value, err);
    }
    return err_set(err, ENOTSUP, "unknown parameter");
}

static int take_all(struct target *t, struct str rest, struct err *err)
{
    struct str param;

    if (rest.n && rest.p[0] != ' ')
        return err_set(err, EINVAL, "rubbish behind the address");
    while (str_next(&rest, ' ', &param)) {
        if (param.n && take_one(t, param, err) < 0)
            return -1;
    }
    return 0;
}

/* Clients put a space behind the colon, against the grammar and since for ever. */
static int skip_word(struct str *args, struct str word, struct err *err)
{
    if (!str_istarts(*args, word))
        return err_set(err, EINVAL, "expected %.*s<address>", STR_ARG(word));
    *args = str_skip(*args, word.n);
    while (args->n && args->p[0] == ' ')
        *args = str_skip(*args, 1);
    return 0;
}

int smtp_mail_parse(struct str args, struct smtp_mail *out, struct err *err)
{
    struct smtp_mail m = {0};
    struct target t = {.mail = &m};
    size_t used;

    if (skip_word(&args, STR("FROM:"), err) < 0 ||
        smtp_path_parse(args, SMTP_PATH_NULL | SMTP_PATH_UTF8, &m.from, &used, err) < 0 ||
        take_all(&t, str_skip(args, used), err) < 0)
        return -1;
    if (!m.is_utf8 && !str_is_ascii(smtp_path_str(&m.from)))
        return err_set(err, EILSEQ, "address needs SMTPUTF8");
    *out = m;
    return 0;
}

int smtp_rcpt_parse(struct str args, bool is_utf8, struct smtp_rcpt *out, struct err *err)
{
    struct smtp_rcpt r = {0};
    struct target t = {.rcpt = &r};
    unsigned flags = SMTP_PATH_POSTMASTER | (is_utf8 ? SMTP_PATH_UTF8 : 0);
    size_t used;

    if (skip_word(&args, STR("TO:"), err) < 0 ||
        smtp_path_parse(args, flags, &r.to, &used, err) < 0 ||
        take_all(&t, str_skip(args, used), err) < 0)
        return -1;
    *out = r;
    return 0;
}

void smtp_notify_format(unsigned notify, char out[SMTP_NOTIFY_TEXT_MAX])
{
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_N(notify_words); i++) {
        const char *w = notify_words[i].name;

        if (!(notify & notify_words[i].bit))
            continue;
        if (n)
            out[n++] = ',';
        for (; *w; w++)
            out[n++] = *w;
    }
    out[n] = '\0';
}
