/* SPDX-License-Identifier: Apache-2.0 */
/*
 * author - may who logged in write in the name that stands in the header?
 *
 * Every address of the From fields that lies in a domain of ours must be one of the user's own: who
 * has an account here must not write as a colleague, signed by us. Addresses of other domains are
 * for those domains' policies.
 *
 * Limits:    AUTHOR_MAX addresses; more are not an author.
 * Lifetime:  in the transaction; author_cancel before its memory goes.
 * Tests:     tests/mail/test_smtpd.py
 */
#ifndef MR_SMTPD_AUTHOR_H
#define MR_SMTPD_AUTHOR_H

#include <stddef.h>

#include "runtime/base/str.h"

#include "mailstack/lib/auth/client.h"

struct arena;
struct fields;
struct smtpd;

#define AUTHOR_MAX 10

struct author {
    void (*fn)(struct author *a, enum auth_verdict verdict);
    struct smtpd *d;
    struct str user;
    struct auth_sender q;
    struct str addresses[AUTHOR_MAX];
    size_t n;
    size_t next;
};

/* The callback comes once, perhaps from within the call. */
void author_check(struct author *a, const struct fields *f, struct arena *arena);
void author_cancel(struct author *a);

#endif
