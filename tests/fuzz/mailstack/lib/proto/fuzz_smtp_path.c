/* SPDX-License-Identifier: Apache-2.0 */
/* What comes out is canonical: put into brackets again it gives the same, and it cannot break a
 * line, a bracket or the grammar of whoever reads it. */
#include <assert.h>
#include <stdint.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"

#include "mailstack/lib/proto/smtp_path.h"

#define ALL (SMTP_PATH_NULL | SMTP_PATH_UTF8 | SMTP_PATH_POSTMASTER)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(const struct smtp_path *p)
{
    own_buf struct buf text = BUF_INIT(SMTP_PATH_MAX + 2);
    struct smtp_path again;
    struct err err = {0};
    struct str s = smtp_path_str(p);
    size_t used;

    assert(p->n <= SMTP_PATH_MAX && p->local_n <= p->n && p->text[p->n] == '\0');
    assert(str_is_utf8(s) && str_find_any(s, "\r\n\t") < 0 && !str_has_nul(s));
    for (size_t i = 0; i < smtp_path_domain(p).n; i++)
        assert(str_find(STR("<>\"\\@ "), smtp_path_domain(p).p[i]) < 0);
    buf_append_char(&text, '<');
    buf_append(&text, s);
    buf_append_char(&text, '>');
    assert(smtp_path_parse(buf_str(&text), ALL, &again, &used, &err) == 0);
    assert(used == text.n && again.local_n == p->local_n && str_eq(smtp_path_str(&again), s));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str in = {(const char *)data, n};
    struct smtp_path p;
    struct smtp_path strict;
    struct err err = {0};
    size_t used = 0;
    size_t strict_n;

    if (smtp_path_parse(in, ALL, &p, &used, &err) < 0) {
        assert(smtp_path_parse(in, 0, &strict, &strict_n, &err) < 0);
        return 0;
    }
    assert(used >= 2 && used <= n && in.p[0] == '<' && in.p[used - 1] == '>');
    check(&p);
    if (smtp_path_parse(in, 0, &strict, &strict_n, &err) == 0)
        assert(strict_n == used && str_eq(smtp_path_str(&p), smtp_path_str(&strict)) &&
               str_is_ascii(smtp_path_str(&strict)) && strict.n > strict.local_n);
    return 0;
}
