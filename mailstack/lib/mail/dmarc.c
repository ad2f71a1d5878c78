/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/mail/dmarc.h"

#include "runtime/base/err.h"

#include "mailstack/lib/mail/dkim_tags.h"

#define LABELS_FIRST 8 /* a longer name is cut ... */
#define LABELS_CUT   7 /* ... to this at the first step */

static const char *const policies[] = {
    [DMARC_NO_POLICY] = "",
    [DMARC_POLICY_NONE] = "none",
    [DMARC_POLICY_QUARANTINE] = "quarantine",
    [DMARC_POLICY_REJECT] = "reject",
};

const char *dmarc_policy_name(enum dmarc_policy p)
{
    return policies[p];
}

static enum dmarc_policy policy_of(struct str s, enum dmarc_policy otherwise)
{
    for (size_t i = DMARC_POLICY_NONE; i < ARRAY_N(policies); i++)
        if (str_ieq_c(s, policies[i]))
            return (enum dmarc_policy)i;
    return otherwise;
}

int dmarc_parse(struct str txt, struct dmarc_record *out, struct err *err)
{
    struct dmarc_record r = {0};
    struct dkim_tags t;

    if (dkim_tags_parse(txt, &t, err) < 0)
        return -1;
    if (!str_eq_c(t.at[0].name, "v") || !str_eq_c(t.at[0].value, "DMARC1"))
        return err_set(err, 0, "not a DMARC record");
    struct str psd = dkim_tags_value(&t, "psd");

    /* Without a policy that can be read, the domain still wants its reports, or nothing. */
    r.policy = policy_of(dkim_tags_value(&t, "p"), DMARC_NO_POLICY);
    if (r.policy == DMARC_NO_POLICY && dkim_tags_get(&t, "rua") == NULL && psd.p == NULL)
        return err_set(err, 0, "a DMARC record without a policy");
    if (r.policy == DMARC_NO_POLICY)
        r.policy = DMARC_POLICY_NONE;
    r.subdomains = policy_of(dkim_tags_value(&t, "sp"), r.policy);
    r.nonexistent = policy_of(dkim_tags_value(&t, "np"), r.subdomains);
    r.strict_dkim = str_ieq_c(dkim_tags_value(&t, "adkim"), "s");
    r.strict_spf = str_ieq_c(dkim_tags_value(&t, "aspf"), "s");
    r.testing = str_ieq_c(dkim_tags_value(&t, "t"), "y");
    r.psd = str_ieq_c(psd, "y")   ? DMARC_PSD_YES
            : str_ieq_c(psd, "n") ? DMARC_PSD_NO
                                  : DMARC_PSD_UNKNOWN;
    *out = r;
    return 0;
}

static size_t labels_of(struct str domain)
{
    size_t n = domain.n > 0;

    for (size_t i = 0; i < domain.n; i++)
        n += domain.p[i] == '.';
    return n;
}

static struct str parent(struct str domain)
{
    ptrdiff_t dot = str_find(domain, '.');

    return dot < 0 ? STR_NONE : str_skip(domain, (size_t)dot + 1);
}

struct str dmarc_walk_next(struct str domain)
{
    size_t labels = labels_of(domain);

    if (labels <= LABELS_FIRST)
        return parent(domain);
    for (; labels > LABELS_CUT; labels--)
        domain = parent(domain);
    return domain;
}
