/* SPDX-License-Identifier: Apache-2.0 */
/*
 * txn - one mail transaction: envelope, content, and where it goes
 *
 * Begun by MAIL; RCPT adds recipients, each of which leads to one or more targets (a mailbox here,
 * an address elsewhere); DATA or BDAT fill the spool. deliver.h takes it from there. Two recipients
 * that lead to the same target give it one copy. A mailbox here of whose delivery the sender wants
 * to hear (NOTIFY=SUCCESS) is queued's matter: it delivers, and reports.
 *
 * Memory:    an arena that dies with it; TXN_MEMORY_MAX.
 * Limits:    TXN_TARGETS_MAX targets; recipients as configured.
 * Lifetime:  owned by its session until deliver_begin, then by itself.
 * Tests:     tests/unit/mailstack/smtpd/test_txn.c
 */
#ifndef MR_SMTPD_TXN_H
#define MR_SMTPD_TXN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

#include "mailstack/lib/auth/client.h"
#include "mailstack/lib/proto/smtp_param.h"
#include "mailstack/smtpd/author.h"
#include "mailstack/smtpd/fields.h"
#include "mailstack/smtpd/filter.h"
#include "mailstack/smtpd/lmtp.h"
#include "mailstack/smtpd/spool.h"

struct arena;
struct err;
struct map;
struct session;
struct smtpd;

#define TXN_ID_N        15
#define TXN_FEW         16 /* targets that are looked through one by one */
#define TXN_MEMORY_MAX  (32u << 20)
#define TXN_TARGETS_MAX 5000

struct txn_rcpt {
    struct str address; /* as accepted at RCPT */
    unsigned notify;
    struct str orcpt;
};

struct txn_target {
    struct str address;
    bool is_local;  /* lmtpd gets it at once; else it is queued's */
    uint64_t quota; /* LMTP_NO_QUOTA: none told */
    size_t rcpt;    /* which recipient led here */
};

struct txn {
    struct smtpd *d;
    struct session *session; /* NULL: the client is gone */
    struct arena *arena;
    char id[TXN_ID_N + 1];

    struct str from;
    bool is_8bit;
    bool is_utf8;
    enum smtp_ret ret;
    struct str envid;
    uint64_t announced; /* SIZE of MAIL */
    struct txn_rcpt *rcpts;
    size_t rcpts_n;
    size_t rcpts_cap;
    struct txn_target *targets;
    size_t targets_n;
    size_t targets_cap;
    struct map *known; /* targets so far, by address, once there are more than a few; else NULL */

    struct spool spool;
    uint64_t size; /* of the content */

    /* deliver.c's */
    struct fields fields;
    struct spool new_body;
    struct str *parts;
    size_t parts_n;
    struct author author;
    struct filter_env env;
    struct filter_job filter;
    struct lmtp_job local;
    struct lmtp_job queue;
    size_t local_n; /* targets */
    size_t remote_n;
    bool is_submitted;
    bool is_begun; /* deliver_begin was called: it ends itself */
};

must_check struct txn *txn_new(struct smtpd *d, struct session *s, const struct smtp_mail *m);
void txn_free(struct txn *t); /* breaks off what is under way; NULL is fine */

/* Adds a recipient with its targets. -1: EMSGSIZE, too many. */
must_check int txn_add(struct txn *t, const struct smtp_rcpt *r, const struct auth_target *targets,
                       size_t n, struct err *err);

#endif
