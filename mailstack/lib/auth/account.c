/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/auth/account.h"

#include <errno.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/jv.h"
#include "runtime/base/map.h"

static bool is_sound(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c <= ' ' || c == 0x7f)
            return false;
    }
    return str_is_utf8(s);
}

int account_canonical(struct str address, struct arena *a, struct str *out, struct err *err)
{
    struct str local;
    struct str domain;

    if (address.n > ACCOUNT_ADDRESS_MAX)
        return err_set(err, EMSGSIZE, "an address of more than %d bytes", ACCOUNT_ADDRESS_MAX);
    if (!str_rcut(address, '@', &local, &domain) || local.n == 0 || domain.n == 0 ||
        !is_sound(address))
        return err_set(err, 0, "'%.*s' is not an address like 'name@domain'", STR_ARG(address));
    char *lower = arena_copy(a, address);

    if (!lower)
        return err_set(err, ENOMEM, "keep an address");
    for (size_t i = 0; i < address.n; i++)
        lower[i] = ascii_lower(lower[i]);
    *out = (struct str){lower, address.n};
    return 0;
}

static int load_aliases(const struct jv *at, struct arena *a, struct account *out, struct err *err)
{
    struct jv list;

    if (jv_opt_array(at, "aliases", &list, err) < 0)
        return -1;
    size_t n = jv_n(&list);

    if (n > ACCOUNT_ALIASES_MAX)
        return jv_err(&list, err, "more than %d aliases", ACCOUNT_ALIASES_MAX);
    struct str *aliases = arena_array(a, n, sizeof(*aliases));

    if (!aliases)
        return jv_err(&list, err, "the accounts take too much memory");
    for (size_t i = 0; i < n; i++) {
        struct jv e = jv_elem(&list, i);
        struct str text;

        if (jv_as_str(&e, &text, err) < 0)
            return -1;
        if (account_canonical(text, a, &aliases[i], err) < 0)
            return jv_err(&e, err, "%s", err->text);
    }
    out->aliases = aliases;
    out->aliases_n = n;
    return 0;
}

static int load_one(const struct jv *at, struct arena *a, struct account *out, struct err *err)
{
    static const char *const keys[] = {"password", "quota", "aliases", NULL};
    struct str password;

    if (jv_is_object(at, err) < 0 || jv_only(at, keys, err) < 0 ||
        jv_str(at, "password", &password, err) < 0 ||
        jv_opt_size(at, "quota", INT64_MAX, 0, &out->quota, err) < 0)
        return -1;
    out->password = arena_copy(a, password);
    if (!out->password)
        return jv_err(at, err, "the accounts take too much memory");
    return load_aliases(at, a, out, err);
}

static void free_map(void *ctx)
{
    map_free(ctx);
}

static int index_aliases(const struct jv *at, const struct accounts *all, struct account *one,
                         struct err *err)
{
    for (size_t i = 0; i < one->aliases_n; i++) {
        struct str alias = one->aliases[i];

        if (map_get(all->by_address, alias) || map_put(all->by_alias, alias, one))
            return jv_err(at, err, "'%.*s' stands for more than one account", STR_ARG(alias));
    }
    return 0;
}

static int load_all(const struct jv *root, struct arena *a, const struct accounts *all,
                    struct err *err)
{
    void *it = NULL;
    struct jv m;

    while (jv_next(root, &it, &m)) {
        struct account *one = arena_alloc(a, sizeof(*one));

        if (!one)
            return jv_err(&m, err, "the accounts take too much memory");
        if (account_canonical(str_of(m.key), a, &one->address, err) < 0)
            return jv_err(&m, err, "%s", err->text);
        if (load_one(&m, a, one, err) < 0)
            return -1;
        if (map_put(all->by_address, one->address, one))
            return jv_err(&m, err, "the account stands twice, in other letters");
    }
    return 0;
}

int account_load(const struct jv *root, struct arena *a, struct accounts *out, struct err *err)
{
    struct accounts all = {map_new(), map_new()};
    void *it = NULL;
    struct jv m;

    arena_on_free(a, free_map, all.by_address);
    arena_on_free(a, free_map, all.by_alias);
    if (jv_is_object(root, err) < 0 || load_all(root, a, &all, err) < 0)
        return -1;
    while (jv_next(root, &it, &m)) {
        struct str address;

        if (account_canonical(str_of(m.key), a, &address, err) < 0 ||
            index_aliases(&m, &all, map_get(all.by_address, address), err) < 0)
            return -1;
    }
    *out = all;
    return 0;
}

const struct account *account_find(const struct accounts *all, struct str canonical)
{
    return map_get(all->by_address, canonical);
}

const struct account *account_by_alias(const struct accounts *all, struct str canonical)
{
    return map_get(all->by_alias, canonical);
}
