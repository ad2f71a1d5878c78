/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network - --network and --publish of create and run
 *
 * Without --network config.json alone says what the container's network is. "host" takes the
 * network namespace of its own out of the configuration; "none" is that namespace with its loopback
 * alone; the others have it connected by a helper (container/usernet.h).
 *
 * Tests:     tests/unit/runtime/cli/test_network.c, tests/oci/test_usernet.py
 */
#ifndef MR_CLI_NETWORK_H
#define MR_CLI_NETWORK_H

#include "runtime/cli/opt.h"

struct arena;
struct container_create;
struct err;
struct oci_config;

struct network_opts {
    const char *network; /* one of network_names, or NULL */
    struct opt_list publish;
};

extern const char *const network_names[]; /* with a NULL at its end */

/* The rows, for a struct T with a member `launch`. */
#define NETWORK_ROWS(T)                                                           \
    OPT_CHOICE(T, launch.net.network, "network", 0, "HOW", network_names,         \
               "host, none, pasta, slirp4netns, or auto (pasta or slirp4netns)"), \
        OPT_VALUE(T, launch.net.publish, OPT_KIND_LIST, "publish", 'p',           \
                  "[ADDRESS:]HOST:CONTAINER[/udp]",                               \
                  "lead a port of the host to one of the container")

/* Fills network and ports of *out; *config is changed where "host" asks for it, which is told. */
enum network_change {
    NETWORK_SAME,
    NETWORK_CHANGED
};

must_check int network_apply(struct arena *a, const struct network_opts *o,
                             struct oci_config *config, struct container_create *out,
                             enum network_change *change, struct err *err);

#endif
