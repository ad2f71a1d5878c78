/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/filterd/spf_check.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"

#include "mailstack/filterd/lookup.h"
#include "mailstack/lib/mail/dkim.h"
#include "mailstack/lib/net/dns_client.h"

#define RUN_MEMORY_MAX (8u << 20)
#define NAME_MAX_N     1100 /* with each byte escaped */

enum match {
    MATCH_NO,
    MATCH_YES,
    MATCH_TEMP,
    MATCH_PERM,
    MATCH_PENDING,
};

struct run {
    struct lookup *lookup;
    struct arena *arena;
    struct spf_macros macros;
    unsigned terms;
    unsigned voids;
    bool pending;
    char *why;
};

static enum match perm(struct run *r, const char *why)
{
    (void)snprintf(r->why, SPF_WHY_MAX, "%.*s", SPF_WHY_MAX - 1, why); /* a long reason is cut */
    return MATCH_PERM;
}

/* A backslash would begin an escape (dns_msg.h). */
static void escape(struct str name, struct buf *out)
{
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];

        if (c <= 0x20 || c >= 0x7f || c == '\\')
            buf_printf(out, "\\%03u", (unsigned)c);
        else
            buf_append_char(out, name.p[i]);
    }
}

static const struct dns_answer *ask_raw(struct run *r, struct str name, enum dns_type type)
{
    static const struct dns_answer nothing = {.status = DNS_NXDOMAIN};
    own_buf struct buf text = BUF_INIT(NAME_MAX_N);

    if (!spf_is_name(name))
        return &nothing;
    escape(name, &text);
    return lookup_get(r->lookup, buf_str(&text), type);
}

/* MATCH_YES: there are records. */
static enum match ask(struct run *r, struct str name, enum dns_type type,
                      const struct dns_answer **out)
{
    const struct dns_answer *a = ask_raw(r, name, type);

    *out = a;
    if (a == NULL)
        return MATCH_PENDING;
    if (a->status == DNS_TEMP)
        return MATCH_TEMP;
    if (a->status == DNS_OK && a->records_n > 0)
        return MATCH_YES;
    return ++r->voids > SPF_VOIDS_MAX ? perm(r, "too many look-ups without an answer") : MATCH_NO;
}

static enum dns_type address_type(const struct run *r)
{
    return r->macros.addr_n == 4 ? DNS_A : DNS_AAAA;
}

static bool holds_client(const struct run *r, const struct dns_answer *a, unsigned bits)
{
    for (size_t i = 0; i < a->records_n; i++)
        if (a->records[i].text.n == r->macros.addr_n &&
            spf_same_prefix((const unsigned char *)a->records[i].text.p, r->macros.addr, bits))
            return true;
    return false;
}

/* --- the client's name -------------------------------------------------------------------------
 */

struct names {
    struct str at[SPF_NAMES_MAX];
    size_t n;
};

/* The names that the client's address has, and that have the client's address. */
static enum match validated_names(struct run *r, struct names *out)
{
    char reverse[DNS_REVERSE_MAX];
    const struct dns_answer *a;
    bool pending = false;

    out->n = 0;
    dns_reverse_name(r->macros.addr, r->macros.addr_n, reverse);
    a = ask_raw(r, str_of(reverse), DNS_PTR);
    if (a == NULL)
        return MATCH_PENDING;
    for (size_t i = 0; i < a->records_n && i < SPF_NAMES_MAX; i++) {
        struct str name = a->records[i].text;
        const struct dns_answer *forward = ask_raw(r, name, address_type(r));

        pending = pending || forward == NULL;
        if (forward != NULL && holds_client(r, forward, (unsigned)r->macros.addr_n * 8))
            out->at[out->n++] = name;
    }
    if (pending)
        return MATCH_PENDING;
    return out->n > 0 ? MATCH_YES : MATCH_NO;
}

/* For %{p}: the domain itself, else one beneath it, else any. */
static enum match find_name(struct run *r)
{
    struct names names;
    enum match m = validated_names(r, &names);

    r->macros.validated = STR("unknown");
    if (m != MATCH_YES)
        return m;
    r->macros.validated = names.at[0];
    for (size_t i = names.n; i-- > 0;)
        if (dkim_is_beneath(names.at[i], r->macros.domain))
            r->macros.validated = names.at[i];
    for (size_t i = 0; i < names.n; i++)
        if (str_ieq(names.at[i], r->macros.domain))
            r->macros.validated = names.at[i];
    return MATCH_YES;
}

