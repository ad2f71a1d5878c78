/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules across sections. Names are looked up through hash maps, so that a file of a hundred
 * thousand aliases is checked in time that grows with its length only.
 */
#include <netinet/in.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/map.h"
#include "runtime/base/own.h"
#include "runtime/spec/stack_field.h"

struct names { /* every local address, lower case -> what it is */
    struct map *of;
    const struct stack_config *c;
};

static char kind_account[] = "an account";
static char kind_account_alias[] = "an alias of an account";
static char kind_alias[] = "an alias of the domain";
static char kind_list[] = "a list";

static void free_names(struct names *n)
{
    map_free(n->of);
}

const struct stack_domain *stack_domain_get(const struct stack_config *c, struct str name)
{
    for (size_t i = 0; i < c->domains_n; i++)
        if (str_ieq_c(name, c->domains[i].name))
            return &c->domains[i];
    return NULL;
}

const struct stack_limits *stack_limits_get(const struct stack_config *c, const char *service)
{
    for (size_t i = 0; i < c->limits_n; i++)
        if (strcmp(c->limits[i].service, service) == 0)
            return &c->limits[i];
    return NULL;
}

static void lower_into(struct buf *b, struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        buf_append_char(b, ascii_lower(s.p[i]));
}

static void *name_get(const struct names *n, struct str address)
{
    own_buf struct buf key = BUF_INIT(1024);

    lower_into(&key, address);
    return key.failed ? NULL : map_get(n->of, buf_str(&key));
}

static const char *name_put(struct names *n, struct str address, char *kind)
{
    own_buf struct buf key = BUF_INIT(1024);
    const char *was;

    lower_into(&key, address);
    if (key.failed)
        return NULL;
    was = map_get(n->of, buf_str(&key));
    if (!was)
        (void)map_put(n->of, buf_str(&key), kind);
    return was;
}

/* "alice" in domain d, or "alice@example.org"; beyond our domains anything goes. */
static int check_target(const struct names *n, const struct stack_domain *d, const char *target,
                        struct err *err)
{
    own_buf struct buf whole = BUF_INIT(1024);
    struct str local;
    struct str domain;
    const struct stack_domain *in;
    ptrdiff_t plus;

    buf_append_c(&whole, target);
    if (!strchr(target, '@') && d)
        buf_printf(&whole, "@%s", d->name);
    if (stack_address_split(buf_str(&whole), &local, &domain, err) < 0)
        return -1;
    in = stack_domain_get(n->c, domain);
    if (!in || in->catch_all || name_get(n, buf_str(&whole)))
        return 0;
    plus = n->c->mailbox.subaddress[0] ? str_find(local, n->c->mailbox.subaddress[0]) : -1;
    if (plus > 0) {
        own_buf struct buf plain = BUF_INIT(1024);

        buf_printf(&plain, "%.*s@%s", (int)plus, local.p, in->name);
        if (name_get(n, buf_str(&plain)))
            return 0;
    }
    return err_set(err, 0, "'%s' is neither an account nor an alias nor a list of '%s'", target,
                   in->name);
}

static void check_targets(struct stack_field *f, const struct names *n,
                          const struct stack_domain *d, const struct jv *at,
                          const struct stack_strings *to)
{
    for (size_t i = 0; i < to->n; i++) {
        struct jv e = jv_elem(at, i);
        struct err err = {0};

        if (check_target(n, d, to->v[i], &err) < 0)
            stack_complain_at(f, &e, "%s", err.text);
    }
}

static void check_domain(struct stack_field *f, const struct names *n, const struct stack_domain *d,
                         const struct jv *at)
{
    struct jv aliases = jv_member(at, "aliases");
    void *it = NULL;
    struct jv m;
    struct err err = {0};

    for (size_t i = 0; i < d->aliases_n && jv_next(&aliases, &it, &m); i++)
        check_targets(f, n, d, &m, &d->aliases[i].to);
    if (d->catch_all && str_find(str_of(d->catch_all), '@') < 0) {
        own_buf struct buf whole = BUF_INIT(1024);

        buf_printf(&whole, "%s@%s", d->catch_all, d->name);
        if (!name_get(n, buf_str(&whole)))
            stack_complain_at(f, at, "catch_all '%s' is neither an account nor an alias of '%s'",
                              d->catch_all, d->name);
    } else if (d->catch_all && check_target(n, NULL, d->catch_all, &err) < 0) {
        stack_complain_at(f, at, "catch_all: %s", err.text);
    }
    for (size_t i = 0; i < d->dkim_n; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(d->dkim[i].selector, d->dkim[k].selector) == 0)
                stack_complain_at(f, at, "DKIM selector '%s' stands twice", d->dkim[i].selector);
}

