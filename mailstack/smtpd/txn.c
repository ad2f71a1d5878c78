/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/smtpd/txn.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/map.h"
#include "runtime/base/mem.h"

#include "mailstack/smtpd/conf.h"
#include "mailstack/smtpd/smtpd.h"

#define FIRST_CAP 8

/* Microseconds and the worker's number: unique as long as the clock is not set back. */
static void make_id(struct txn *t)
{
    struct smtpd *d = t->d;
    int64_t now_us = clock_wall_us();

    d->last_id_us = now_us > d->last_id_us ? now_us : d->last_id_us + 1;
    (void)snprintf(t->id, sizeof(t->id), "%013" PRIx64 "%02x", (uint64_t)d->last_id_us,
                   d->number & 0xff);
}

struct txn *txn_new(struct smtpd *d, struct session *s, const struct smtp_mail *m)
{
    struct txn *t = mem_type(struct txn);

    t->d = d;
    t->session = s;
    t->arena = arena_new(TXN_MEMORY_MAX);
    make_id(t);
    t->from = arena_str(t->arena, smtp_path_str(&m->from));
    t->envid = arena_str(t->arena, m->envid);
    t->is_8bit = m->is_8bit;
    t->is_utf8 = m->is_utf8;
    t->ret = m->ret;
    t->announced = m->size;
    spool_init(&t->spool, d->conf->scratch);
    spool_init(&t->new_body, d->conf->scratch);
    d->txns_n++;
    return t;
}

void txn_free(struct txn *t)
{
    if (!t)
        return;
    author_cancel(&t->author);
    filter_cancel(&t->filter);
    lmtp_cancel(&t->local);
    lmtp_cancel(&t->queue);
    spool_done(&t->spool);
    spool_done(&t->new_body);
    map_free(t->known);
    arena_free(t->arena);
    t->d->txns_n--;
    smtpd_check_end(t->d);
    free(t);
}

/* Room for one more of *n elements; the new place in the arena, the old one is left to it. */
static void *room(struct txn *t, void *old, size_t n, size_t *cap, size_t each)
{
    size_t more = *cap ? *cap * 2 : FIRST_CAP;
    void *p;

    if (n < *cap)
        return old;
    p = arena_array(t->arena, more, each);
    if (!p)
        return NULL;
    if (n)
        memcpy(p, old, n * each);
    *cap = more;
    return p;
}

static int too_many(struct err *err)
{
    return err_set(err, EMSGSIZE, "too many recipients");
}

static void remember(struct txn *t, struct str address)
{
    if (t->known || t->targets_n < TXN_FEW) {
        if (t->known)
            (void)map_put(t->known, address, t); /* the value means nothing */
        return;
    }
    t->known = map_new();
    for (size_t i = 0; i < t->targets_n; i++)
        (void)map_put(t->known, t->targets[i].address, t);
}

static bool is_known(const struct txn *t, struct str address)
{
    if (t->known)
        return map_get(t->known, address) != NULL;
    for (size_t i = 0; i < t->targets_n; i++) {
        if (str_eq(t->targets[i].address, address))
            return true;
    }
    return false;
}

static int add_target(struct txn *t, const struct auth_target *from, bool is_local, struct err *err)
{
    struct txn_target *at;
    struct str address;

    if (is_known(t, from->address))
        return 0;
    at = room(t, t->targets, t->targets_n, &t->targets_cap, sizeof(*at));
    address = arena_str(t->arena, from->address);
    if (!at || !address.p || t->targets_n >= TXN_TARGETS_MAX)
        return too_many(err);
    t->targets = at;
    at[t->targets_n++] = (struct txn_target){
        .address = address,
        .is_local = is_local,
        .quota = from->local && from->quota ? from->quota : LMTP_NO_QUOTA,
        .rcpt = t->rcpts_n,
    };
    if (is_local)
        t->local_n++;
    else
        t->remote_n++;
    remember(t, address);
    return 0;
}

static void forget_targets(struct txn *t, size_t keep)
{
    while (t->targets_n > keep) {
        const struct txn_target *last = &t->targets[--t->targets_n];

        if (last->is_local)
            t->local_n--;
        else
            t->remote_n--;
        if (t->known)
            (void)map_del(t->known, last->address); /* its value means nothing */
    }
}

/* Of an address that leads to several nobody hears which they are. */
static unsigned notify_of(unsigned notify, size_t targets_n)
{
    if (targets_n < 2 || !(notify & SMTP_NOTIFY_SUCCESS))
        return notify;
    notify &= ~(unsigned)SMTP_NOTIFY_SUCCESS;
    return notify ? notify : SMTP_NOTIFY_NEVER;
}

int txn_add(struct txn *t, const struct smtp_rcpt *r, const struct auth_target *targets, size_t n,
            struct err *err)
{
    struct txn_rcpt *at = room(t, t->rcpts, t->rcpts_n, &t->rcpts_cap, sizeof(*at));
    struct txn_rcpt new = {
        .address = arena_str(t->arena, smtp_path_str(&r->to)),
        .notify = notify_of(r->notify, n),
        .orcpt = arena_str(t->arena, r->orcpt),
    };

    if (!at || !new.address.p || !new.orcpt.p)
        return too_many(err);
    t->rcpts = at;
    size_t before = t->targets_n;
    bool reported = t->d->queue && (new.notify &SMTP_NOTIFY_SUCCESS);

    for (size_t i = 0; i < n; i++) {
        if (add_target(t, &targets[i], targets[i].local && !reported, err) < 0) {
            forget_targets(t, before);
            return -1;
        }
    }
    at[t->rcpts_n++] = new;
    return 0;
}
