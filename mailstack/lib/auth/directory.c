/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/auth/directory.h"

#include <errno.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/jv.h"
#include "runtime/base/map.h"

#define NAMES_MAX 10000 /* targets of one alias, members of one list */

struct names {
    const struct str *v; /* canonical addresses */
    size_t n;
};

struct directory_domain {
    struct map *aliases;  /* local part to struct names */
    struct str catch_all; /* an address, or p NULL */
};

enum post {
    POST_ANYONE,
    POST_MEMBERS, /* and owners */
    POST_OWNERS
};

struct directory_list {
    struct names members;
    struct names owners;
    enum post post;
};

/* --- loading ---------------------------------------------------------------------------------- */

static void free_map(void *ctx)
{
    map_free(ctx);
}

static struct map *map_in(struct arena *a)
{
    struct map *m = map_new();

    arena_on_free(a, free_map, m);
    return m;
}

static int no_memory(const struct jv *at, struct err *err)
{
    return jv_err(at, err, "the configuration takes too much memory");
}

/* "alice" in the domain example.org is alice@example.org. */
static int take_address(const struct jv *at, struct str domain, struct arena *a, struct str *out,
                        struct err *err)
{
    struct str text;

    if (jv_as_str(at, &text, err) < 0)
        return -1;
    if (domain.n && str_find(text, '@') < 0) {
        const char *full = arena_printf(a, "%.*s@%.*s", STR_ARG(text), STR_ARG(domain));

        if (!full)
            return no_memory(at, err);
        text = str_of(full);
    }
    if (account_canonical(text, a, out, err) < 0)
        return jv_err(at, err, "%s", err->text);
    return 0;
}

static int load_names(const struct jv *list, struct str domain, struct arena *a, struct names *out,
                      struct err *err)
{
    if (jv_is_array(list, err) < 0)
        return -1;
    size_t n = jv_n(list);

    if (n > NAMES_MAX)
        return jv_err(list, err, "more than %d addresses", NAMES_MAX);
    struct str *v = arena_array(a, n, sizeof(*v));

    if (!v)
        return no_memory(list, err);
    for (size_t i = 0; i < n; i++) {
        struct jv e = jv_elem(list, i);

        if (take_address(&e, domain, a, &v[i], err) < 0)
            return -1;
    }
    *out = (struct names){v, n};
    return 0;
}

static int lower_in(const struct jv *at, struct str s, struct arena *a, struct str *out,
                    struct err *err)
{
    char *lower = arena_copy(a, s);

    if (!lower)
        return no_memory(at, err);
    for (size_t i = 0; i < s.n; i++)
        lower[i] = ascii_lower(lower[i]);
    *out = (struct str){lower, s.n};
    return 0;
}

static int load_aliases(const struct jv *at, struct str domain, struct arena *a,
                        struct directory_domain *out, struct err *err)
{
    void *it = NULL;
    struct jv m;

    while (jv_next(at, &it, &m)) {
        struct names *targets = arena_alloc(a, sizeof(*targets));
        struct str local;

        if (!targets)
            return no_memory(&m, err);
        if (load_names(&m, domain, a, targets, err) < 0 ||
            lower_in(&m, str_of(m.key), a, &local, err) < 0)
            return -1;
        (void)map_put(out->aliases, local, targets); /* keys of an object are unique but for case */
    }
    return 0;
}

static int load_domain(const struct jv *at, struct str name, struct arena *a,
                       struct directory_domain *out, struct err *err)
{
    static const char *const keys[] = {"aliases", "catch_all", NULL};
    struct jv aliases;

    if (jv_is_object(at, err) < 0 || jv_only(at, keys, err) < 0 ||
        jv_opt_object(at, "aliases", &aliases, err) < 0)
        return -1;
    out->aliases = map_in(a);
    out->catch_all = STR_NONE;
    if (aliases.v && load_aliases(&aliases, name, a, out, err) < 0)
        return -1;
    if (!jv_has(at, "catch_all"))
        return 0;
    struct jv catch_all = jv_member(at, "catch_all");

    return take_address(&catch_all, name, a, &out->catch_all, err);
}

static int load_domains(const struct jv *conf, struct arena *a, struct directory *out,
                        struct err *err)
{
    struct jv all;
    struct jv m;
    void *it = NULL;

