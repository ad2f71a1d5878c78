/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parameters by name. The forms of RFC 2231 for "filename" are: filename*0, filename*1 (pieces),
 * filename*0* (a piece with %XX, the first with set and language in front) and filename* (a whole
 * one).
 */
#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/charset.h"
#include "mailstack/lib/mail/mime.h"
#include "mailstack/lib/mail/rfc2047.h"

#define PARAM_TEXT_MAX 65536

struct str mime_param(const struct mime_value *v, const char *name)
{
    for (size_t i = 0; i < v->params_n; i++) {
        if (str_ieq_c(v->params[i].name, name))
            return v->params[i].value;
    }
    return STR_NONE;
}

/* The piece with that index (-1: "name*"), and whether it has %XX. */
static const struct mime_param *piece(const struct mime_value *v, const char *name, int index,
                                      bool *extended)
{
    own_buf struct buf want = BUF_INIT(256);

    buf_append_c(&want, name);
    if (index >= 0)
        buf_printf(&want, "*%d", index);
    if (want.failed)
        return NULL;
    for (size_t i = 0; i < v->params_n; i++) {
        struct str n = v->params[i].name;

        *extended = n.n && n.p[n.n - 1] == '*';
        if (*extended)
            n.n--;
        if (str_ieq(n, buf_str(&want)) && (*extended || index >= 0))
            return &v->params[i];
    }
    return NULL;
}

static void unpercent(struct str s, struct buf *out)
{
    while (s.n) {
        int high = s.n > 2 ? ascii_hex(s.p[1]) : -1;
        int low = s.n > 2 ? ascii_hex(s.p[2]) : -1;
        bool escape = s.p[0] == '%' && high >= 0 && low >= 0;

        buf_append_u8(out, escape ? (uint8_t)(high << 4 | low) : (uint8_t)s.p[0]);
        s = str_skip(s, escape ? 3 : 1);
    }
}

/* charset'language'text in front of the first extended piece. */
static struct str cut_charset(struct str value, struct str *charset)
{
    struct str rest;
    struct str language;

    if (!str_cut(value, '\'', charset, &rest) || !str_cut(rest, '\'', &language, &rest)) {
        *charset = STR("utf-8");
        return value;
    }
    return rest;
}

static bool pieces(const struct mime_value *v, const char *name, struct buf *utf8)
{
    own_buf struct buf raw = BUF_INIT(PARAM_TEXT_MAX);
    struct str charset = STR("utf-8");
    bool extended = false;
    bool whole = piece(v, name, -1, &extended) != NULL;

    for (int i = whole ? -1 : 0; i < (whole ? 0 : MIME_PARAMS_MAX); i++) {
        const struct mime_param *p = piece(v, name, i, &extended);

        if (!p)
            break;
        struct str value = extended && i <= 0 ? cut_charset(p->value, &charset) : p->value;

        if (extended)
            unpercent(value, &raw);
        else
            buf_append(&raw, value);
    }
    if (raw.n == 0)
        return false;
    (void)charset_to_utf8(charset, buf_str(&raw), utf8); /* unknown: ASCII is kept */
    return true;
}

bool mime_param_text(const struct mime_value *v, const char *name, struct buf *utf8)
{
    struct str plain;

    if (pieces(v, name, utf8))
        return true;
    plain = mime_param(v, name);
    if (plain.p)
        rfc2047_decode(plain, utf8);
    return plain.p != NULL;
}
