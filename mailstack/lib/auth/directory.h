/* SPDX-License-Identifier: Apache-2.0 */
/*
 * directory - where does an address lead: accounts, aliases, catch-all, subaddress, lists; pure
 *
 * The order in which a local address is looked up: list, account, alias of an account, alias of the
 * domain; then the same without its "+detail"; then the domain's catch-all. Aliases and lists are
 * expanded until only accounts and remote addresses are left; each target comes once, and a loop
 * ends where it closes.
 *
 * Limits:    DIRECTORY_DEPTH_MAX steps from alias to alias, AUTH_TARGETS_MAX targets.
 * Lifetime:  the directory lives in the arena it was loaded into, answers in the arena of the
 *            question.
 * Tests:     tests/unit/mailstack/lib/auth/test_directory.c
 */
#ifndef MR_AUTH_DIRECTORY_H
#define MR_AUTH_DIRECTORY_H

#include <stdbool.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

#include "mailstack/lib/auth/account.h"
#include "mailstack/lib/auth/client.h"

#define DIRECTORY_DEPTH_MAX 16

struct directory {
    struct accounts accounts;
    struct map *domains;     /* name to struct directory_domain */
    struct map *lists;       /* address to struct directory_list */
    struct str first_domain; /* for a bare <postmaster> */
    char subaddress;         /* '\0': none */
    uint64_t quota;          /* where the account has none */
};

/* conf: the daemon's configuration (specs/README.md, authd); accounts: the accounts file. */
must_check int directory_load(const struct jv *conf, const struct jv *accounts, struct arena *a,
                              struct directory *out, struct err *err);

bool directory_is_local(const struct directory *d, struct str domain);
/* Fills in *out; never fails as a call: what cannot be told is AUTH_TEMP or AUTH_NO with a reason.
 */
void directory_resolve(const struct directory *d, struct str rcpt, struct str sender,
                       struct arena *a, struct auth_resolve_answer *out);
/* May the account `user` send as `address`: does mail to it reach that account, lists aside? */
bool directory_may_send(const struct directory *d, struct str user, struct str address,
                        struct arena *a);
/* The account a login name means: its address or an alias; NULL if there is none. */
const struct account *directory_login(const struct directory *d, struct str name, struct arena *a);
uint64_t directory_quota(const struct directory *d, const struct account *of);

#endif
