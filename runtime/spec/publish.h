/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publish - a port of the host that leads to one of the container: [ADDRESS:]HOST:CONTAINER[/PROTO]
 *
 * As podman's users write it: "8080:80", "127.0.0.1:8080:80/tcp", "[::1]:5353:53/udp". PROTO is
 * tcp, where it is absent, or udp. Ports are 1 to 65535.
 *
 * Tests:     tests/unit/runtime/spec/test_publish.c
 * Fuzz:      tests/fuzz/runtime/spec/fuzz_publish.c
 */
#ifndef MR_SPEC_PUBLISH_H
#define MR_SPEC_PUBLISH_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct buf;
struct err;

#define PUBLISH_ADDRESS_MAX 46  /* of an IPv6 address with its NUL */
#define PUBLISH_MAX         256 /* of one container: each is a socket of the helper, or more */

enum publish_family {
    PUBLISH_EVERY, /* all addresses of the host */
    PUBLISH_IPV4,
    PUBLISH_IPV6
};

struct publish {
    enum publish_family family;
    char address[PUBLISH_ADDRESS_MAX]; /* numeric, in its usual form; "" with PUBLISH_EVERY */
    uint16_t host;
    uint16_t container;
    bool udp;
};

must_check int publish_parse(struct str s, struct publish *out, struct err *err);
/* Appends the same in the form that is parsed, with "/udp" for udp alone. */
void publish_format(const struct publish *p, struct buf *out);

#endif
