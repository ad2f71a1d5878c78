/* SPDX-License-Identifier: Apache-2.0 */
/*
 * account - the accounts file: address to password, quota and further addresses
 *
 * One JSON object, {"alice@example.org": {"password": "$y$...", "quota": "2G", "aliases":
 * ["al@example.org"]}}. Addresses are canonical in memory: ASCII letters lower case.
 *
 * Limits:    ACCOUNT_FILE_MAX bytes, ACCOUNT_ALIASES_MAX aliases each; an address is at most
 *            ACCOUNT_ADDRESS_MAX bytes.
 * Errors:    name the JSON path. An alias that is also an account, or stands twice, is refused.
 * Lifetime:  everything lives in the arena given to account_load.
 * Tests:     tests/unit/mailstack/lib/auth/test_account.c
 */
#ifndef MR_AUTH_ACCOUNT_H
#define MR_AUTH_ACCOUNT_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct arena;
struct err;
struct jv;
struct map;

#define ACCOUNT_FILE_MAX    (64u << 20) /* some 300,000 accounts */
#define ACCOUNT_ALIASES_MAX 1000
#define ACCOUNT_ADDRESS_MAX 320 /* RFC 5321: local part 64, domain 255 */

struct account {
    struct str address;
    const char *password; /* crypt(3), or with a {SCHEME}; "!" or "*" in front: locked */
    uint64_t quota;       /* bytes; 0: none of its own */
    const struct str *aliases;
    size_t aliases_n;
};

struct accounts {
    struct map *by_address; /* canonical address to struct account */
    struct map *by_alias;   /* alias to struct account */
};

must_check int account_load(const struct jv *root, struct arena *a, struct accounts *out,
                            struct err *err);
const struct account *account_find(const struct accounts *all, struct str canonical);
const struct account *account_by_alias(const struct accounts *all, struct str canonical);

/* local@domain in lower case into the arena. An error if it is not of that shape or too long. */
must_check int account_canonical(struct str address, struct arena *a, struct str *out,
                                 struct err *err);

#endif
