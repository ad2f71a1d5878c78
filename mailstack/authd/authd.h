/* SPDX-License-Identifier: Apache-2.0 */
/*
 * authd - what the parts of authd share: the directory in force, the password workers, the
 * listeners
 *
 * One event loop answers look-ups; password hashes, slow by design, are computed by worker
 * processes. A reload puts a new directory in place of the old one between two questions, so an
 * answer never looks into both.
 */
#ifndef MR_AUTHD_AUTHD_H
#define MR_AUTHD_AUTHD_H

#include <stdint.h>

#include "runtime/base/list.h"
#include "runtime/base/loop.h"

#include "mailstack/lib/auth/directory.h"

struct arena;
struct conn_ops;
struct counter;
struct err;
struct pool;
struct workers;

#define AUTHD_MEMORY_MAX   (512u << 20) /* the directory of the largest accounts file */
#define AUTHD_QUESTION_MAX (4u << 20)   /* memory of one look-up */
#define AUTHD_CLIENTS_MAX  1024         /* connections: workers of smtpd and frontd, and others' */

struct authd {
    struct loop *loop;
    struct arena *memory; /* holds the directory */
    struct directory dir;
    char *accounts_path;
    unsigned workers_n;
    struct pool *pool;
    struct workers *workers;
    struct list listeners;
    size_t clients_n;
    uint64_t next_cuid;
    struct counter *logins;
    struct counter *failures;
    struct counter *lookups;
};

/* A connection was accepted on the socket of that kind. fd becomes theirs. */
int serve_auth_accept(struct authd *a, int fd, struct err *err);
int serve_map_accept(struct authd *a, int fd, struct err *err);

#endif
