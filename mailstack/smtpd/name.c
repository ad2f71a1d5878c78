/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/smtpd/name.h"

#include <string.h>

#include "mailstack/lib/proto/smtp_cmd.h"
#include "mailstack/smtpd/session.h"
#include "mailstack/smtpd/smtpd.h"

#define V4_AT 12 /* of a mapped address */

static struct str raw_address(const struct session *s)
{
    const char *p = (const char *)s->ip.s6_addr;

    if (IN6_IS_ADDR_V4MAPPED(&s->ip))
        return (struct str){p + V4_AT, sizeof(s->ip) - V4_AT};
    return (struct str){p, sizeof(s->ip)};
}

static void on_forward(struct dns_question *q, const struct dns_answer *a)
{
    struct session *s = container_of(q, struct session, name_q);

    for (size_t i = 0; i < a->records_n && a->status == DNS_OK; i++) {
        if (str_eq(a->records[i].text, raw_address(s))) {
            memcpy(s->name, s->name_try, sizeof(s->name));
            return;
        }
    }
}

static void on_reverse(struct dns_question *q, const struct dns_answer *a)
{
    struct session *s = container_of(q, struct session, name_q);

    if (a->status != DNS_OK || a->records_n == 0)
        return;
    struct str name = a->records[0].text;

    if (!smtp_is_helo_name(name) || name.n >= sizeof(s->name_try))
        return;
    memcpy(s->name_try, name.p, name.n);
    s->name_try[name.n] = '\0';
    q->fn = on_forward;
    dns_client_ask(s->d->dns, q, str_of(s->name_try),
                   IN6_IS_ADDR_V4MAPPED(&s->ip) ? DNS_A : DNS_AAAA, DNS_TIMEOUT_MS);
}

void name_ask(struct session *s)
{
    char name[DNS_REVERSE_MAX];
    struct str raw = raw_address(s);

    if (!s->d->dns)
        return;
    dns_reverse_name((const unsigned char *)raw.p, raw.n, name);
    s->name_q.fn = on_reverse;
    dns_client_ask(s->d->dns, &s->name_q, str_of(name), DNS_PTR, DNS_TIMEOUT_MS);
}

void name_cancel(struct session *s)
{
    dns_client_cancel(&s->name_q);
}
