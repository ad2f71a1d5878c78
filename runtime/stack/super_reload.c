/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reload: a new generation is made beside the present one; as long as anything in it can fail, the
 * present one stays in force untouched. Then the difference is carried out service by service.
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"
#include "runtime/stack/files.h"
#include "runtime/stack/keys.h"
#include "runtime/stack/place.h"
#include "runtime/stack/super.h"

/* What a running stack cannot change: its data would have to move. */
static int check_fixed(const struct stack_config *was, const struct stack_config *now,
                       struct err *err)
{
    if (strcmp(was->storage, now->storage) != 0)
        return err_set(err, 0, "\"storage\" changes only with down and up");
    if (was->ids_base != now->ids_base)
        return err_set(err, 0, "\"ids.base\" changes only with down and up");
    return 0;
}

static bool same_sa(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

static bool same_network(const struct stack_dns *a, const struct stack_dns *b)
{
    if (a->mode != b->mode || a->servers.n != b->servers.n || a->network_set != b->network_set ||
        memcmp(a->network.addr, b->network.addr, sizeof(a->network.addr)) != 0)
        return false;
    for (size_t i = 0; i < a->servers.n; i++)
        if (!same_sa(&a->server_sa[i], &b->server_sa[i]))
            return false;
    return true;
}

/* The network of dnsd is part of what its container is: changed, the service starts anew. */
static int change_network(struct super *s, struct gen *now, bool *changed, struct err *err)
{
    *changed = !same_network(&s->gen->config->dns, &now->config->dns);
    if (!*changed)
        return 0;
    if (s->dnsnet.up && dnsnet_down(&s->dnsnet, err) < 0)
        return -1;
    return super_network(s, now, err);
}

static void note_reload(struct super *s, struct buf *answer, const char *what, const char *name)
{
    buf_printf(answer, "%s %s\n", what, name);
    logs_say(&s->logs, LOG_LEVEL_INFO, "stack.reload", LOG_S("service", name), LOG_S("how", what));
}

static int apply_one(struct super *s, const struct gen *was, size_t i, bool network,
                     struct buf *answer, struct err *err)
{
    struct service *v = &s->v[i];
    const struct svc *svc = &s->gen->table.v[i];
    enum gen_difference d = gen_compare(was, s->gen, svc);

    v->svc = svc;
    /* First, and whatever fails below: the old policy dies with the old generation. */
    dialpolicy_make(s->gen->a, s->gen->config, svc, &v->dial.policy);
    if (!s->gen->v[i].wanted) {
        if (was->v[i].wanted)
            note_reload(s, answer, "stopped", svc->name);
        return 0;
    }
    if (place_service(s->gen, s->run->layout, svc, err) < 0 || service_open(v, err) < 0)
        return -1;
    if (!was->v[i].wanted) {
        note_reload(s, answer, "started", svc->name);
    } else if (d == GEN_RESTART || (network && svc->dns_network)) {
        note_reload(s, answer, "restarted", svc->name);
        unit_event(&v->unit, UNIT_RESTART);
    } else if (d == GEN_RELOAD) {
        note_reload(s, answer, "reloaded", svc->name);
        service_hup(v);
    }
    return 0;
}

static int apply(struct super *s, struct gen *was, bool network, struct buf *answer,
                 struct err *err)
{
    int rc = 0;

    s->logs.size_max = s->gen->config->log.size;
    s->logs.keep = s->gen->config->log.keep;
    for (size_t i = 0; i < SVC_N; i++)
        if (apply_one(s, was, i, network, answer, err) < 0)
            rc = -1; /* the others all the same */
    if (strcmp(was->config->accounts_file, s->gen->config->accounts_file) != 0) {
        watch_close(&s->watch);
        if (watch_open(&s->watch, s->loop, s->gen->config->accounts_file, err) < 0)
            rc = -1;
    }
    return rc;
}

/* The network comes last: it cannot be had twice, and so it cannot be made beside the present one.
 */
static int prepare_next(struct super *s, struct gen *now, struct listen *next, bool *network,
                        struct err *err)
{
    struct gen_render r = {.l = s->run->layout,
                           .images = s->run->images,
                           .host_network = !s->dnsnet.up,
                           .files_max = files_ceiling()};
    bool was_up = s->dnsnet.up;

    if (check_fixed(s->gen->config, now->config, err) < 0 || keys_make(now->config, err) < 0 ||
        listen_prepare(&s->listen, now->config, next, err) < 0)
        return -1;
    if (gen_render(now, &r, err) < 0 || change_network(s, now, network, err) < 0) {
        listen_abandon(&s->listen, next);
        return -1;
    }
    r.host_network = !s->dnsnet.up;
    if (s->dnsnet.up == was_up ||
        gen_render_bundle(now, &r, svc_get(&now->table, "dnsd"), err) == 0)
        return 0;
    listen_abandon(&s->listen, next);
    return -1;
}

/* The present generation's network again, and a dnsd that is in it. */
static void restore_network(struct super *s)
{
    struct err err = {0};

    if ((s->dnsnet.up && dnsnet_down(&s->dnsnet, &err) < 0) || super_network(s, s->gen, &err) < 0)
        logs_say(&s->logs, LOG_LEVEL_WARN, "dns.network", LOG_S("error", err.text));
    unit_event(&s->v[svc_get(&s->gen->table, "dnsd")->index].unit, UNIT_RESTART);
}

static void fail(struct buf *answer, const char *text)
{
    buf_reset(answer);
    buf_printf(answer, "error %s\n", text);
}

void super_reload(struct super *s, struct buf *answer)
{
    own_buf struct buf report = BUF_INIT(STACK_REPORT_MAX);
    struct gen *was = s->gen;
    struct gen *now;
    struct listen next;
    struct err err = {0};
    bool network = false;

    if (s->phase != SUPER_RUNNING) {
        fail(answer, "the stack is not running");
        return;
    }
    now = gen_load(s->run->layout->file, &report);
    if (!now) {
        struct str first = buf_str(&report);
        struct str rest;

        (void)str_cut(first, '\n', &first, &rest); /* the client has checked and shown all */
        buf_printf(answer, "error %.*s\n", STR_ARG(first));
        return;
    }
    if (prepare_next(s, now, &next, &network, &err) < 0) {
        if (network)
            restore_network(s);
        logs_say(&s->logs, LOG_LEVEL_WARN, "stack.reload", LOG_S("error", err.text));
        fail(answer, err.text);
        gen_free(now);
        return;
    }
    listen_commit(&s->listen, &next);
    s->gen = now;
    s->env.gen = now;
    buf_append_c(answer, "ok\n");
    if (apply(s, was, network, answer, &err) < 0)
        fail(answer, err.text);
    gen_free(was);
    super_step_soon(s);
}

/* --- the accounts file ---------------------------------------------------------------------------
 */

/* In an arena of its own, which goes with the change: accounts may change a thousand times in the
 * life of a generation. */
static int put_accounts(struct super *s, const struct svc *authd, struct arena *a, struct err *err)
{
    struct rendered *files = &s->gen->v[authd->index].files;
    struct rendered kept = *files;
    int rc = render_all(a, s->gen->config, &s->gen->table, authd, files, err);

    if (rc == 0)
        rc = place_conf(s->gen, s->run->layout, authd, err);
    *files = kept;
    return rc;
}

static void replace_accounts(struct super *s, struct arena *a, struct err *err)
{
    const struct svc *authd = svc_get(&s->gen->table, "authd");
    struct service *v = &s->v[authd->index];

    if (put_accounts(s, authd, a, err) < 0) {
        logs_say(&s->logs, LOG_LEVEL_WARN, "accounts.reload", LOG_S("error", err->text));
        return;
    }
    logs_say(&s->logs, LOG_LEVEL_INFO, "accounts.reload");
    service_hup(v);
}

/* A file that is wrong changes nothing: authd keeps what it has. */
void super_accounts_changed(struct super *s)
{
    own_buf struct buf report = BUF_INIT(STACK_REPORT_MAX);
    struct arena *a;
    struct stack_accounts accounts = {0};
    struct err err = {0};
    struct str first;
    struct str rest;

    if (s->phase == SUPER_STOPPING)
        return;
    a = arena_new(STACK_ARENA_MAX);
    if (stack_load_accounts(a, s->gen->config, &accounts, &report) == 0) {
        replace_accounts(s, a, &err);
    } else {
        first = buf_str(&report);
        (void)str_cut(first, '\n', &first, &rest); /* one line is enough for the log */
        logs_say(&s->logs, LOG_LEVEL_WARN, "accounts.reload", LOG_STR("error", first));
    }
    arena_free(a);
}