    if (jv_object(conf, "domains", &all, err) < 0)
        return -1;
    while (jv_next(&all, &it, &m)) {
        struct directory_domain *d = arena_alloc(a, sizeof(*d));
        struct str name;

        if (!d)
            return no_memory(&m, err);
        if (lower_in(&m, str_of(m.key), a, &name, err) < 0 || load_domain(&m, name, a, d, err) < 0)
            return -1;
        if (!out->first_domain.p)
            out->first_domain = name;
        (void)map_put(out->domains, name, d);
    }
    return 0;
}

static int load_list(const struct jv *at, struct arena *a, struct directory *out, struct err *err)
{
    static const char *const keys[] = {"members", "owners", "post", NULL};
    static const char *const post[] = {"anyone", "members", "owners", NULL}; /* as enum post */
    struct directory_list *l = arena_alloc(a, sizeof(*l));
    size_t who = 0;
    struct str name;
    struct jv members;
    struct jv owners;

    if (!l)
        return no_memory(at, err);
    if (jv_is_object(at, err) < 0 || jv_only(at, keys, err) < 0 ||
        jv_array(at, "members", &members, err) < 0 ||
        load_names(&members, STR_NONE, a, &l->members, err) < 0 ||
        jv_opt_array(at, "owners", &owners, err) < 0)
        return -1;
    if (owners.v && load_names(&owners, STR_NONE, a, &l->owners, err) < 0)
        return -1;
    struct jv p = jv_member(at, "post");

    if (jv_has(at, "post") && jv_enum(&p, post, &who, err) < 0)
        return -1;
    l->post = (enum post)who;
    if (account_canonical(str_of(at->key), a, &name, err) < 0)
        return jv_err(at, err, "%s", err->text);
    (void)map_put(out->lists, name, l);
    return 0;
}

static int load_lists(const struct jv *conf, struct arena *a, struct directory *out,
                      struct err *err)
{
    struct jv all;
    struct jv m;
    void *it = NULL;

    if (jv_opt_object(conf, "lists", &all, err) < 0)
        return -1;
    while (all.v && jv_next(&all, &it, &m)) {
        if (load_list(&m, a, out, err) < 0)
            return -1;
    }
    return 0;
}

int directory_load(const struct jv *conf, const struct jv *accounts, struct arena *a,
                   struct directory *out, struct err *err)
{
    struct directory d = {.domains = map_in(a), .lists = map_in(a)};
    struct str sub;

    if (jv_opt_str(conf, "subaddress", STR("+"), &sub, err) < 0 ||
        jv_opt_size(conf, "quota", INT64_MAX, 0, &d.quota, err) < 0)
        return -1;
    if (sub.n > 1) {
        struct jv at = jv_member(conf, "subaddress");

        return jv_err(&at, err, "expected one character or \"\"");
    }
    d.subaddress = sub.n ? sub.p[0] : '\0';
    if (load_domains(conf, a, &d, err) < 0 || load_lists(conf, a, &d, err) < 0 ||
        account_load(accounts, a, &d.accounts, err) < 0)
        return -1;
    *out = d;
    return 0;
}

/* --- asking ----------------------------------------------------------------------------------- */

bool directory_is_local(const struct directory *d, struct str domain)
{
    return map_get(d->domains, domain) != NULL;
}

uint64_t directory_quota(const struct directory *d, const struct account *of)
{
    return of->quota ? of->quota : d->quota;
}

struct walk {
    const struct directory *d;
    struct arena *a;
    struct map *seen; /* addresses that were expanded or taken */
    struct auth_target *targets;
    size_t n;
    bool lists;         /* expand lists too */
    struct str sender;  /* for lists that do not take mail from everybody */
    const char *closed; /* such a list was left out: why */
    struct auth_resolve_answer *out;
};

/* An address taken apart: alice+work@example.org. */
struct parts {
    struct str whole;
    struct str local; /* without the detail */
    struct str detail;
    struct str domain;
    struct str plain; /* local@domain without the detail */
};

static bool fail(struct walk *w, enum auth_verdict verdict, const char *reason)
{
    w->out->verdict = verdict;
    w->out->reason = str_of(reason);
    return false;
}

