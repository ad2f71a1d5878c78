/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/proto/imap_quote.h"

#include <string.h>

#include "runtime/base/buf.h"

#define QUOTED_MAX 1024 /* longer ones go as literals: some clients have a line limit */

static bool can_be_quoted(struct str s)
{
    if (s.n > QUOTED_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c == '\0' || c == '\r' || c == '\n' || c >= 0x80)
            return false;
    }
    return true;
}

static bool can_be_atom(struct str s)
{
    if (s.n == 0 || s.n > QUOTED_MAX || str_ieq(s, STR("NIL")))
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c <= ' ' || c >= 0x7f || strchr("(){%*\"\\]", c))
            return false;
    }
    return true;
}

void imap_quote_string(struct buf *to, struct str s)
{
    if (!can_be_quoted(s)) {
        buf_printf(to, "{%zu}\r\n", s.n);
        buf_append(to, s);
        return;
    }
    buf_append_char(to, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"' || s.p[i] == '\\')
            buf_append_char(to, '\\');
        buf_append_char(to, s.p[i]);
    }
    buf_append_char(to, '"');
}

void imap_quote_nstring(struct buf *to, struct str s)
{
    if (s.p)
        imap_quote_string(to, s);
    else
        buf_append(to, STR("NIL"));
}

void imap_quote_astring(struct buf *to, struct str s)
{
    if (can_be_atom(s))
        buf_append(to, s);
    else
        imap_quote_string(to, s);
}
