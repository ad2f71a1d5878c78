/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/filterd/dmarc_check.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"

#include "mailstack/filterd/lookup.h"
#include "mailstack/lib/mail/dkim.h"

const char *dmarc_result_name(enum dmarc_result r)
{
    static const char *const names[] = {
        [DMARC_NONE] = "none",           [DMARC_PASS] = "pass",           [DMARC_FAIL] = "fail",
        [DMARC_TEMPERROR] = "temperror", [DMARC_PERMERROR] = "permerror",
    };

    return names[r];
}

enum found {
    FOUND_NONE,
    FOUND_RECORD,
    FOUND_TEMP,
    FOUND_PENDING,
};

/* The one DMARC record at a domain; several are as good as none. */
static enum found record_at(struct lookup *l, struct str domain, struct dmarc_record *out)
{
    own_buf struct buf name = BUF_INIT(512);
    const struct dns_answer *a;
    struct dmarc_record r;
    struct err ignored = {0};
    size_t n = 0;

    buf_printf(&name, "_dmarc.%.*s", STR_ARG(domain));
    if (!dkim_is_domain(buf_str(&name)))
        return FOUND_NONE;
    a = lookup_get(l, buf_str(&name), DNS_TXT);
    if (a == NULL)
        return FOUND_PENDING;
    if (a->status == DNS_TEMP)
        return FOUND_TEMP;
    for (size_t i = 0; i < a->records_n; i++) {
        if (dmarc_parse(a->records[i].text, &r, &ignored) == 0) {
            *out = r;
            n++;
        }
    }
    return n == 1 ? FOUND_RECORD : FOUND_NONE;
}

/* What a tree walk found. */
struct walk {
    struct str organization;
    struct str at; /* where the policy stands; n == 0: nowhere */
    struct dmarc_record record;
};

static bool take(struct walk *w, struct str domain, struct str below, const struct dmarc_record *r)
{
    bool first = w->at.n == 0;

    /* A public suffix speaks for what is beneath it only if nothing else does. */
    if (r->psd == DMARC_PSD_YES && below.n > 0) {
        if (first) {
            w->at = domain;
            w->record = *r;
        }
        w->organization = below;
        return true;
    }
    w->at = domain;
    w->record = *r;
    w->organization = domain;
    return r->psd == DMARC_PSD_NO;
}

/* `domain` with one label more than `above`, of which it is beneath. */
static struct str one_below(struct str domain, struct str above)
{
    struct str rest = str_head(domain, domain.n > above.n ? domain.n - above.n - 1 : 0);
    ptrdiff_t dot = str_rfind(rest, '.');

    return dot < 0 ? domain : str_skip(domain, (size_t)dot + 1);
}

static enum found walk(struct lookup *l, struct str domain, struct walk *out)
{
    struct dmarc_record r;
    struct str at = domain;
    enum found all = FOUND_NONE;

    *out = (struct walk){.organization = domain};
    for (int i = 0; i < DMARC_WALK_MAX && at.n > 0; i++, at = dmarc_walk_next(at)) {
        enum found f = record_at(l, at, &r);

        if (f == FOUND_TEMP || f == FOUND_PENDING)
            all = all == FOUND_PENDING ? all : f; /* go on: all questions at once */
        else if (f == FOUND_RECORD && all == FOUND_NONE &&
                 take(out, at, at.n < domain.n ? one_below(domain, at) : STR_NONE, &r))
            return FOUND_RECORD;
    }
    if (all != FOUND_NONE)
        return all;
    return out->at.n > 0 ? FOUND_RECORD : FOUND_NONE;
}

enum aligned { /* the later ones outweigh the earlier */
    ALIGNED_NO,
    ALIGNED_TEMP,
    ALIGNED_PENDING,
    ALIGNED_YES,
};

static enum aligned is_aligned(struct lookup *l, struct str domain, struct str from,
                               const struct walk *author, bool strict)
{
    struct walk w;

    if (domain.n == 0)
        return ALIGNED_NO;
    if (str_ieq(domain, from))
        return ALIGNED_YES;
    if (strict || !dkim_is_beneath(domain, author->organization))
        return ALIGNED_NO;
    if (str_ieq(domain, author->organization))
        return ALIGNED_YES;
    switch (walk(l, domain, &w)) {
    case FOUND_PENDING:
        return ALIGNED_PENDING;
    case FOUND_TEMP:
        return ALIGNED_TEMP;
    case FOUND_NONE:
    case FOUND_RECORD:
        break;
    }
    return str_ieq(w.organization, author->organization) ? ALIGNED_YES : ALIGNED_NO;
}

/* An identity that could not be looked up makes the result uncertain only if it would be aligned:
 * a forger's own broken name server excuses nothing. */
static enum aligned any_aligned(const struct dmarc_question *q, struct lookup *l,
                                const struct walk *w)
{
    enum aligned all = ALIGNED_NO;

    for (size_t i = 0; i < q->identities_n; i++) {
        const struct dmarc_identity *id = &q->identities[i];
        bool strict = id->is_spf ? w->record.strict_spf : w->record.strict_dkim;
        enum aligned one = is_aligned(l, id->domain, q->from, w, strict);

        if (one == ALIGNED_YES && !id->unsure)
            return ALIGNED_YES;
        if (one == ALIGNED_YES)
            one = ALIGNED_TEMP;
        if (one > all)
            all = one;
    }
    return all;
}

/* false: it is not yet known whether the domain exists. */
static bool policy_of(const struct dmarc_question *q, struct lookup *l, const struct walk *w,
                      enum dmarc_policy *out)
{
    const struct dns_answer *a;
    enum dmarc_policy p = w->record.policy;

    if (!str_ieq(w->at, q->from)) {
        p = w->record.subdomains;
        if (w->record.nonexistent != p) {
            a = lookup_get(l, q->from, DNS_A);
            if (a == NULL)
                return false;
            if (a->status == DNS_NXDOMAIN)
                p = w->record.nonexistent;
        }
    }
    if (w->record.testing && p > DMARC_POLICY_NONE)
        p--;
    *out = p;
    return true;
}

bool dmarc_check(const struct dmarc_question *q, struct lookup *l, struct dmarc_outcome *out)
{
    struct dmarc_outcome made = {.result = DMARC_NONE};
    struct walk w;

    *out = made;
    switch (walk(l, q->from, &w)) {
    case FOUND_PENDING:
        return false;
    case FOUND_NONE:
        return true;
    case FOUND_TEMP:
        out->result = DMARC_TEMPERROR;
        return true;
    case FOUND_RECORD:
        break;
    }
    if (!policy_of(q, l, &w, &made.policy))
        return false;
    switch (any_aligned(q, l, &w)) {
    case ALIGNED_PENDING:
        return false;
    case ALIGNED_YES:
        made.result = DMARC_PASS;
        break;
    case ALIGNED_TEMP:
        made.result = DMARC_TEMPERROR;
        break;
    case ALIGNED_NO:
        made.result = DMARC_FAIL;
        break;
    }
    *out = made;
    return true;
}
