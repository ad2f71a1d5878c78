/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/spec/stack_names.h"

#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/map.h"
#include "runtime/base/own.h"
#include "runtime/spec/stack.h"

#define ADDRESS_MAX 1024

void stack_names_init(struct stack_names *n, struct arena *a, const struct stack_config *c)
{
    *n = (struct stack_names){.of = map_new(), .a = a, .c = c};
}

void stack_names_done(struct stack_names *n)
{
    map_free(n->of);
    n->of = NULL;
}

static void lower_into(struct buf *b, struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        buf_append_char(b, ascii_lower(s.p[i]));
}

struct stack_name *stack_names_get(const struct stack_names *n, struct str address)
{
    own_buf struct buf key = BUF_INIT(ADDRESS_MAX);

    lower_into(&key, address);
    return key.failed ? NULL : map_get(n->of, buf_str(&key));
}

const struct stack_name *stack_names_put(struct stack_names *n, const struct stack_name *name)
{
    own_buf struct buf key = BUF_INIT(ADDRESS_MAX);
    struct stack_name *was;

    lower_into(&key, str_of(name->address));
    if (key.failed)
        return NULL; /* too long for an address: that was said already */
    was = map_get(n->of, buf_str(&key));
    if (was)
        return was;
    was = arena_alloc(n->a, sizeof(*was));
    *was = *name;
    (void)map_put(n->of, buf_str(&key), was); /* there was none */
    return NULL;
}

/* The name itself, or the one without its subaddress. */
static struct stack_name *at_home(const struct stack_names *n, struct str whole, struct str local,
                                  const struct stack_domain *in)
{
    own_buf struct buf plain = BUF_INIT(ADDRESS_MAX);
    const char *separator = n->c->mailbox.subaddress;
    struct stack_name *name = stack_names_get(n, whole);
    ptrdiff_t at = separator && separator[0] ? str_find(local, separator[0]) : -1;

    if (name || at <= 0)
        return name;
    buf_printf(&plain, "%.*s@%s", (int)at, local.p, in->name);
    return stack_names_get(n, buf_str(&plain));
}

int stack_names_find(const struct stack_names *n, const struct stack_domain *d, const char *target,
                     const struct stack_domain **in, struct stack_name **out, struct err *err)
{
    own_buf struct buf whole = BUF_INIT(ADDRESS_MAX);
    struct str local;
    struct str domain;

    *out = NULL;
    buf_append_c(&whole, target);
    if (!strchr(target, '@') && d)
        buf_printf(&whole, "@%s", d->name);
    if (stack_address_split(buf_str(&whole), &local, &domain, err) < 0)
        return -1;
    *in = stack_domain_get(n->c, domain);
    if (*in)
        *out = at_home(n, buf_str(&whole), local, *in);
    return 0;
}

int stack_names_target(const struct stack_names *n, const struct stack_domain *d,
                       const char *target, struct stack_name **out, struct err *err)
{
    const struct stack_domain *in;
    const struct stack_domain *unused;

    if (stack_names_find(n, d, target, &in, out, err) < 0)
        return -1;
    if (!in || *out)
        return 0;
    if (in->catch_all) /* what is wrong with that one is said where it stands */
        return stack_names_find(n, in, in->catch_all, &unused, out, err);
    return err_set(err, 0, "'%s' is neither an account nor an alias nor a list of '%s'", target,
                   in->name);
}

/* The next name that mail to `name` goes to, or NULL after the last. */
static struct stack_name *follow(const struct stack_names *n, struct stack_name *name)
{
    while (name->to && name->next < name->to->n) {
        struct err ignored = {0};
        struct stack_name *to;

        if (stack_names_target(n, name->d, name->to->v[name->next++], &to, &ignored) == 0 && to &&
            !to->done)
            return to;
    }
    return NULL;
}

static void write_way(struct stack_name *const *way, size_t depth, const struct stack_name *back,
                      struct buf *out)
{
    size_t i = 0;

    while (way[i] != back)
        i++;
    for (; i < depth; i++)
        buf_printf(out, "%s -> ", way[i]->address);
    buf_append_c(out, back->address);
}

bool stack_names_loop(struct stack_names *n, struct stack_name *start, struct buf *way)
{
    struct stack_name **on;
    size_t depth = 0;
    bool found = false;

    if (start->done)
        return false;
    if (!n->way)
        n->way = arena_array(n->a, map_n(n->of) + 1, sizeof(struct stack_name *));
    on = n->way;
    start->open = true;
    on[depth++] = start;
    while (depth) {
        struct stack_name *last = on[depth - 1];
        struct stack_name *to = follow(n, last);

        if (!to) {
            last->open = false;
            last->done = true;
            depth--;
        } else if (!to->open) {
            to->open = true;
            on[depth++] = to;
        } else if (!found) { /* one is enough to know */
            found = true;
            write_way(on, depth, to, way);
        }
    }
    return found;
}
