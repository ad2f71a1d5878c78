/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/spec/stack_field.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"
#include "runtime/base/path.h"

void stack_complain(struct stack_field *f, const struct err *e)
{
    if (f->complaints++ < STACK_COMPLAINTS)
        buf_printf(f->report, "%s: %s\n", f->doc, e->text);
}

void stack_complain_at(struct stack_field *f, const struct jv *at, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    struct err e = {0};
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap); /* cut at its end if it is too long */
    va_end(ap);
    (void)jv_err(at, &e, "%s", text);
    stack_complain(f, &e);
}

/* jv_only stops at the first unknown key; asked about one member at a time it reports each. */
void stack_only(struct stack_field *f, const struct jv *at, const char *const *keys)
{
    void *it = NULL;
    struct jv m;

    while (jv_next(at, &it, &m)) {
        json_t *one = json_object();
        struct jv alone = {.v = one, .up = at->up, .key = at->key, .index = at->index};
        struct err e = {0};

        (void)json_object_set_new(one, m.key, json_null()); /* fails for no sound key */
        if (jv_only(&alone, keys, &e) < 0)
            stack_complain(f, &e);
        json_decref(one);
    }
}

struct jv stack_obj(struct stack_field *f, const struct jv *at, const char *key)
{
    struct jv out = {0};
    struct err e = {0};

    if (jv_opt_object(at, key, &out, &e) < 0) {
        stack_complain(f, &e);
        out.v = NULL;
    }
    return out;
}

struct jv stack_arr(struct stack_field *f, const struct jv *at, const char *key)
{
    struct jv out = {0};
    struct err e = {0};

    if (jv_opt_array(at, key, &out, &e) < 0) {
        stack_complain(f, &e);
        out.v = NULL;
    }
    return out;
}

const char *stack_text(struct stack_field *f, const struct jv *at, const char *key,
                       const char *dflt)
{
    struct str s = STR_NONE;
    struct err e = {0};

    if (jv_opt_str(at, key, STR_NONE, &s, &e) < 0)
        stack_complain(f, &e);
    return s.p ? arena_copy(f->a, s) : dflt;
}

const char *stack_as_text(struct stack_field *f, const struct jv *at)
{
    struct str s = STR_NONE;
    struct err e = {0};

    if (jv_as_str(at, &s, &e) < 0) {
        stack_complain(f, &e);
        return NULL;
    }
    return arena_copy(f->a, s);
}

bool stack_flag(struct stack_field *f, const struct jv *at, const char *key, bool dflt)
{
    bool out = dflt;
    struct err e = {0};

    if (jv_opt_bool(at, key, dflt, &out, &e) < 0)
        stack_complain(f, &e);
    return out;
}

uint32_t stack_count(struct stack_field *f, const struct jv *at, const char *key, uint32_t dflt,
                     uint32_t max)
{
    int64_t out = dflt;
    struct err e = {0};

    if (jv_opt_int(at, key, (struct jv_range){1, max}, dflt, &out, &e) < 0)
        stack_complain(f, &e);
    return (uint32_t)out;
}

uint64_t stack_size(struct stack_field *f, const struct jv *at, const char *key, uint64_t dflt,
                    uint64_t max)
{
    uint64_t out = dflt;
    struct err e = {0};

    if (jv_opt_size(at, key, max, dflt, &out, &e) < 0)
        stack_complain(f, &e);
    return out;
}

uint64_t stack_time(struct stack_field *f, const struct jv *at, const char *key, uint64_t dflt,
                    uint64_t max)
{
    struct jv m = jv_member(at, key);
    uint64_t out = dflt;
    struct err e = {0};

    if (jv_opt_seconds(at, key, max, dflt, &out, &e) < 0)
        stack_complain(f, &e);
    else if (out == 0)
        stack_complain_at(f, &m, "expected at least one second");
    return out;
}

size_t stack_choice(struct stack_field *f, const struct jv *at, const char *key,
                    const char *const *names)
{
    struct jv m = jv_member(at, key);
    struct err e = {0};
    size_t out = 0;

    if (!jv_has(at, key))
        return 0;
    if (jv_enum(&m, names, &out, &e) < 0) {
        stack_complain(f, &e);
        return 0;
    }
    return out;
}

size_t stack_n(struct stack_field *f, const struct jv *at)
{
    size_t n = at->v ? jv_n(at) : 0;

    if (n <= STACK_LIST_MAX)
        return n;
    stack_complain_at(f, at, "%zu elements are more than %d", n, STACK_LIST_MAX);
    return 0;
}

struct stack_strings stack_texts(struct stack_field *f, const struct jv *at, const char *key)
{
    struct jv list = stack_arr(f, at, key);
    size_t n = stack_n(f, &list);
    struct stack_strings out = {.v = arena_array(f->a, n + 1, sizeof(char *))};

    if (n > STACK_TEXTS_MAX) {
        stack_complain_at(f, &list, "%zu elements are more than %d", n, STACK_TEXTS_MAX);
        return out;
    }
    for (size_t i = 0; i < n; i++) {
        struct jv e = jv_elem(&list, i);
        const char *text = stack_as_text(f, &e);

        if (text)
            out.v[out.n++] = text;
    }
    return out;
}

struct stack_nets stack_net_list(struct stack_field *f, const struct jv *at, const char *key)
{
    struct jv list = stack_arr(f, at, key);
    size_t n = stack_n(f, &list);
    struct stack_nets out = {.v = arena_array(f->a, n + 1, sizeof(struct stack_net))};

    for (size_t i = 0; i < n; i++) {
        struct jv e = jv_elem(&list, i);
        const char *text = stack_as_text(f, &e);
        struct err err = {0};

        if (!text)
            continue;
        if (stack_net_parse(str_of(text), &out.v[out.n], &err) < 0)
            stack_complain_at(f, &e, "%s", err.text);
        else
            out.v[out.n++].text = text;
    }
    return out;
}

