/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dnsd - a validating, caching resolver for the other services (dnsd(8))
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/counter.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/jv.h"
#include "runtime/base/log.h"
#include "runtime/base/loop.h"
#include "runtime/base/mem.h"

#include "mailstack/dnsd/client.h"
#include "mailstack/dnsd/resolver.h"
#include "mailstack/lib/daemon/daemon.h"
#include "mailstack/lib/daemon/given.h"

#define ACCEPT_MAX    16 /* per turn and listener */
#define LISTENERS_MAX 8
#define CACHE_DEFAULT (16u << 20)
#define CACHE_MAX     (4ull << 30)

struct listener {
    struct loop_io io;
    struct state *state;
};

struct state {
    struct dnsd d;
    struct resolver_conf conf;
    struct listener listeners[LISTENERS_MAX];
    size_t listeners_n;
};

/* --- configuration ---------------------------------------------------------------------------- */

static void conf_done(struct resolver_conf *c)
{
    for (size_t i = 0; i < c->servers_n; i++)
        free(c->servers[i]);
    free(c->root_key);
    *c = (struct resolver_conf){0};
}

static int take_servers(const struct jv *conf, struct resolver_conf *c, struct err *err)
{
    struct jv list;

    if (jv_opt_array(conf, "servers", &list, err) < 0)
        return -1;
    if (jv_n(&list) > RESOLVER_SERVERS_MAX)
        return jv_err(&list, err, "more than %d servers", RESOLVER_SERVERS_MAX);
    for (size_t i = 0; i < jv_n(&list); i++) {
        struct jv e = jv_elem(&list, i);
        struct str s;

        if (jv_as_str(&e, &s, err) < 0)
            return -1;
        c->servers[i] = str_dup_c(s, err);
        if (!c->servers[i])
            return -1;
        c->servers_n++;
    }
    return 0;
}

static int take_conf(const struct jv *conf, struct resolver_conf *c, struct err *err)
{
    static const char *const keys[] = {"hostname", "log_level", "listen", "servers",
                                       "dnssec",   "root_key",  "cache",  NULL};
    struct str key;

    if (jv_is_object(conf, err) < 0 || jv_only(conf, keys, err) < 0 ||
        take_servers(conf, c, err) < 0 || jv_opt_bool(conf, "dnssec", true, &c->dnssec, err) < 0 ||
        jv_opt_str(conf, "root_key", STR("/etc/root.key"), &key, err) < 0 ||
        jv_opt_size(conf, "cache", CACHE_MAX, CACHE_DEFAULT, &c->cache, err) < 0)
        return -1;
    c->root_key = str_dup_c(key, err);
    return c->root_key ? 0 : -1;
}

static int load(struct daemon *d, const struct jv *conf, struct err *err)
{
    struct resolver_conf made = {0};
    struct state *s = d->ctx;

    if (take_conf(conf, &made, err) < 0) {
        conf_done(&made);
        return -1;
    }
    if (!s) {
        s = mem_type(struct state);
        list_init(&s->d.clients);
        d->ctx = s;
    }
    conf_done(&s->conf);
    s->conf = made;
    return 0;
}

/* --- serving ---------------------------------------------------------------------------------- */

static void on_connection(struct loop_io *io, unsigned events)
{
    struct state *s = container_of(io, struct listener, io)->state;
    struct err err = {0};

    (void)events;
    for (int i = 0; i < ACCEPT_MAX; i++) {
        int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd < 0)
            return;
        if (s->d.clients_n >= CLIENTS_MAX) {
            log_warn("dns.accept", LOG_S("error", "too many connections"));
            (void)close(fd); /* Linux closes even on an error */
        } else if (client_accept(&s->d, fd, &err) < 0) {
            log_warn("dns.accept", LOG_S("error", err.text));
        }
    }
}

static int listen_on_all(struct daemon *d, struct err *err)
{
    struct state *s = d->ctx;
    int fd;

    while (s->listeners_n < LISTENERS_MAX &&
           (fd = given_fd(d->given, "dns", s->listeners_n)) >= 0) {
        struct listener *l = &s->listeners[s->listeners_n++];

        *l = (struct listener){.io = {.fn = on_connection}, .state = s};
        if (fd_set_nonblock(fd, true, err) < 0 ||
            loop_io_add(d->loop, &l->io, fd, LOOP_READ, err) < 0)
            return -1;
    }
    return s->listeners_n ? 0
                          : err_set(err, 0, "no socket 'dns' was given, and \"listen\" names none");
}

static int start(struct daemon *d, struct err *err)
{
    struct state *s = d->ctx;

    s->d.loop = d->loop;
    s->d.questions = counter_get(d->counters, "dns_questions_total");
    s->d.secure = counter_get(d->counters, "dns_secure_answers_total");
    s->d.failures = counter_get(d->counters, "dns_failures_total");
    s->d.bogus = counter_get(d->counters, "dns_bogus_answers_total");
    s->d.resolver = resolver_new(d->loop, &s->conf, err);
    return s->d.resolver ? listen_on_all(d, err) : -1;
}

/* A new resolver, with an empty cache, for new questions; the old one answers what is under way. */
static void reload(struct daemon *d)
{
    struct state *s = d->ctx;
    struct err err = {0};
    struct resolver *r = resolver_new(d->loop, &s->conf, &err);

    if (!r) {
        log_warn("dns.reload", LOG_S("result", "the old resolver stays"), LOG_S("error", err.text));
        return;
    }
    resolver_free(s->d.resolver);
    s->d.resolver = r;
}

int main(int argc, char **argv)
{
    static const char *const descriptors[] = {"dns", NULL};
    static const struct daemon_ops ops = {
        .name = "dnsd",
        .what = "resolves names, validates and caches them for the other services",
        .descriptors = descriptors,
        .load = load,
        .start = start,
        .reload = reload,
    };

    return daemon_main(argc, argv, &ops);
}
