/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/store/crlf.h"

#include <string.h>

size_t crlf_size(struct str raw, char last)
{
    const char *p = raw.p, *end = raw.n == 0 ? p : p + raw.n;
    size_t n = raw.n;

    while (p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
        n += (p == raw.p ? last : p[-1]) != '\r';
        p++;
    }
    return n;
}

static size_t copy(struct str *raw, char *last, char *out, size_t n)
{
    if (n == 0)
        return 0;
    memcpy(out, raw->p, n);
    *last = raw->p[n - 1];
    *raw = str_skip(*raw, n);
    return n;
}

size_t crlf_convert(struct str *raw, char *last, char *out, size_t cap)
{
    size_t n = 0;

    while (raw->n > 0 && cap - n >= 2) {
        ptrdiff_t lf = str_find(str_head(*raw, cap - n), '\n');
        size_t plain = lf < 0 ? (raw->n < cap - n ? raw->n : cap - n) : (size_t)lf;

        n += copy(raw, last, out + n, plain);
        if (lf < 0 || cap - n < 2)
            break;
        if (*last != '\r')
            out[n++] = '\r';
        n += copy(raw, last, out + n, 1);
    }
    return n;
}
