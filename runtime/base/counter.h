/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counter - named counters in one page of shared memory, read by another process
 *
 * A daemon is given a memfd under the name "counters" (LISTEN_FDNAMES); it maps it and adds to its
 * counters without a system call, also from worker processes forked later. The supervisor maps the
 * same page read-only and trusts nothing in it: names are checked, values are just numbers. Without
 * a descriptor the page is anonymous memory: the program works the same when it runs alone.
 *
 * Names are [a-z0-9_]+, Prometheus style, with the unit last: "smtp_messages_total".
 * A gauge goes up and down (counter_add with a negative number).
 *
 * Limits:    COUNTER_MAX counters of COUNTER_NAME_MAX bytes: one page of 4096 bytes.
 * Tests:     tests/unit/runtime/base/test_counter.c
 */
#ifndef MR_BASE_COUNTER_H
#define MR_BASE_COUNTER_H

#include <stdint.h>

#include "runtime/base/attr.h"

struct err;

#define COUNTER_NAME_MAX 56
#define COUNTER_MAX      64

struct counter {
    char name[COUNTER_NAME_MAX]; /* terminated; empty: unused, and so is the rest */
    int64_t value;               /* atomic */
};

struct counter_page {
    struct counter at[COUNTER_MAX];
};

/* A new memfd of one page, sealed so that its size stays. */
must_check int counter_create(struct err *err);
/* Maps it; fd -1: private to this process and its children. */
must_check struct counter_page *counter_map(int fd, struct err *err);
must_check const struct counter_page *counter_map_read(int fd, struct err *err);
void counter_unmap(const struct counter_page *page);

/* Finds or makes the counter of that name; never NULL (a full page yields a dummy that counts for
 * nobody). Call at start, before forking workers. */
struct counter *counter_get(struct counter_page *page, const char *name);
void counter_add(struct counter *c, int64_t n);

/* Copies the i-th counter if there is one and its name is sound: 1, else 0. */
int counter_read(const struct counter_page *page, unsigned i, struct counter *out);

#endif
