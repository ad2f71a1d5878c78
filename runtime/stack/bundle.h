/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bundle - one service as an OCI config: everything it may do, in one document
 *
 * The struct goes to the container library; its text is what `mailbox-run bundle` prints and what
 * the tests derive the privilege table from. Nothing is granted that the service's row does not
 * name: no capability, an id of its own in a user namespace that knows it, the id 0 of the set-up
 * and nobody else; every namespace new (dnsd's network excepted where it must share the host's).
 *
 * Descriptors: from 3 on, the ports, then the service's own sockets, "counters", and "dial" where
 * its row has one; bundle_fd_names lists them in this order.
 *
 * Lifetime:  in the arena.
 * Tests:     tests/unit/runtime/stack/test_bundle.c
 */
#ifndef MR_STACK_BUNDLE_H
#define MR_STACK_BUNDLE_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/attr.h"

struct arena;
struct err;
struct layout;
struct listen;
struct oci_config;
struct stack_config;
struct svc;
struct svc_table;

#define BUNDLE_FDS_MAX 60

struct bundle_make {
    const struct stack_config *c;
    const struct svc_table *t;
    const struct svc *s;
    const struct layout *l;
    const char *rootfs; /* absolute */
    const char *program;
    bool host_network; /* dnsd where it cannot have its own */
};

must_check int bundle_config(struct arena *a, const struct bundle_make *m, struct oci_config **out,
                             struct err *err);

/* The names, in order. */
size_t bundle_fd_names(const struct stack_config *c, const struct svc *s,
                       const char *names[BUNDLE_FDS_MAX]);

#endif
