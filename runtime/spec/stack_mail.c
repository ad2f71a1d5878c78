/* SPDX-License-Identifier: Apache-2.0 */
/* domains, lists and the accounts file */
#include <fcntl.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/spec/stack_field.h"

const char *const stack_dkim_names[] = {"ed25519", "rsa2048", NULL};
static const char *const post_names[] = {"anyone", "members", "owners", NULL};

static void load_aliases(struct stack_field *f, const struct jv *at, struct stack_domain *d)
{
    struct jv obj = stack_obj(f, at, "aliases");
    size_t n = stack_n(f, &obj);
    void *it = NULL;
    struct jv m;

    d->aliases = arena_array(f->a, n + 1, sizeof(*d->aliases));
    while (n && jv_next(&obj, &it, &m)) {
        struct stack_alias *alias = &d->aliases[d->aliases_n++];

        alias->name = stack_lower(f, m.key);
        alias->to = stack_texts(f, &obj, m.key);
        if (alias->to.n == 0)
            stack_complain_at(f, &m, "an alias needs at least one target");
    }
}

static void load_dkim(struct stack_field *f, const struct jv *at, struct stack_domain *d)
{
    static const char *const keys[] = {"selector", "algorithm", NULL};
    struct jv list = stack_arr(f, at, "dkim");
    size_t n = stack_n(f, &list);

    d->dkim = arena_array(f->a, n + 1, sizeof(*d->dkim));
    for (size_t i = 0; i < n; i++) {
        struct jv e = jv_elem(&list, i);
        struct err err = {0};

        if (jv_is_object(&e, &err) < 0) {
            stack_complain(f, &err);
            continue;
        }
        stack_only(f, &e, keys);
        struct stack_dkim *k = &d->dkim[d->dkim_n];

        k->selector = stack_text(f, &e, "selector", NULL);
        k->algorithm =
            (enum stack_dkim_algorithm)stack_choice(f, &e, "algorithm", stack_dkim_names);
        if (!k->selector)
            stack_complain_at(f, &e, "a key needs a \"selector\"");
        else if (stack_domain_is_sound(str_of(k->selector), &err) < 0)
            stack_complain_at(f, &e, "selector '%s' must look like a domain name", k->selector);
        else
            d->dkim_n++;
    }
}

void stack_load_domains(struct stack_field *f, const struct jv *root, struct stack_config *c)
{
    static const char *const keys[] = {"aliases", "catch_all", "dkim", NULL};
    struct jv obj = stack_obj(f, root, "domains");
    size_t n = stack_n(f, &obj);
    void *it = NULL;
    struct jv m;

    if (n == 0)
        stack_complain_at(f, root, "\"domains\" must name at least one domain");
    else if (n > STACK_DOMAINS_MAX)
        stack_complain_at(f, &obj, "more than %d domains", STACK_DOMAINS_MAX);
    c->domains = arena_array(f->a, n + 1, sizeof(*c->domains));
    while (n && jv_next(&obj, &it, &m)) {
        struct stack_domain *d = &c->domains[c->domains_n];
        struct err err = {0};

        if (jv_is_object(&m, &err) < 0 || stack_domain_is_sound(str_of(m.key), &err) < 0) {
            stack_complain_at(f, &m, "%s", err.text);
            continue;
        }
        c->domains_n++;
        d->name = stack_lower(f, m.key);
        stack_only(f, &m, keys);
        load_aliases(f, &m, d);
        d->catch_all = stack_text(f, &m, "catch_all", NULL);
        load_dkim(f, &m, d);
    }
}

