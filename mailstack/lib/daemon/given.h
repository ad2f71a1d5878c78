/* SPDX-License-Identifier: Apache-2.0 */
/*
 * given - the descriptors the supervisor handed in (sd_listen_fds(3)), or bound from "listen"
 *
 * Tests:     tests/unit/mailstack/lib/daemon/test_given.c
 */
#ifndef MR_DAEMON_GIVEN_H
#define MR_DAEMON_GIVEN_H

#include <stddef.h>

#include "runtime/base/attr.h"

struct err;
struct given;
struct jv;

#define GIVEN_MAX 64

/* Reads and clears LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES; marks the descriptors cloexec. */
must_check struct given *given_take(struct err *err);
/* For names that were not given: binds what conf's "listen" object says. */
must_check int given_bind(struct given *g, const struct jv *conf, const char *const *names,
                          struct err *err);
void given_free(struct given *g); /* closes what was not taken */

/* The i-th descriptor of that name, or -1. It stays given's. */
int given_fd(const struct given *g, const char *name, size_t i);
/* For walking all: false at the end. */
int given_at(const struct given *g, size_t i, const char **name);

#endif
