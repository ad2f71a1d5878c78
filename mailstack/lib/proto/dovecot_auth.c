/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/proto/dovecot_auth.h"

#include <errno.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"

static const struct {
    char plain;
    char escaped;
} escapes[] = {{'\0', '0'}, {'\001', '1'}, {'\t', 't'}, {'\r', 'r'}, {'\n', 'n'}};

enum parse_result dovecot_auth_parse(struct str in, struct dovecot_line *out, size_t *used,
                                     struct err *err)
{
    ptrdiff_t lf = str_find(str_head(in, DOVECOT_LINE_MAX), '\n');

    *used = 0;
    if (lf < 0 && in.n < DOVECOT_LINE_MAX)
        return PARSE_MORE;
    if (lf < 0) {
        (void)err_set(err, EMSGSIZE, "auth: a line of more than %d bytes", DOVECOT_LINE_MAX);
        return PARSE_ERROR;
    }
    *used = (size_t)lf + 1;
    struct str rest = str_head(in, (size_t)lf);

    out->n = 0;
    while (out->n < DOVECOT_FIELDS_MAX && str_next(&rest, '\t', &out->field[out->n]))
        out->n++;
    if (rest.n > 0 || out->n == 0) {
        (void)err_set(err, 0, "auth: a line of no or more than %d fields", DOVECOT_FIELDS_MAX);
        return PARSE_ERROR;
    }
    return PARSE_DONE;
}

bool dovecot_auth_get(const struct dovecot_line *l, size_t from, const char *key, struct str *out)
{
    struct str want = str_of(key);

    for (size_t i = from; i < l->n; i++) {
        struct str f = l->field[i];

        if (!str_starts(f, want))
            continue;
        if (f.n == want.n) {
            *out = (struct str){f.p, 0};
            return true;
        }
        if (f.p[want.n] == '=') {
            *out = str_skip(f, want.n + 1);
            return true;
        }
    }
    return false;
}

int dovecot_auth_unescape(struct str in, struct buf *out, struct err *err)
{
    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] != '\001') {
            buf_append_char(out, in.p[i]);
            continue;
        }
        size_t k = 0;

        i++;
        while (k < ARRAY_N(escapes) && (i == in.n || escapes[k].escaped != in.p[i]))
            k++;
        if (k == ARRAY_N(escapes))
            return err_set(err, 0, "auth: an unknown escape");
        buf_append_char(out, escapes[k].plain);
    }
    return buf_check(out, "auth field", err);
}

static void put_escaped(struct buf *to, struct str value)
{
    for (size_t i = 0; i < value.n; i++) {
        size_t k = 0;

        while (k < ARRAY_N(escapes) && escapes[k].plain != value.p[i])
            k++;
        if (k < ARRAY_N(escapes)) {
            buf_append_char(to, '\001');
            buf_append_char(to, escapes[k].escaped);
        } else {
            buf_append_char(to, value.p[i]);
        }
    }
}

void dovecot_auth_begin(struct buf *to, const char *command)
{
    buf_append_c(to, command);
}

void dovecot_auth_field(struct buf *to, const char *key, struct str value)
{
    buf_append_char(to, '\t');
    if (key) {
        buf_append_c(to, key);
        buf_append_char(to, '=');
    }
    put_escaped(to, value);
}

void dovecot_auth_end(struct buf *to)
{
    buf_append_char(to, '\n');
}