static void collect_domain(struct stack_field *f, struct names *n, const struct stack_domain *d,
                           const struct jv *at)
{
    for (size_t i = 0; i < d->aliases_n; i++) {
        own_buf struct buf whole = BUF_INIT(1024);
        struct str local;
        struct str domain;
        struct err err = {0};
        const char *was;

        buf_printf(&whole, "%s@%s", d->aliases[i].name, d->name);
        if (stack_address_split(buf_str(&whole), &local, &domain, &err) < 0) {
            stack_complain_at(f, at, "alias '%s': %s", d->aliases[i].name, err.text);
            continue;
        }
        was = name_put(n, buf_str(&whole), kind_alias);
        if (was)
            stack_complain_at(f, at, "alias '%s': '%s' is %s already", d->aliases[i].name,
                              buf_c(&whole), was);
    }
}

static void collect_lists(struct stack_field *f, struct names *n, const struct jv *root)
{
    struct jv lists = jv_member(root, "lists");

    for (size_t i = 0; i < n->c->lists_n; i++) {
        const struct stack_list *l = &n->c->lists[i];
        struct str local;
        struct str domain;
        struct err err = {0};
        const char *was;

        if (stack_address_split(str_of(l->address), &local, &domain, &err) < 0)
            stack_complain_at(f, &lists, "%s", err.text);
        else if (!stack_domain_get(n->c, domain))
            stack_complain_at(f, &lists, "list '%s' is in a domain that \"domains\" does not name",
                              l->address);
        was = name_put(n, str_of(l->address), kind_list);
        if (was)
            stack_complain_at(f, &lists, "list '%s' is %s already", l->address, was);
    }
}

static void collect_accounts(struct names *n, const struct stack_accounts *accounts)
{
    for (size_t i = 0; i < accounts->n; i++) {
        (void)name_put(n, str_of(accounts->v[i].address), kind_account); /* keys are unique */
        for (size_t k = 0; k < accounts->v[i].aliases.n; k++)
            (void)name_put(n, str_of(accounts->v[i].aliases.v[k]), kind_account_alias);
    }
}

static uint16_t port_of(const struct sockaddr_storage *sa)
{
    const struct sockaddr_in *in4 = (const void *)sa;
    const struct sockaddr_in6 *in6 = (const void *)sa;

    return sa->ss_family == AF_INET ? in4->sin_port : in6->sin6_port;
}

static bool is_wildcard(const struct sockaddr_storage *sa)
{
    const struct sockaddr_in *in4 = (const void *)sa;
    const struct sockaddr_in6 *in6 = (const void *)sa;

    return sa->ss_family == AF_INET ? in4->sin_addr.s_addr == 0
                                    : IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr);
}

static bool same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    const struct sockaddr_in *a4 = (const void *)a;
    const struct sockaddr_in *b4 = (const void *)b;
    const struct sockaddr_in6 *a6 = (const void *)a;
    const struct sockaddr_in6 *b6 = (const void *)b;

    return a->ss_family == AF_INET ? a4->sin_addr.s_addr == b4->sin_addr.s_addr
                                   : IN6_ARE_ADDR_EQUAL(&a6->sin6_addr, &b6->sin6_addr);
}

static bool addrs_clash(const struct stack_addr *a, const struct stack_addr *b)
{
    return a->sa.ss_family == b->sa.ss_family && port_of(&a->sa) == port_of(&b->sa) &&
           (is_wildcard(&a->sa) || is_wildcard(&b->sa) || same_host(&a->sa, &b->sa));
}

struct place { /* the k-th address of a protocol */
    size_t port;
    size_t k;
};

static bool clashes_before(const struct stack_config *c, struct place p, struct place *with)
{
    const struct stack_addr *a = &c->listen[p.port].v[p.k];

    for (size_t i = 0; i <= p.port; i++)
        for (size_t k = 0; k < (i == p.port ? p.k : c->listen[i].n); k++)
            if (addrs_clash(a, &c->listen[i].v[k])) {
                *with = (struct place){i, k};
                return true;
            }
    return false;
}

