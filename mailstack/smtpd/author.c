/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/smtpd/author.h"

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/address.h"
#include "mailstack/lib/proto/smtp_path.h"
#include "mailstack/smtpd/conf.h"
#include "mailstack/smtpd/fields.h"
#include "mailstack/smtpd/smtpd.h"

#define SPEC_MAX 2048

/* The domain in lower case; false: not one of ours, or no address at all. */
static bool is_ours(const struct author *a, struct str domain)
{
    own_buf struct buf lower = BUF_INIT(SMTP_DOMAIN_MAX);

    for (size_t i = 0; i < domain.n; i++)
        buf_append_char(&lower, ascii_lower(domain.p[i]));
    return !lower.failed && conf_is_ours(a->d->conf, buf_str(&lower));
}

static bool take(struct author *a, const struct address *at, struct arena *arena)
{
    own_buf struct buf spec = BUF_INIT(SPEC_MAX);
    struct str copy;

    if (at->kind != ADDRESS_MAILBOX || !is_ours(a, at->domain))
        return true;
    address_format_spec(&spec, at->local, at->domain);
    copy = spec.failed ? STR_NONE : arena_str(arena, buf_str(&spec));
    if (!copy.p || a->n == AUTHOR_MAX)
        return false;
    a->addresses[a->n++] = copy;
    return true;
}

static bool take_field(struct author *a, struct str value, struct arena *arena)
{
    struct address_list list;
    struct err err = {0};

    if (address_parse_list(value, arena, &list, &err) < 0)
        return false;
    for (size_t i = 0; i < list.n; i++) {
        if (!take(a, &list.at[i], arena))
            return false;
    }
    return true;
}

static void ask_next(struct author *a)
{
    if (a->next == a->n)
        a->fn(a, AUTH_YES);
    else
        auth_sender_ask(a->d->auth, &a->q, a->user, a->addresses[a->next++]);
}

static void on_answer(struct auth_sender *q, enum auth_verdict verdict)
{
    struct author *a = container_of(q, struct author, q);

    if (verdict == AUTH_YES)
        ask_next(a);
    else
        a->fn(a, verdict);
}

void author_check(struct author *a, const struct fields *f, struct arena *arena)
{
    a->n = 0;
    a->next = 0;
    a->q.fn = on_answer;
    for (size_t i = 0; i < f->n; i++) {
        if (str_ieq_c(f->at[i].name, "From") && !take_field(a, f->at[i].value, arena)) {
            a->fn(a, AUTH_NO);
            return;
        }
    }
    ask_next(a);
}

void author_cancel(struct author *a)
{
    auth_sender_cancel(&a->q);
}