/* The term's domain, expanded: MATCH_YES or MATCH_PENDING. */
static enum match target(struct run *r, struct str spec, struct buf *out)
{
    if (spec.n == 0) {
        buf_append(out, r->macros.domain);
        return MATCH_YES;
    }
    if (spf_wants_name(spec) && find_name(r) == MATCH_PENDING)
        return MATCH_PENDING;
    spf_expand(spec, &r->macros, out);
    return MATCH_YES;
}

/* --- mechanisms --------------------------------------------------------------------------------
 */

static enum spf_result check_domain(struct run *r, struct str domain);

static unsigned prefix_of(const struct run *r, const struct spf_term *t)
{
    return r->macros.addr_n == 4 ? t->prefix4 : t->prefix6;
}

static enum match match_all(struct run *r, const struct spf_term *t, struct str name)
{
    (void)r;
    (void)t;
    (void)name;
    return MATCH_YES;
}

static enum match match_include(struct run *r, const struct spf_term *t, struct str name)
{
    struct str domain = r->macros.domain;
    enum spf_result result = check_domain(r, name);

    (void)t;
    r->macros.domain = domain;
    if (r->pending)
        return MATCH_PENDING;
    switch (result) {
    case SPF_PASS:
        return MATCH_YES;
    case SPF_FAIL:
    case SPF_SOFTFAIL:
    case SPF_NEUTRAL:
        return MATCH_NO;
    case SPF_TEMPERROR:
        return MATCH_TEMP;
    case SPF_NONE:
        return perm(r, "an included domain has no record");
    case SPF_PERMERROR:
        break;
    }
    return MATCH_PERM;
}

static enum match match_a(struct run *r, const struct spf_term *t, struct str name)
{
    const struct dns_answer *a;
    enum match m = ask(r, name, address_type(r), &a);

    if (m != MATCH_YES)
        return m;
    return holds_client(r, a, prefix_of(r, t)) ? MATCH_YES : MATCH_NO;
}

static enum match match_mx(struct run *r, const struct spf_term *t, struct str name)
{
    const struct dns_answer *mx;
    bool pending = false;
    enum match m = ask(r, name, DNS_MX, &mx);

    if (m != MATCH_YES)
        return m;
    if (mx->records_n > SPF_NAMES_MAX)
        return perm(r, "too many MX records");
    for (size_t i = 0; i < mx->records_n; i++) /* all of them at once */
        pending |= ask_raw(r, mx->records[i].text, address_type(r)) == NULL;
    if (pending)
        return MATCH_PENDING;
    for (size_t i = 0; i < mx->records_n; i++) {
        m = match_a(r, t, mx->records[i].text);
        if (m != MATCH_NO)
            return m;
    }
    return MATCH_NO;
}

static enum match match_ptr(struct run *r, const struct spf_term *t, struct str name)
{
    struct names names;
    enum match m = validated_names(r, &names);

    (void)t;
    if (m != MATCH_YES)
        return m;
    for (size_t i = 0; i < names.n; i++)
        if (dkim_is_beneath(names.at[i], name))
            return MATCH_YES;
    return MATCH_NO;
}

static enum match match_ip4(struct run *r, const struct spf_term *t, struct str name)
{
    (void)name;
    return r->macros.addr_n == 4 && spf_same_prefix(t->addr, r->macros.addr, t->prefix4) ? MATCH_YES
                                                                                         : MATCH_NO;
}

static enum match match_ip6(struct run *r, const struct spf_term *t, struct str name)
{
    (void)name;
    return r->macros.addr_n == 16 && spf_same_prefix(t->addr, r->macros.addr, t->prefix6)
               ? MATCH_YES
               : MATCH_NO;
}

static enum match match_exists(struct run *r, const struct spf_term *t, struct str name)
{
    const struct dns_answer *a;

    (void)t;
    return ask(r, name, DNS_A, &a); /* A also where the client has IPv6, section 5.7 */
}

static const struct {
    enum match (*match)(struct run *r, const struct spf_term *t, struct str name);
    bool asks; /* counts as a look-up, and has a domain */
} mechanisms[] = {
    [SPF_ALL] = {match_all, false}, [SPF_INCLUDE] = {match_include, true},
    [SPF_A] = {match_a, true},      [SPF_MX] = {match_mx, true},
    [SPF_PTR] = {match_ptr, true},  [SPF_IP4] = {match_ip4, false},
    [SPF_IP6] = {match_ip6, false}, [SPF_EXISTS] = {match_exists, true},
};

static enum match count_term(struct run *r)
{
    return ++r->terms > SPF_LOOKUPS_MAX ? perm(r, "too many DNS look-ups") : MATCH_YES;
}