static bool take(struct walk *w, struct auth_target t)
{
    static char mark;

    if (map_put(w->seen, t.address, &mark))
        return true;
    if (w->n == AUTH_TARGETS_MAX)
        return fail(w, AUTH_TEMP, "the address leads to too many others");
    w->targets[w->n++] = t;
    return true;
}

static bool take_account(struct walk *w, const struct account *acc, struct str detail)
{
    struct str address = acc->address;

    if (detail.n) {
        struct str local;
        struct str domain;

        (void)str_rcut(acc->address, '@', &local, &domain);
        const char *full =
            arena_printf(w->a, "%.*s+%.*s@%.*s", STR_ARG(local), STR_ARG(detail), STR_ARG(domain));

        if (!full)
            return fail(w, AUTH_TEMP, "out of memory for the answer");
        address = str_of(full);
    }
    return take(w, (struct auth_target){
                       .address = address, .local = true, .quota = directory_quota(w->d, acc)});
}

static bool take_apart(struct walk *w, struct str address, struct parts *out)
{
    *out = (struct parts){.whole = address, .plain = address};
    (void)str_rcut(address, '@', &out->local, &out->domain);
    ptrdiff_t at = w->d->subaddress ? str_find(out->local, w->d->subaddress) : -1;

    if (at <= 0)
        return true;
    out->detail = str_skip(out->local, (size_t)at + 1);
    out->local = str_head(out->local, (size_t)at);
    const char *plain = arena_printf(w->a, "%.*s@%.*s", STR_ARG(out->local), STR_ARG(out->domain));

    if (!plain)
        return fail(w, AUTH_TEMP, "out of memory for the answer");
    out->plain = str_of(plain);
    return true;
}

static bool expand(struct walk *w, struct str address, unsigned depth);

/* Recursion is bounded by DIRECTORY_DEPTH_MAX and by `seen`. */
static bool expand_names(struct walk *w, struct str through, const struct names *names,
                         unsigned depth)
{
    static char mark;

    if (map_put(w->seen, through, &mark))
        return true; /* the loop ends where it closes */
    if (depth == DIRECTORY_DEPTH_MAX)
        return fail(w, AUTH_TEMP, "aliases lead to aliases too deep");
    for (size_t i = 0; i < names->n; i++) {
        if (!expand(w, names->v[i], depth + 1))
            return false;
    }
    return true;
}

static bool is_among(const struct names *names, struct str sender)
{
    for (size_t i = 0; i < names->n; i++) {
        if (str_ieq(names->v[i], sender))
            return true;
    }
    return false;
}

static const char *const closed_text[] = {
    [POST_MEMBERS] = "only members may post to this list",
    [POST_OWNERS] = "only owners may post to this list",
};

static bool may_post(const struct directory_list *l, struct str sender)
{
    if (l->post == POST_ANYONE || is_among(&l->owners, sender))
        return true;
    return l->post == POST_MEMBERS && is_among(&l->members, sender);
}

enum found {
    FOUND_NOT,
    FOUND_TAKEN,
    FOUND_FAILED
};

static enum found as_found(bool taken)
{
    return taken ? FOUND_TAKEN : FOUND_FAILED;
}

/* One spelling, with its detail (for the account's folder) or without. */
static enum found look_up(struct walk *w, struct str address, struct str local, struct str detail,
                          unsigned depth)
{
    const struct directory *d = w->d;
    struct str rest;
    struct str domain;
    const struct directory_list *l = w->lists ? map_get(d->lists, address) : NULL;

    if (l && !may_post(l, w->sender)) {
        w->closed =
            closed_text[l->post]; /* whichever way led to it; the others of an alias still count */
        return FOUND_TAKEN;
    }
    if (l)
        return as_found(expand_names(w, address, &l->members, depth));
    const struct account *acc = account_find(&d->accounts, address);

    if (!acc)
        acc = account_by_alias(&d->accounts, address);
    if (acc)
        return as_found(take_account(w, acc, detail));
    (void)str_rcut(address, '@', &rest, &domain);
    const struct directory_domain *dom = map_get(d->domains, domain);
    const struct names *names = dom ? map_get(dom->aliases, local) : NULL;

    return names ? as_found(expand_names(w, address, names, depth)) : FOUND_NOT;
}