const char *stack_file(struct stack_field *f, const struct jv *at, const char *key,
                       const char *dflt)
{
    const char *path = stack_text(f, at, key, dflt);
    own_buf struct buf whole = BUF_INIT(8192);

    if (!path)
        return NULL;
    if (!path[0]) {
        struct jv m = jv_member(at, key);

        stack_complain_at(f, &m, "a path may not be empty");
    }
    path_join(str_of(f->dir), str_of(path), &whole);
    return arena_copy(f->a, buf_str(&whole));
}

const char *stack_lower(struct stack_field *f, const char *s)
{
    char *out = arena_copy(f->a, str_of(s));

    for (char *p = out; *p; p++)
        *p = ascii_lower(*p);
    return out;
}

/* --- networks and names ----------------------------------------------------------------------- */

static bool bits_beyond_are_zero(const uint8_t *addr, unsigned bits, unsigned all)
{
    for (unsigned i = bits; i < all; i++)
        if (addr[i / 8] & (0x80U >> (i % 8)))
            return false;
    return true;
}

int stack_net_parse(struct str s, struct stack_net *out, struct err *err)
{
    struct stack_net n = {0};
    struct str host = s;
    struct str prefix = STR_NONE;
    char text[64] = "";
    uint32_t bits = 0;

    (void)str_cut(s, '/', &host, &prefix); /* no '/': one address */
    if (host.n >= sizeof(text) || host.n == 0)
        return err_set(err, 0, "'%.*s' is no network as 10.0.0.0/8", STR_ARG(s));
    memcpy(text, host.p, host.n);
    n.family = memchr(text, ':', host.n) ? AF_INET6 : AF_INET;
    unsigned all = n.family == AF_INET ? 32 : 128;

    if (inet_pton(n.family, text, n.addr) != 1)
        return err_set(err, 0, "'%.*s' is no network as 10.0.0.0/8", STR_ARG(s));
    n.bits = all;
    if (prefix.p && num_parse_u32(prefix, 0, all, &bits, err) < 0)
        return err_wrap(err, "'%.*s'", STR_ARG(s));
    if (prefix.p)
        n.bits = bits;
    if (!bits_beyond_are_zero(n.addr, n.bits, all))
        return err_set(err, 0, "'%.*s' has bits beyond its prefix", STR_ARG(s));
    *out = n;
    return 0;
}

static const uint8_t *addr_bytes(const struct sockaddr_storage *a, int *family)
{
    const struct sockaddr_in *in4 = (const void *)a;
    const struct sockaddr_in6 *in6 = (const void *)a;

    *family = a->ss_family;
    if (a->ss_family == AF_INET)
        return (const uint8_t *)&in4->sin_addr;
    if (a->ss_family != AF_INET6)
        return NULL;
    if (!IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
        return in6->sin6_addr.s6_addr;
    *family = AF_INET;
    return in6->sin6_addr.s6_addr + 12;
}

bool stack_net_has(const struct stack_net *n, const struct sockaddr_storage *a)
{
    int family = 0;
    const uint8_t *p = addr_bytes(a, &family);

    if (!p || family != n->family)
        return false;
    for (unsigned i = 0; i < n->bits; i++)
        if ((p[i / 8] ^ n->addr[i / 8]) & (0x80U >> (i % 8)))
            return false;
    return true;
}

bool stack_nets_have(const struct stack_nets *n, const struct sockaddr_storage *a)
{
    for (size_t i = 0; i < n->n; i++)
        if (stack_net_has(&n->v[i], a))
            return true;
    return false;
}

static bool label_is_sound(struct str l)
{
    if (l.n == 0 || l.n > 63 || l.p[0] == '-' || l.p[l.n - 1] == '-')
        return false;
    for (size_t i = 0; i < l.n; i++)
        if (!ascii_is_alnum(l.p[i]) && l.p[i] != '-' && l.p[i] != '_')
            return false;
    return true;
}

int stack_domain_is_sound(struct str s, struct err *err)
{
    struct str rest = s;
    struct str label;

    if (s.n == 0 || s.n > 253 || s.p[s.n - 1] == '.')
        return err_set(err, 0, "'%.*s' is no domain name", STR_ARG(s));
    if (!str_is_ascii(s))
        return err_set(err, 0, "'%.*s' must be written in its ASCII form (xn--...)", STR_ARG(s));
    while (str_next(&rest, '.', &label))
        if (!label_is_sound(label))
            return err_set(err, 0, "'%.*s' is no domain name", STR_ARG(s));
    return 0;
}

int stack_address_split(struct str s, struct str *local, struct str *domain, struct err *err)
{
    struct str l;
    struct str d;

    if (s.n > STACK_ADDRESS_MAX || !str_rcut(s, '@', &l, &d) || l.n == 0 || l.n > 64)
        return err_set(err, 0, "'%.*s' is not an address like alice@example.org", STR_ARG(s));
    for (size_t i = 0; i < l.n; i++)
        if ((unsigned char)l.p[i] <= ' ' || l.p[i] == 0x7f || strchr("@<>(),;:\\\"[]/", l.p[i]))
            return err_set(err, 0, "'%.*s' has a character that an address here may not have",
                           STR_ARG(s));
    if (str_eq(l, STR(".")) || str_eq(l, STR("..")))
        return err_set(err, 0, "'%.*s' is no address", STR_ARG(s));
    if (stack_domain_is_sound(d, err) < 0)
        return err_wrap(err, "'%.*s'", STR_ARG(s));
    *local = l;
    *domain = d;
    return 0;
}
