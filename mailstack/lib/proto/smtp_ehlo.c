/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/proto/smtp_ehlo.h"

#include <stddef.h>

#include "runtime/base/attr.h"
#include "runtime/base/err.h"
#include "runtime/base/num.h"

#include "mailstack/lib/proto/smtp_reply.h"

static const struct {
    const char *name;
    size_t flag;
} flags[] = {
    {"PIPELINING", offsetof(struct smtp_ehlo, pipelining)},
    {"SIZE", offsetof(struct smtp_ehlo, size)},
    {"8BITMIME", offsetof(struct smtp_ehlo, eightbit)},
    {"SMTPUTF8", offsetof(struct smtp_ehlo, utf8)},
    {"STARTTLS", offsetof(struct smtp_ehlo, starttls)},
    {"ENHANCEDSTATUSCODES", offsetof(struct smtp_ehlo, status_codes)},
    {"DSN", offsetof(struct smtp_ehlo, dsn)},
};

/* "PLAIN LOGIN"; old servers say "AUTH=PLAIN". */
static void take_auth(struct str words, struct smtp_ehlo *out)
{
    struct str word;

    while (str_next(&words, ' ', &word)) {
        if (str_ieq_c(word, "PLAIN"))
            out->auth_plain = true;
    }
}

static void take_keyword(struct str line, struct smtp_ehlo *out)
{
    struct str key = line;
    struct str rest = STR_NONE;
    struct err ignored = {0};
    uint64_t n;

    if (!str_cut(line, ' ', &key, &rest))
        (void)str_cut(line, '=', &key, &rest); /* most have no value */
    for (size_t i = 0; i < ARRAY_N(flags); i++) {
        if (str_ieq_c(key, flags[i].name))
            *(bool *)(void *)((char *)out + flags[i].flag) = true;
    }
    if (str_ieq_c(key, "SIZE") && num_parse_u64(rest, 0, UINT64_MAX, &n, &ignored) == 0)
        out->size_max = n;
    if (str_ieq_c(key, "AUTH"))
        take_auth(rest, out);
}

void smtp_ehlo_read(const struct smtp_reply *r, struct smtp_ehlo *out, struct str *name)
{
    struct str all = r->all;
    struct str line = STR_NONE;
    struct str rest;

    *out = (struct smtp_ehlo){0};
    *name = STR_NONE;
    if (smtp_reply_line(&all, &line)) {
        *name = line;
        (void)str_cut(line, ' ', name, &rest); /* a greeting may follow it */
    }
    while (smtp_reply_line(&all, &line))
        take_keyword(str_trim(line), out);
}