void stack_load_lists(struct stack_field *f, const struct jv *root, struct stack_config *c)
{
    static const char *const keys[] = {"members", "owners", "post", NULL};
    struct jv obj = stack_obj(f, root, "lists");
    size_t n = stack_n(f, &obj);
    void *it = NULL;
    struct jv m;

    c->lists = arena_array(f->a, n + 1, sizeof(*c->lists));
    while (n && jv_next(&obj, &it, &m)) {
        struct stack_list *l = &c->lists[c->lists_n];
        struct err err = {0};

        if (jv_is_object(&m, &err) < 0) {
            stack_complain(f, &err);
            continue;
        }
        stack_only(f, &m, keys);
        l->address = stack_lower(f, m.key);
        l->members = stack_texts(f, &m, "members");
        l->owners = stack_texts(f, &m, "owners");
        l->post = post_names[stack_choice(f, &m, "post", post_names)];
        if (l->members.n == 0)
            stack_complain_at(f, &m, "a list needs at least one of \"members\"");
        c->lists_n++;
    }
}

/* crypt(3)'s "$ID$...", the old DES form, or Dovecot's {SCHEME}; "!" or "*" in front locks. */
static bool password_is_sound(const char *p)
{
    if (p[0] == '!' || p[0] == '*')
        return true;
    if (p[0] == '{')
        return strchr(p, '}') != NULL && strchr(p, '}')[1] != '\0';
    return p[0] == '$' || p[0] == '_' || strlen(p) == 13;
}

static void load_account(struct stack_field *f, const struct jv *m, struct stack_account *out)
{
    static const char *const keys[] = {"password", "quota", "aliases", NULL};
    struct str local;
    struct str domain;
    struct err err = {0};

    stack_only(f, m, keys);
    out->address = stack_lower(f, m->key);
    out->password = stack_text(f, m, "password", NULL);
    out->quota = stack_size(f, m, "quota", 0, STACK_SIZE_MAX);
    out->aliases = stack_texts(f, m, "aliases");
    if (stack_address_split(str_of(m->key), &local, &domain, &err) < 0)
        stack_complain_at(f, m, "%s", err.text);
    if (!out->password)
        stack_complain_at(f, m, "an account needs a \"password\" (a crypt(3) string)");
    else if (!password_is_sound(out->password))
        stack_complain_at(f, m, "the password is neither a crypt(3) string nor a {SCHEME} one");
}

void stack_load_account_file(struct stack_field *f, const struct stack_config *c,
                             struct stack_accounts *out)
{
    struct stack_field in = {.a = f->a, .report = f->report, .doc = c->accounts_file};
    struct err err = {0};
    own_json json_t *doc = jv_load_file(AT_FDCWD, c->accounts_file, STACK_ACCOUNTS_MAX, &err);
    struct jv top = {0};
    struct jv accounts = {.up = &top, .key = "accounts"};
    struct jv file = {.up = &accounts, .key = "file"};
    struct jv root = jv_root(doc);
    void *it = NULL;
    struct jv m;

    if (!doc) { /* one complaint, and not one more for each name that it would have held */
        stack_complain_at(f, &file, "%s", err.text);
        f->no_files = true;
        return;
    }
    if (jv_is_object(&root, &err) < 0) {
        stack_complain(&in, &err);
        f->complaints += in.complaints;
        return;
    }
    size_t n = jv_n(&root);

    if (n > STACK_LIST_MAX * 10) {
        stack_complain_at(&in, &root, "%zu accounts are more than %d", n, STACK_LIST_MAX * 10);
        f->complaints += in.complaints;
        return;
    }
    out->v = arena_array(f->a, n + 1, sizeof(*out->v));
    while (jv_next(&root, &it, &m)) {
        if (jv_is_object(&m, &err) < 0)
            stack_complain(&in, &err);
        else
            load_account(&in, &m, &out->v[out->n++]);
    }
    stack_check_accounts(&in, c, out);
    f->complaints += in.complaints;
}

int stack_load_accounts(struct arena *a, const struct stack_config *c, struct stack_accounts *out,
                        struct buf *report)
{
    struct stack_field f = {.a = a, .report = report, .doc = c->file};

    stack_load_account_file(&f, c, out);
    return f.complaints ? -1 : 0;
}
