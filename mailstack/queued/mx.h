/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mx - from a route to the addresses to try, in their order, through dnsd
 *
 * MX records by preference, equal ones in random order (RFC 5321 section 5.1); no MX: the domain
 * itself; a null MX (RFC 7505) is a refusal. Where our own name is among the hosts, it and
 * everything not better is left out: mail must not circle. IPv6 addresses of a host come before
 * IPv4 ones.
 *
 * Lifetime:  embedded in its owner; mx_cancel before its memory goes, mx_done frees the targets.
 *            The callback comes from the loop, or from within mx_start where nothing is asked.
 * Limits:    MX_HOSTS_MAX hosts, MX_TARGETS_MAX addresses; the rest are not tried.
 * Tests:     tests/unit/mailstack/queued/test_mx.c
 */
#ifndef MR_QUEUED_MX_H
#define MR_QUEUED_MX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "runtime/base/attr.h"
#include "runtime/base/err.h"

#include "mailstack/lib/net/dns_client.h"
#include "mailstack/queued/route.h"

struct conf;

#define MX_HOSTS_MAX   10
#define MX_TARGETS_MAX 20
#define MX_PER_HOST    4 /* addresses of one host and family */

enum mx_result {
    MX_OK,
    MX_TEMP, /* status and why are set */
    MX_PERM,
};

struct mx_target {
    const char *host; /* looks into the lookup; "" for an address literal */
    struct sockaddr_storage addr;
};

struct mx_host {
    char name[ROUTE_HOST_MAX + 1];
    uint16_t preference;

    struct mx_ask {
        struct dns_question q;
        struct mx *mx;
        enum dns_status status;
        unsigned addrs_n;
        unsigned char addrs[MX_PER_HOST][16];
    } asks[2]; /* AAAA, A */
};

struct mx {
    void (*fn)(struct mx *m, enum mx_result result);
    struct dns_client *dns;  /* NULL: nothing can be looked up */
    const struct conf *conf; /* for our own name */
    const char *status;      /* of a failure, "5.1.10" */
    char why[ERR_TEXT_MAX];
    uint16_t port;
    bool is_implicit; /* the domain itself */
    bool is_given;    /* the host stands in the configuration: its lack bounces no mail */
    char domain[ROUTE_HOST_MAX + 1];
    struct mx_ask first; /* for the MX records */
    struct mx_host *hosts;
    size_t hosts_n;
    size_t waiting_n;
    struct mx_target targets[MX_TARGETS_MAX];
    size_t targets_n;
};

/* fn, dns and conf are set by the owner. */
void mx_start(struct mx *m, const struct route *r);
void mx_cancel(struct mx *m);
void mx_done(struct mx *m);

#endif
