/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/dnszone.h"

#include <arpa/inet.h>

#include "runtime/base/attr.h"

#include "mailstack/filterd/lookup.h"

#define RECORDS_MAX 32

struct set {
    struct dns_record records[RECORDS_MAX];
    char addrs[RECORDS_MAX][16];
    struct dns_answer answer;
};

static void add(struct set *s, const struct dnszone_row *row)
{
    size_t n = s->answer.records_n;
    int family = row->type == DNS_A ? AF_INET : AF_INET6;

    if (row->text == NULL) {
        s->answer.status = DNS_TEMP;
        return;
    }
    s->records[n].text = str_of(row->text);
    if (row->type == DNS_A || row->type == DNS_AAAA) {
        (void)inet_pton(family, row->text, s->addrs[n]); /* tables of ours */
        s->records[n].text = (struct str){s->addrs[n], row->type == DNS_A ? 4 : 16};
    }
    s->answer.status = DNS_OK;
    s->answer.records_n = n + 1;
}

static void answer(const struct dnszone_row *zone, struct lookup_entry *e)
{
    struct set s = {.answer = {.status = DNS_NXDOMAIN}};

    s.answer.records = s.records;
    for (; zone->name != NULL && s.answer.records_n < RECORDS_MAX; zone++) {
        if (!str_ieq_c(e->name, zone->name))
            continue;
        if (s.answer.status == DNS_NXDOMAIN)
            s.answer.status = DNS_NODATA;
        if (zone->type == e->type)
            add(&s, zone);
    }
    lookup_answer(e, &s.answer);
}

size_t dnszone_answer(const struct dnszone_row *zone, struct lookup *l)
{
    struct lookup_entry *e;
    size_t n = 0;

    for (; (e = lookup_wanted(l)) != NULL; n++)
        answer(zone, e);
    return n;
}