static enum match match_term(struct run *r, const struct spf_term *t)
{
    own_buf struct buf name = BUF_INIT(SPF_NAME_MAX + 1);

    if (mechanisms[t->mechanism].asks) {
        if (count_term(r) == MATCH_PERM)
            return MATCH_PERM;
        if (target(r, t->domain, &name) == MATCH_PENDING)
            return MATCH_PENDING;
    }
    return mechanisms[t->mechanism].match(r, t, buf_str(&name));
}

/* --- records -----------------------------------------------------------------------------------
 */

static enum spf_result result_of(struct run *r, enum match m)
{
    r->pending = r->pending || m == MATCH_PENDING;
    return m == MATCH_TEMP ? SPF_TEMPERROR : SPF_PERMERROR;
}

static enum spf_result redirect(struct run *r, struct str spec)
{
    own_buf struct buf name = BUF_INIT(SPF_NAME_MAX + 1);
    enum match m = count_term(r);
    enum spf_result result;

    if (m == MATCH_YES)
        m = target(r, spec, &name);
    if (m != MATCH_YES)
        return result_of(r, m);
    result = check_domain(r, buf_str(&name));
    if (result != SPF_NONE || r->pending)
        return result;
    (void)perm(r, "the domain redirected to has no record");
    return SPF_PERMERROR;
}

static enum spf_result evaluate(struct run *r, const struct spf_record *record)
{
    for (size_t i = 0; i < record->terms_n; i++) {
        enum match m = match_term(r, &record->terms[i]);

        if (m == MATCH_YES)
            return record->terms[i].qualifier;
        if (m != MATCH_NO)
            return result_of(r, m);
    }
    if (record->redirect.p != NULL && !record->has_all)
        return redirect(r, record->redirect);
    return SPF_NEUTRAL;
}

/* The domain's one record: 1; 0: none; -1: several. */
static int select_record(const struct dns_answer *a, struct str *out)
{
    int n = 0;

    for (size_t i = 0; i < a->records_n; i++) {
        if (spf_is_record(a->records[i].text)) {
            *out = a->records[i].text;
            n++;
        }
    }
    return n > 1 ? -1 : n;
}

/* check_host() */
static enum spf_result check_domain(struct run *r, struct str domain)
{
    const struct dns_answer *a;
    struct spf_record record;
    struct err err = {0};
    struct str txt;
    int found;

    if (!spf_is_name(domain))
        return SPF_NONE;
    a = ask_raw(r, domain, DNS_TXT);
    if (a == NULL)
        return result_of(r, MATCH_PENDING);
    if (a->status == DNS_TEMP)
        return SPF_TEMPERROR;
    found = select_record(a, &txt);
    if (found == 0)
        return SPF_NONE;
    if (found < 0)
        (void)perm(r, "more than one record");
    else if (spf_parse(txt, r->arena, &record, &err) < 0)
        (void)perm(r, err.text);
    else {
        r->macros.domain = domain;
        return evaluate(r, &record);
    }
    return SPF_PERMERROR;
}

/* --- the question ------------------------------------------------------------------------------
 */

static void split_sender(const struct spf_question *q, struct str *local, struct str *domain)
{
    if (q->sender.n == 0) {
        *local = STR_NONE;
        *domain = q->helo;
    } else if (!str_rcut(q->sender, '@', local, domain)) {
        *local = q->sender;
        *domain = STR_NONE;
    }
    if (local->n == 0)
        *local = STR("postmaster");
}

struct str spf_domain(const struct spf_question *q)
{
    struct str local, domain;

    split_sender(q, &local, &domain);
    return domain;
}

static void take_addr(const struct spf_question *q, struct spf_macros *m)
{
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    bool is_mapped = q->addr_n == 16 && memcmp(q->addr, mapped, sizeof(mapped)) == 0;
    size_t skip = is_mapped ? sizeof(mapped) : 0;

    m->addr_n = q->addr_n - skip;
    memcpy(m->addr, q->addr + skip, m->addr_n);
}

bool spf_check(const struct spf_question *q, struct lookup *l, struct spf_outcome *out)
{
    struct run r = {.lookup = l, .why = out->why, .arena = arena_new(RUN_MEMORY_MAX)};

    out->why[0] = '\0';
    split_sender(q, &r.macros.local, &r.macros.sender);
    r.macros.helo = q->helo;
    r.macros.domain = r.macros.sender;
    take_addr(q, &r.macros);
    out->result = check_domain(&r, r.macros.sender);
    arena_free(r.arena);
    return !r.pending;
}
