/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialer - outbound TCP connections for an event loop, asked of the supervisor or made directly
 *
 * Each call is embedded in its caller's object and answered once through its callback, from the
 * loop, never from within dialer_call. With a "dial" socket the supervisor connects under the
 * service's policy (runtime/base/dialmsg.h); with -1 this process does.
 *
 * Errors:    EACCES with the supervisor's words where its policy refuses; ETIMEDOUT; EPIPE where
 *            the supervisor is gone; else the kernel's errno.
 * Lifetime:  dialer_cancel before a call's memory goes; the dialer outlives its calls.
 * Tests:     tests/unit/mailstack/lib/net/test_dialer.c
 */
#ifndef MR_NET_DIALER_H
#define MR_NET_DIALER_H

#include <stdint.h>
#include <sys/socket.h>

#include "runtime/base/attr.h"
#include "runtime/base/list.h"
#include "runtime/base/loop.h"

struct dialer;
struct err;

struct dialer_call {
    /* fd: a connected, non-blocking descriptor, the callee's; or -1, and `why`. */
    void (*fn)(struct dialer_call *c, int fd, const struct err *why);
    struct dialer *dialer; /* not NULL while under way; start with it NULL */
    struct list node;
    struct loop_timer timer;
    struct loop_io io; /* of a direct connection */
    struct loop_call fail;
    int fd;
    int cause; /* errno to report from `fail` */
    uint64_t id;
};

/* dial_fd stays the caller's; it is made non-blocking. */
must_check struct dialer *dialer_new(struct loop *l, int dial_fd, struct err *err);
void dialer_free(struct dialer *d); /* calls under way are dropped, unanswered */

void dialer_call(struct dialer *d, struct dialer_call *c, const struct sockaddr_storage *to,
                 uint32_t timeout_ms);
void dialer_cancel(struct dialer_call *c); /* harmless if it is not under way */

#endif