static bool expand_local(struct walk *w, const struct parts *p, unsigned depth)
{
    const struct directory_domain *dom = map_get(w->d->domains, p->domain);
    struct str whole_local;
    struct str domain;

    (void)str_rcut(p->whole, '@', &whole_local, &domain);
    enum found f = look_up(w, p->whole, whole_local, STR_NONE, depth);

    if (f == FOUND_NOT && p->detail.p)
        f = look_up(w, p->plain, p->local, p->detail, depth);
    if (f != FOUND_NOT)
        return f == FOUND_TAKEN;
    if (dom->catch_all.p && !str_eq(dom->catch_all, p->whole))
        return expand(w, dom->catch_all, depth + 1);
    if (depth > 0)
        return true; /* a target that is gone does not stop the others */
    return fail(w, AUTH_NO, "no such user here");
}

static bool expand(struct walk *w, struct str address, unsigned depth)
{
    struct parts p;

    if (depth > DIRECTORY_DEPTH_MAX)
        return fail(w, AUTH_TEMP, "aliases lead to aliases too deep");
    if (!take_apart(w, address, &p))
        return false;
    if (directory_is_local(w->d, p.domain))
        return expand_local(w, &p, depth);
    return take(w, (struct auth_target){.address = address});
}

/* RFC 5321 section 4.5.1: <postmaster> without a domain. */
static int canonical_rcpt(const struct directory *d, struct str rcpt, struct arena *a,
                          struct str *out, struct err *err)
{
    if (!str_ieq(rcpt, STR("postmaster")))
        return account_canonical(rcpt, a, out, err);
    const char *full = arena_printf(a, "postmaster@%.*s", STR_ARG(d->first_domain));

    if (!full)
        return err_set(err, ENOMEM, "keep an address");
    *out = str_of(full);
    return 0;
}

/* sender NULL: lists are not expanded. */
static void resolve(const struct directory *d, struct str address, const struct str *sender,
                    struct arena *a, struct auth_resolve_answer *out)
{
    struct walk w = {.d = d, .a = a, .seen = map_new(), .lists = sender != NULL, .out = out};

    if (sender)
        w.sender = *sender;
    w.targets = arena_array(a, AUTH_TARGETS_MAX, sizeof(*w.targets));
    out->verdict = AUTH_YES;
    if (!w.targets)
        (void)fail(&w, AUTH_TEMP, "out of memory for the answer");
    else if (expand(&w, address, 0) && w.n == 0)
        (void)fail(&w, AUTH_NO, w.closed ? w.closed : "the address leads nowhere");
    out->targets = w.targets;
    out->targets_n = out->verdict == AUTH_YES ? w.n : 0;
    map_free(w.seen);
}

void directory_resolve(const struct directory *d, struct str rcpt, struct str sender,
                       struct arena *a, struct auth_resolve_answer *out)
{
    struct err err = {0};
    struct str address;

    *out = (struct auth_resolve_answer){.verdict = AUTH_NO, .reason = STR("not an address")};
    if (canonical_rcpt(d, rcpt, a, &address, &err) < 0)
        return;
    resolve(d, address, &sender, a, out);
}

/* Is the target the account's, with a detail or without? */
static bool is_of(struct str target, struct str user)
{
    struct str local;
    struct str domain;
    struct str detail;
    struct str name;
    struct str at;

    if (str_ieq(target, user))
        return true;
    if (!str_rcut(target, '@', &local, &domain) || !str_rcut(user, '@', &name, &at))
        return false;
    return str_cut(local, '+', &local, &detail) && str_ieq(local, name) && str_ieq(domain, at);
}

bool directory_may_send(const struct directory *d, struct str user, struct str address,
                        struct arena *a)
{
    struct auth_resolve_answer got = {.verdict = AUTH_NO};
    struct err err = {0};
    struct str as;

    if (account_canonical(address, a, &as, &err) < 0)
        return false;
    resolve(d, as, NULL, a, &got);
    for (size_t i = 0; i < got.targets_n; i++) {
        if (got.targets[i].local && is_of(got.targets[i].address, user))
            return true;
    }
    return false;
}

const struct account *directory_login(const struct directory *d, struct str name, struct arena *a)
{
    struct err err = {0};
    struct str address;

    if (account_canonical(name, a, &address, &err) < 0)
        return NULL;
    const struct account *acc = account_find(&d->accounts, address);

    return acc ? acc : account_by_alias(&d->accounts, address);
}
