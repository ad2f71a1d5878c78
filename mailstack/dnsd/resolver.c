/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/dnsd/resolver.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unbound-event.h>
#include <unbound.h>

#include "runtime/base/buf.h"
#include "runtime/base/dialmsg.h"
#include "runtime/base/err.h"
#include "runtime/base/loop.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"

#include "mailstack/dnsd/ub_loop.h"
#include "mailstack/lib/proto/dns_msg.h"

struct resolver {
    struct loop *loop;
    struct loop_call end;
    struct ub_event_base *base;
    struct ub_ctx *ctx;
    size_t waiting_n;
    bool over; /* free it when nothing waits any more */
};

struct waiting {
    struct resolver *r;
    resolver_fn *fn;
    void *ctx;
};

static int check(int code, struct err *err, const char *what, const char *name)
{
    if (code == 0)
        return 0;
    return err_set(err, 0, "%s '%s': %s", what, name, ub_strerror(code));
}

static int set(struct resolver *r, const char *option, const char *value, struct err *err)
{
    return check(ub_ctx_set_option(r->ctx, option, value), err, "set the resolver's", option);
}

/* What holds for every configuration. Limits are sized for the service's 4096 descriptors. */
static int set_always(struct resolver *r, struct err *err)
{
    static const char *const options[][2] = {
        {"username:", ""},
        {"outgoing-range:", "1024"},
        {"num-queries-per-thread:", "1024"},
        {"outgoing-num-tcp:", "64"},
        {"edns-buffer-size:", "1232"},
        {"harden-below-nxdomain:", "yes"},
        {"harden-dnssec-stripped:", "yes"},
        {"aggressive-nsec:", "yes"},
        {"qname-minimisation:", "yes"},
        {"unblock-lan-zones:", "yes"},  /* the table of dial policy decides, not names */
        {"insecure-lan-zones:", "yes"}, /* private reverse zones are never signed */
        {"do-not-query-localhost:", "no"},
        {"val-log-level:", "0"},
    };

    for (size_t i = 0; i < ARRAY_N(options); i++) {
        if (set(r, options[i][0], options[i][1], err) < 0)
            return -1;
    }
    return 0;
}

/* A third for messages, two thirds for the records they are made of. */
static int set_cache(struct resolver *r, uint64_t bytes, struct err *err)
{
    char messages[32];
    char records[32];

    (void)snprintf(messages, sizeof(messages), "%" PRIu64, bytes / 3); /* both fit */
    (void)snprintf(records, sizeof(records), "%" PRIu64, bytes - bytes / 3);
    if (set(r, "msg-cache-size:", messages, err) < 0 ||
        set(r, "rrset-cache-size:", records, err) < 0)
        return -1;
    return set(r, "key-cache-size:", messages, err);
}

/* "addr", "addr:port", "[v6]:port" to libunbound's "addr@port". */
static int forward(struct resolver *r, const char *server, struct err *err)
{
    own_buf struct buf text = BUF_INIT(128);
    struct sockaddr_storage a;
    struct err first = {0};
    struct str host;
    struct str port = STR("53");

    if (dialmsg_parse_addr(str_of(server), 53, &a, &first) == 0) {
        host = str_trim_set(str_of(server), "[]");
    } else {
        if (dialmsg_parse_endpoint(str_of(server), &a, err) < 0)
            return -1;
        (void)str_rcut(str_of(server), ':', &host, &port); /* it is one, so there is a ':' */
        host = str_trim_set(host, "[]");
    }
    buf_printf(&text, "%.*s@%.*s", STR_ARG(host), STR_ARG(port));
    return check(ub_ctx_set_fwd(r->ctx, buf_c(&text)), err, "forward to", server);
}

static int forward_to_all(struct resolver *r, const struct resolver_conf *conf, struct err *err)
{
    for (size_t i = 0; i < conf->servers_n; i++) {
        if (forward(r, conf->servers[i], err) < 0)
            return -1;
    }
    return 0;
}

static int configure(struct resolver *r, const struct resolver_conf *conf, struct err *err)
{
    if (set_always(r, err) < 0 || set_cache(r, conf->cache, err) < 0 ||
        forward_to_all(r, conf, err) < 0)
        return -1;
    if (!conf->dnssec)
        return set(r, "module-config:", "iterator", err);
    return check(ub_ctx_add_ta_file(r->ctx, conf->root_key), err, "read the root's key",
                 conf->root_key);
}

static void free_now(struct resolver *r)
{
    if (r->ctx)
        ub_ctx_delete(r->ctx);
    ub_loop_free(r->base);
    free(r);
}

static void on_end(struct loop_call *call)
{
    free_now(container_of(call, struct resolver, end));
}

void resolver_free(struct resolver *r)
{
    if (!r)
        return;
    r->over = true;
    if (r->waiting_n == 0)
        loop_defer(r->loop, &r->end);
}

/* libunbound looks at its whole configuration when it is first used: now. RFC 6761 lets a resolver
 * deny "test." by itself; whoever forwards to a server of his own means that one's answer. */
static int settle(struct resolver *r, const struct resolver_conf *conf, struct err *err)
{
    int code = conf->servers_n ? ub_ctx_zone_remove(r->ctx, "test.")
                               : ub_ctx_zone_add(r->ctx, "test.", "static");

    return check(code, err, "begin to resolve, with the root's key",
                 conf->dnssec ? conf->root_key : "(none)");
}

struct resolver *resolver_new(struct loop *l, const struct resolver_conf *conf, struct err *err)
{
    struct resolver *r = mem_type(struct resolver);

    r->loop = l;
    r->end.fn = on_end;
    r->base = ub_loop_new(l);
    r->ctx = ub_ctx_create_ub_event(r->base);
    if (!r->ctx)
        (void)err_set(err, ENOMEM, "make a resolver");
    else if (configure(r, conf, err) == 0 && settle(r, conf, err) == 0)
        return r;
    free_now(r);
    return NULL;
}

/* Not within libunbound's own callback: it is still at work there. */
static void done_waiting(struct waiting *w)
{
    struct resolver *r = w->r;

    free(w);
    if (--r->waiting_n == 0 && r->over)
        loop_defer(r->loop, &r->end);
}

/* NOLINTNEXTLINE(readability-function-size): its parameters are what libunbound hands over */
static void on_answer(void *arg, int rcode, void *packet, int packet_n, int sec, char *why_bogus,
                      int was_ratelimited)
{
    struct waiting *w = arg;
    struct resolver_answer a = {.rcode = rcode, .secure = sec == 2};

    (void)was_ratelimited; /* not configured */
    if (sec == 1) {
        a.rcode = DNS_MSG_SERVFAIL;
        a.why_bogus = why_bogus ? why_bogus : "bogus";
    } else if (rcode == 0 && packet && packet_n >= DNS_MSG_HEAD_N) {
        a.message = (struct str){packet, (size_t)packet_n};
    } else if (rcode == 0) {
        a.rcode = DNS_MSG_SERVFAIL;
    }
    w->fn(w->ctx, &a);
    done_waiting(w);
}

void resolver_ask(struct resolver *r, const struct resolver_question *q)
{
    struct waiting *w = mem_type(struct waiting);
    int id = 0;

    w->r = r;
    r->waiting_n++;
    w->fn = q->fn;
    w->ctx = q->ctx;
    if (ub_resolve_event(r->ctx, q->name, q->type, DNS_MSG_CLASS_IN, w, on_answer, &id) == 0)
        return;
    w->fn(w->ctx, &(struct resolver_answer){.rcode = DNS_MSG_SERVFAIL});
    done_waiting(w);
}
