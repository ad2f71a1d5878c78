/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/store/maildir.h"

#include <string.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/num.h"
#include "runtime/base/rand.h"

#include "mailstack/lib/store/store.h"

static const char system_letters[] = "DFPRST"; /* in the order of their bits, and sorted */

static uint32_t letter_bit(char c)
{
    const char *at = c == '\0' ? NULL : strchr(system_letters, c);

    if (at != NULL)
        return 1u << (at - system_letters);
    if (c >= 'a' && c <= 'z')
        return 1u << (MAILDIR_KEYWORD_SHIFT + (c - 'a'));
    return 0;
}

static void parse_field(struct str field, struct maildir_name *out)
{
    struct err ignored;
    uint64_t v;

    if (field.n < 3 || field.p[1] != '=')
        return;
    if (num_parse_u64(str_skip(field, 2), 0, INT64_MAX, &v, &ignored) < 0)
        return; /* a field of another program: not ours to judge */
    if (field.p[0] == 'S')
        out->size = v;
    else if (field.p[0] == 'W')
        out->vsize = v;
    else if (field.p[0] == 'U' && v <= UINT32_MAX)
        out->uid = (uint32_t)v;
    else if (field.p[0] == 'V' && v <= UINT32_MAX)
        out->validity = (uint32_t)v;
}

static void parse_flags(struct str letters, struct maildir_name *out)
{
    for (size_t i = 0; i < letters.n; i++) {
        uint32_t bit = letter_bit(letters.p[i]);

        out->flags |= bit;
        if (bit == 0)
            out->unknown = letters;
    }
}

bool maildir_parse(struct str name, struct maildir_name *out)
{
    struct maildir_name m = {.size = MAILDIR_NO_SIZE, .vsize = MAILDIR_NO_SIZE, .base = name};
    ptrdiff_t info = str_find_str(name, STR(":2,"));
    struct str rest, field;

    if (name.n == 0 || name.p[0] == '.' || name.n > MAILDIR_NAME_MAX)
        return false;
    if (info >= 0) {
        m.base = str_head(name, (size_t)info);
        parse_flags(str_skip(name, (size_t)info + 3), &m);
    }
    rest = m.base;
    for (bool first = true; str_next(&rest, ',', &field); first = false)
        if (!first)
            parse_field(field, &m);
    *out = m;
    return true;
}

void maildir_format(struct str base, uint32_t flags, struct str unknown, struct buf *out)
{
    buf_append(out, base);
    buf_append_c(out, ":2,");
    for (int c = 'A'; c <= 'z'; c++) {
        uint32_t bit = letter_bit((char)c);

        if (bit != 0 ? (flags & bit) != 0 : str_find(unknown, (char)c) >= 0)
            buf_append_char(out, (char)c);
    }
}

void maildir_with_uid(struct str base, uint32_t uid, uint32_t validity, struct buf *out)
{
    struct str rest = base, field;

    for (bool first = true; str_next(&rest, ',', &field); first = false) {
        bool ours = field.n >= 2 && field.p[1] == '=' && (field.p[0] == 'U' || field.p[0] == 'V');

        if (!first && ours)
            continue;
        if (!first)
            buf_append_char(out, ',');
        for (size_t i = 0; i < field.n; i++) /* a ':' of a foreign name could become ":2," */
            buf_append_char(out, field.p[i] == ':' ? '_' : field.p[i]);
    }
    buf_printf(out, ",U=%u,V=%u", uid, validity);
}

void maildir_unique(const struct store *st, struct buf *out)
{
    int64_t now_us = clock_wall_us();

    buf_printf(out, "%lld.M%lldP%dR%016llx.%s", (long long)(now_us / 1000000),
               (long long)(now_us % 1000000), (int)getpid(), (unsigned long long)rand_u64(),
               st->host);
}
