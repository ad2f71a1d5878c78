/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf - queued's configuration (specs/README.md, queued(8))
 *
 * Tests:     tests/unit/mailstack/queued/test_conf.c
 */
#ifndef MR_QUEUED_CONF_H
#define MR_QUEUED_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/jv.h"

struct err;

/* What mailstack.json lets through; sched.h has its own limit of connections. */
#define CONF_COUNT_MAX 1000000
#define CONF_TIME_MAX  (10 * INT64_C(365) * 86400)

struct conf_host {
    char *domain; /* of a route, "*" for every other; NULL for the relay */
    char *host;   /* a name or a numeric address */
    uint16_t port;
};

struct conf {
    char *hostname;
    char *spool;
    char **domains;
    size_t domains_n;
    struct conf_host *routes;
    size_t routes_n;
    struct conf_host relay; /* host NULL: none */
    char *user;             /* of the relay, or NULL */
    char *password;
    char *ca; /* certificate authorities that the relay's certificate is checked with, or NULL */
    uint16_t port;
    int64_t first_s;
    int64_t max_s;
    int64_t give_up_s;
    unsigned senders;
    unsigned per_domain;
    char *dns;  /* NULL: names cannot be looked up */
    char *lmtp; /* NULL: nobody takes local mail */
};

must_check int conf_load(struct conf *c, const struct jv *at, struct err *err);
void conf_done(struct conf *c);
bool conf_is_ours(const struct conf *c, struct str domain);

#endif
