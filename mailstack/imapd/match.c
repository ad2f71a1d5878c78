/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/imapd/match.h"

#include <string.h>

#include "runtime/base/attr.h"
#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/charset.h"

#define FOLD_MAX (256u << 20) /* no text here is longer: the message size is limited before */

/* Upper case from..to becomes lower case by adding; with step 2, pairs of upper and lower. */
static const struct {
    unsigned from, to, add, step;
} ranges[] = {
    {0xc0, 0xd6, 32, 1},   {0xd8, 0xde, 32, 1},   {0x100, 0x136, 1, 2},  {0x139, 0x147, 1, 2},
    {0x14a, 0x176, 1, 2},  {0x179, 0x17d, 1, 2},  {0x391, 0x3a1, 32, 1}, {0x3a3, 0x3ab, 32, 1},
    {0x400, 0x40f, 80, 1}, {0x410, 0x42f, 32, 1}, {0x460, 0x480, 1, 2},
};

static unsigned fold_code(unsigned c)
{
    for (size_t i = 0; i < ARRAY_N(ranges); i++)
        if (c >= ranges[i].from && c <= ranges[i].to && (c - ranges[i].from) % ranges[i].step == 0)
            return c + ranges[i].add;
    return c;
}

/* The ranges above all lie within two bytes of UTF-8. */
void match_fold(struct str utf8, struct buf *out)
{
    struct str s = utf8;

    for (size_t i = 0; i < s.n; i++) {
        unsigned c = (unsigned char)s.p[i];

        if (c < 0x80) {
            buf_append_char(out, ascii_lower(s.p[i]));
        } else if (c >= 0xc2 && c <= 0xdf && i + 1 < s.n &&
                   ((unsigned char)s.p[i + 1] & 0xc0) == 0x80) {
            charset_append(out, fold_code((c & 0x1fu) << 6 | ((unsigned char)s.p[++i] & 0x3fu)));
        } else {
            buf_append_char(out, s.p[i]);
        }
    }
}

bool match_in(struct str folded, struct str utf8)
{
    own_buf struct buf text = BUF_INIT(FOLD_MAX);

    if (folded.n == 0)
        return true;
    if (folded.n > utf8.n)
        return false;
    match_fold(utf8, &text);
    return text.n >= folded.n && memmem(text.p, text.n, folded.p, folded.n) != NULL;
}
