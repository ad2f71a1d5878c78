/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys - what the configurations of several daemons have in common, read from their JSON
 *
 * Errors:    with the JSON path of what is wrong.
 * Tests:     tests/unit/mailstack/lib/daemon/test_keys.c
 */
#ifndef MR_DAEMON_KEYS_H
#define MR_DAEMON_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/jv.h"

#include "mailstack/lib/net/cidr.h"

struct err;

/* A text that must be there; *out is the caller's to free. */
must_check int keys_text(const struct jv *at, const char *key, char **out, struct err *err);
/* One that may be absent: *out is left alone then. */
must_check int keys_opt_text(const struct jv *at, const char *key, char **out, struct err *err);
/* "format" of the mailboxes: "maildir", if it is there. */
must_check int keys_format(const struct jv *at, struct err *err);
/* "plaintext_login": at most `max` networks into out, *n of them. */
must_check int keys_networks(const struct jv *at, struct cidr *out, size_t max, size_t *n,
                             struct err *err);

struct keys_limits { /* of a daemon that clients connect to */
    unsigned workers;
    size_t connections;        /* at a time, of all workers together */
    size_t connections_per_ip; /* of them, from one address (see mailstack/lib/net/peers.h) */
    uint64_t seconds;
};

#define KEYS_WORKERS_MAX     64
#define KEYS_CONNECTIONS_MAX 100000
#define KEYS_PER_IP_MAX      50000

/* "limits", if it is there; *l holds the defaults before. time_key is what it calls `seconds`,
 * which are at most time_max. */
must_check int keys_limits(const struct jv *at, const char *time_key, uint64_t time_max,
                           struct keys_limits *l, struct err *err);

#endif
