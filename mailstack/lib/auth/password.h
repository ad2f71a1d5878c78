/* SPDX-License-Identifier: Apache-2.0 */
/*
 * password - is this password the one behind a stored hash?
 *
 * A stored password is a crypt(3) string as libxcrypt knows them (yescrypt, bcrypt, sha512crypt,
 * ...), or one with a {SCHEME} in front as in Dovecot's passwd-file: {CRYPT} and the names of
 * crypt's methods ({BLF-CRYPT}, {SHA256-CRYPT}, {SHA512-CRYPT}, {MD5-CRYPT}, {DES-CRYPT}), {PLAIN},
 * {CLEAR}, {CLEARTEXT}, {SHA}, {SSHA}, {SHA256}, {SSHA256}, {SHA512}, {SSHA512} (base64). A locked
 * one ("!..." or "*...") matches nothing.
 *
 * A crypt(3) check is slow by design (some 50 ms): call it in a worker process.
 *
 * Tests:     tests/unit/mailstack/lib/auth/test_password.c
 */
#ifndef MR_AUTH_PASSWORD_H
#define MR_AUTH_PASSWORD_H

#include <stdbool.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct err;

/* 1: it is, 0: it is not, -1: the stored form cannot be understood. Takes the same time for a right
 * and a wrong password. */
must_check int password_check(const char *stored, struct str password, struct err *err);
/* Is the stored form one that password_check understands? For checking a file when it is loaded. */
must_check int password_is_known(const char *stored, struct err *err);
/* A hash that no password matches, costing what a fresh one of ours costs: for unknown users. */
const char *password_dummy(void);

#endif
