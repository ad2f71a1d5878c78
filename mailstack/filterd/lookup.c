/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/filterd/lookup.h"

#include "runtime/base/arena.h"
#include "runtime/base/clock.h"

static const struct dns_answer failure = {.status = DNS_TEMP};

void lookup_init(struct lookup *l, struct arena *a)
{
    *l = (struct lookup){.arena = a};
    list_init(&l->entries);
}

static struct lookup_entry *find(struct lookup *l, struct str name, enum dns_type type)
{
    list_for_each (it, next, &l->entries) {
        struct lookup_entry *e = list_of(it, struct lookup_entry, node);

        if (e->type == type && str_ieq(e->name, name))
            return e;
    }
    return NULL;
}

static void on_answer(struct dns_question *q, const struct dns_answer *a)
{
    struct lookup_entry *e = container_of(q, struct lookup_entry, question);
    struct lookup *l = e->all;

    l->waiting_n--;
    lookup_answer(e, a);
    l->answered(l);
}

static struct lookup_entry *note(struct lookup *l, struct str name, enum dns_type type)
{
    struct lookup_entry *e = arena_alloc(l->arena, sizeof(*e));
    char *text = arena_copy(l->arena, name);

    if (e == NULL || text == NULL)
        return NULL;
    for (size_t i = 0; i < name.n; i++)
        text[i] = ascii_lower(text[i]);
    *e = (struct lookup_entry){
        .all = l, .name = {text, name.n}, .type = type, .question = {.fn = on_answer}};
    list_add_tail(&l->entries, &e->node);
    l->n++;
    return e;
}

const struct dns_answer *lookup_get(struct lookup *l, struct str name, enum dns_type type)
{
    struct lookup_entry *e;

    if (str_ends(name, STR(".")))
        name.n--;
    e = find(l, name, type);
    if (e == NULL && (l->n >= LOOKUP_MAX || (e = note(l, name, type)) == NULL))
        return &failure;
    return e->known ? &e->answer : NULL;
}

/* A copy, as the answer lives only until the callback returns; whole or not at all. */
static bool copy(struct arena *a, const struct dns_answer *from, struct dns_answer *to)
{
    struct dns_record *records = arena_array(a, from->records_n, sizeof(*records));

    if (records == NULL)
        return false;
    for (size_t i = 0; i < from->records_n; i++) {
        records[i] = from->records[i];
        records[i].text = arena_str(a, from->records[i].text);
        if (records[i].text.p == NULL)
            return false;
    }
    *to = *from;
    to->records = records;
    return true;
}

void lookup_answer(struct lookup_entry *e, const struct dns_answer *a)
{
    if (!copy(e->all->arena, a, &e->answer))
        e->answer = failure;
    e->known = true;
}

struct lookup_entry *lookup_wanted(struct lookup *l)
{
    list_for_each (it, next, &l->entries) {
        struct lookup_entry *e = list_of(it, struct lookup_entry, node);

        if (!e->known && e->question.client == NULL)
            return e;
    }
    return NULL;
}

void lookup_send(struct lookup *l, struct dns_client *c, uint64_t deadline_ms)
{
    uint64_t now = clock_now_ms();
    uint64_t left = deadline_ms > now ? deadline_ms - now : 1;
    struct lookup_entry *e;

    while ((e = lookup_wanted(l)) != NULL) {
        l->waiting_n++;
        dns_client_ask(c, &e->question, e->name, e->type, (uint32_t)left);
    }
}

void lookup_cancel(struct lookup *l)
{
    list_for_each (it, next, &l->entries)
        dns_client_cancel(&list_of(it, struct lookup_entry, node)->question);
}
