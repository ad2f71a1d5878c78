/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever DNS answers, the check ends, and asks no more than it may. The input's lines are the
 * answers, in the order of the questions: a letter for the status, then one record's text. */
#include "runtime/base/arena.h"

#include "mailstack/filterd/dmarc_check.h"
#include "mailstack/filterd/lookup.h"
#include "mailstack/filterd/spf_check.h"

#undef NDEBUG
#include <assert.h>
#include <stdint.h>

#define RECORDS_MAX 12

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static enum dns_status status_of(struct str line)
{
    static const enum dns_status all[] = {DNS_OK, DNS_NODATA, DNS_NXDOMAIN, DNS_TEMP};

    return line.n == 0 ? DNS_NXDOMAIN : all[(unsigned char)line.p[0] % ARRAY_N(all)];
}

/* A line is parted into records by '|'. */
static void answer(struct lookup_entry *e, struct str line)
{
    struct dns_record records[RECORDS_MAX] = {0};
    struct dns_answer a = {.status = status_of(line), .records = records};
    struct str rest = str_skip(line, 1), text;

    while (a.status == DNS_OK && a.records_n < RECORDS_MAX && str_next(&rest, '|', &text)) {
        if (e->type == DNS_A)
            text = str_head(text, 4);
        records[a.records_n++].text = text;
    }
    if (a.status == DNS_OK && a.records_n == 0)
        a.status = DNS_NODATA;
    lookup_answer(e, &a);
}

static size_t answer_all(struct lookup *l, struct str *in)
{
    struct lookup_entry *e;
    size_t asked = 0;

    for (; (e = lookup_wanted(l)) != NULL; asked++) {
        struct str line = STR_NONE;

        (void)str_next(in, '\n', &line);
        answer(e, line);
    }
    return asked;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena *a = arena_new(16u << 20);
    struct str in = {(const char *)data, n};
    struct spf_question spf = {
        .sender = STR("a@b.org"), .helo = STR("h.org"), .addr = {192, 0, 2, 1}, .addr_n = 4};
    struct dmarc_question dmarc = {
        .from = STR("x.y.org"),
        .identities = {{.domain = STR("z.y.org"), .is_spf = true},
                       {.domain = STR("y.org"), .unsure = true}},
        .identities_n = 2,
    };
    struct spf_outcome spf_out;
    struct dmarc_outcome dmarc_out;
    struct lookup l;

    lookup_init(&l, a);
    while (!spf_check(&spf, &l, &spf_out))
        assert(answer_all(&l, &in) > 0);
    /* Ten terms: an mx or a ptr each, with its ten hosts; and as many records. */
    assert(l.n <= 1 + SPF_LOOKUPS_MAX * (2 + SPF_NAMES_MAX + 1));
    while (!dmarc_check(&dmarc, &l, &dmarc_out))
        assert(answer_all(&l, &in) > 0);
    assert(l.n <= LOOKUP_MAX);
    arena_free(a);
    return 0;
}