static void check_ports(struct stack_field *f, const struct jv *root, const struct stack_config *c)
{
    struct jv listen = jv_member(root, "listen");
    size_t total = 0;

    for (size_t i = 0; i < STACK_PORTS; i++) {
        struct jv at = jv_member(&listen, stack_port_names[i]);

        total += c->listen[i].n;
        for (size_t k = 0; k < c->listen[i].n; k++) {
            struct place with;

            if (clashes_before(c, (struct place){i, k}, &with))
                stack_complain_at(f, &at, "'%s' clashes with '%s' of %s", c->listen[i].v[k].text,
                                  c->listen[with.port].v[with.k].text, stack_port_names[with.port]);
        }
    }
    if (total == 0)
        stack_complain_at(f, &listen, "no protocol listens anywhere");
}

static void check_domain_twice(struct stack_field *f, const struct jv *root,
                               const struct stack_config *c)
{
    for (size_t i = 0; i < c->domains_n; i++)
        if (stack_domain_get(c, str_of(c->domains[i].name)) != &c->domains[i])
            stack_complain_at(f, root, "domain '%s' stands twice", c->domains[i].name);
}

void stack_check(struct stack_field *f, const struct jv *root, const struct stack_config *c)
{
    __attribute__((cleanup(free_names))) struct names n = {.of = map_new(), .c = c};
    struct jv domains = jv_member(root, "domains");
    struct jv lists = jv_member(root, "lists");
    void *it = NULL;
    struct jv m;

    check_ports(f, root, c);
    check_domain_twice(f, root, c);
    collect_accounts(&n, &c->accounts);
    for (size_t i = 0; i < c->domains_n; i++) {
        struct jv at = jv_member(&domains, c->domains[i].name);

        collect_domain(f, &n, &c->domains[i], at.v ? &at : &domains);
    }
    collect_lists(f, &n, root);
    if (f->no_files)
        return; /* without the accounts no target can be judged */
    for (size_t i = 0; i < c->domains_n; i++) {
        struct jv at = jv_member(&domains, c->domains[i].name);

        check_domain(f, &n, &c->domains[i], at.v ? &at : &domains);
    }
    for (size_t i = 0; i < c->lists_n && jv_next(&lists, &it, &m); i++) {
        struct jv members = jv_member(&m, "members");

        check_targets(f, &n, NULL, &members, &c->lists[i].members);
    }
}

static void check_account_aliases(struct stack_field *f, struct names *n, const struct jv *at,
                                  const struct stack_account *a)
{
    for (size_t k = 0; k < a->aliases.n; k++) {
        struct str local;
        struct str domain;
        struct err err = {0};

        if (stack_address_split(str_of(a->aliases.v[k]), &local, &domain, &err) < 0)
            stack_complain_at(f, at, "%s", err.text);
        else if (!stack_domain_get(n->c, domain))
            stack_complain_at(f, at, "alias '%s' is in a domain that \"domains\" does not name",
                              a->aliases.v[k]);
        else if (name_put(n, str_of(a->aliases.v[k]), kind_account_alias))
            stack_complain_at(f, at, "alias '%s' of '%s' is taken", a->aliases.v[k], a->address);
    }
}

void stack_check_accounts(struct stack_field *f, const struct stack_config *c,
                          const struct stack_accounts *accounts)
{
    __attribute__((cleanup(free_names))) struct names n = {.of = map_new(), .c = c};
    struct jv root = {0};

    for (size_t i = 0; i < accounts->n; i++) {
        const struct stack_account *a = &accounts->v[i];
        struct jv at = {.up = &root, .key = a->address};
        struct str local;
        struct str domain;
        struct err err = {0};

        if (name_put(&n, str_of(a->address), kind_account))
            stack_complain_at(f, &at, "'%s' stands twice", a->address);
        if (stack_address_split(str_of(a->address), &local, &domain, &err) < 0)
            continue; /* load_account has complained */
        if (!stack_domain_get(c, domain))
            stack_complain_at(f, &at, "'%.*s' is no domain of mailstack.json", STR_ARG(domain));
        else if (str_find(local, '+') >= 0) /* lmtpd takes what follows for a folder */
            stack_complain_at(f, &at, "the name of an account may not have a '+'");
    }
    for (size_t i = 0; i < accounts->n; i++) {
        struct jv at = {.up = &root, .key = accounts->v[i].address};

        check_account_aliases(f, &n, &at, &accounts->v[i]);
    }
}
