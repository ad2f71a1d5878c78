/* SPDX-License-Identifier: Apache-2.0 */
/* Rules across sections. */
#include <netinet/in.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"
#include "runtime/spec/stack_field.h"
#include "runtime/spec/stack_names.h"

#define WAY_MAX 512 /* bytes of a circle that are shown */

static const char kind_account[] = "an account";
static const char kind_account_alias[] = "an alias of an account";
static const char kind_alias[] = "an alias of the domain";
static const char kind_list[] = "a list";

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

static void check_targets(struct stack_field *f, const struct stack_names *n,
                          const struct stack_domain *d, const struct jv *at,
                          const struct stack_strings *to)
{
    for (size_t i = 0; i < to->n; i++) {
        struct jv e = jv_elem(at, i);
        struct err err = {0};
        struct stack_name *name;

        if (stack_names_target(n, d, to->v[i], &name, &err) < 0)
            stack_complain_at(f, &e, "%s", err.text);
    }
}

static void check_catch_all(struct stack_field *f, const struct stack_names *n,
                            const struct stack_domain *d, const struct jv *domain)
{
    const struct jv at = jv_member(domain, "catch_all");
    const struct stack_domain *in;
    struct stack_name *name;
    struct err err = {0};

    if (stack_names_find(n, d, d->catch_all, &in, &name, &err) < 0)
        stack_complain_at(f, &at, "%s", err.text);
    else if (in && !name)
        stack_complain_at(f, &at, "'%s' is neither an account nor an alias nor a list of '%s'",
                          d->catch_all, in->name);
}

static void check_domain(struct stack_field *f, const struct stack_names *n,
                         const struct stack_domain *d, const struct jv *at)
{
    struct jv aliases = jv_member(at, "aliases");
    void *it = NULL;
    struct jv m;

    for (size_t i = 0; i < d->aliases_n && jv_next(&aliases, &it, &m); i++)
        check_targets(f, n, d, &m, &d->aliases[i].to);
    if (d->catch_all)
        check_catch_all(f, n, d, at);
    for (size_t i = 0; i < d->dkim_n; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(d->dkim[i].selector, d->dkim[k].selector) == 0)
                stack_complain_at(f, at, "DKIM selector '%s' stands twice", d->dkim[i].selector);
}

static void collect_domain(struct stack_field *f, struct stack_names *n,
                           const struct stack_domain *d, const struct jv *at)
{
    for (size_t i = 0; i < d->aliases_n; i++) {
        own_buf struct buf whole = BUF_INIT(1024);
        struct str local;
        struct str domain;
        struct err err = {0};
        const struct stack_name *was;

        buf_printf(&whole, "%s@%s", d->aliases[i].name, d->name);
        if (stack_address_split(buf_str(&whole), &local, &domain, &err) < 0) {
            stack_complain_at(f, at, "alias '%s': %s", d->aliases[i].name, err.text);
            continue;
        }
        was = stack_names_put(n, &(struct stack_name){.address = arena_copy(f->a, buf_str(&whole)),
                                                      .kind = kind_alias,
                                                      .to = &d->aliases[i].to,
                                                      .d = d});
        if (was)
            stack_complain_at(f, at, "alias '%s': '%s' is %s already", d->aliases[i].name,
                              buf_c(&whole), was->kind);
    }
}

static void collect_lists(struct stack_field *f, struct stack_names *n, const struct jv *root)
{
    struct jv lists = jv_member(root, "lists");

    for (size_t i = 0; i < n->c->lists_n; i++) {
        const struct stack_list *l = &n->c->lists[i];
        struct str local;
        struct str domain;
        struct err err = {0};
        const struct stack_name *was;

        if (stack_address_split(str_of(l->address), &local, &domain, &err) < 0)
            stack_complain_at(f, &lists, "%s", err.text);
        else if (!stack_domain_get(n->c, domain))
            stack_complain_at(f, &lists, "list '%s' is in a domain that \"domains\" does not name",
                              l->address);
        was = stack_names_put(
            n, &(struct stack_name){.address = l->address, .kind = kind_list, .to = &l->members});
        if (was)
            stack_complain_at(f, &lists, "list '%s' is %s already", l->address, was->kind);
    }
}

/* Mail to it stays here. False if the address is taken. */
static bool put_account(struct stack_names *n, const char *address, const char *kind)
{
    return !stack_names_put(n, &(struct stack_name){.address = address, .kind = kind});
}

static void collect_accounts(struct stack_names *n, const struct stack_accounts *accounts)
{
    for (size_t i = 0; i < accounts->n; i++) {
        (void)put_account(n, accounts->v[i].address, kind_account); /* keys are unique */
        for (size_t k = 0; k < accounts->v[i].aliases.n; k++)
            (void)put_account(n, accounts->v[i].aliases.v[k], kind_account_alias);
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

static void check_loop(struct stack_field *f, struct stack_names *n, const struct jv *at,
                       const char *address)
{
    own_buf struct buf way = BUF_INIT(WAY_MAX);
    struct stack_name *name = stack_names_get(n, str_of(address));

    if (name && stack_names_loop(n, name, &way))
        stack_complain_at(f, at, "mail to '%s' goes round in a circle: %s", address,
                          way.failed ? "a long one" : buf_c(&way));
}

static void check_loops(struct stack_field *f, struct stack_names *n, const struct jv *domains,
                        const struct jv *lists)
{
    for (size_t i = 0; i < n->c->domains_n; i++) {
        const struct stack_domain *d = &n->c->domains[i];
        struct jv at = jv_member(domains, d->name);
        struct jv aliases = jv_member(&at, "aliases");

        for (size_t k = 0; k < d->aliases_n; k++) {
            struct jv alias = jv_member(&aliases, d->aliases[k].name);
            own_buf struct buf whole = BUF_INIT(1024);

            buf_printf(&whole, "%s@%s", d->aliases[k].name, d->name);
            check_loop(f, n, &alias, buf_c(&whole));
        }
    }
    for (size_t i = 0; i < n->c->lists_n; i++)
        check_loop(f, n, lists, n->c->lists[i].address);
}

void stack_check(struct stack_field *f, const struct jv *root, const struct stack_config *c)
{
    __attribute__((cleanup(stack_names_done))) struct stack_names n;
    struct jv domains = jv_member(root, "domains");
    struct jv lists = jv_member(root, "lists");
    void *it = NULL;
    struct jv m;

    stack_names_init(&n, f->a, c);
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
    check_loops(f, &n, &domains, &lists);
}

static void check_account_aliases(struct stack_field *f, struct stack_names *n, const struct jv *at,
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
        else if (!put_account(n, a->aliases.v[k], kind_account_alias))
            stack_complain_at(f, at, "alias '%s' of '%s' is taken", a->aliases.v[k], a->address);
    }
}

void stack_check_accounts(struct stack_field *f, const struct stack_config *c,
                          const struct stack_accounts *accounts)
{
    __attribute__((cleanup(stack_names_done))) struct stack_names n;
    struct jv root = {0};

    stack_names_init(&n, f->a, c);
    for (size_t i = 0; i < accounts->n; i++) {
        const struct stack_account *a = &accounts->v[i];
        struct jv at = {.up = &root, .key = a->address};
        struct str local;
        struct str domain;
        struct err err = {0};

        if (!put_account(&n, a->address, kind_account))
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
