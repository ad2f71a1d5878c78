/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dial - outbound connections made for a service, under its policy
 *
 * Speaks runtime/base/dialmsg.h with the service over a SOCK_SEQPACKET pair. Each connection is
 * logged with how it went. A message that does not parse ends the conversation.
 *
 * Limits:    DIAL_PENDING_MAX connections under way; a timeout of at most DIAL_TIMEOUT_MAX_MS.
 * Tests:     tests/unit/runtime/stack/test_dial.c, tests/stack/test_authority.py
 */
#ifndef MR_STACK_DIAL_H
#define MR_STACK_DIAL_H

#include <stddef.h>

#include "runtime/base/attr.h"
#include "runtime/base/list.h"
#include "runtime/base/loop.h"
#include "runtime/stack/dialpolicy.h"

struct err;
struct logs;

#define DIAL_PENDING_MAX    256
#define DIAL_TIMEOUT_MAX_MS 120000

struct dial {
    const char *service;
    struct loop *loop;
    struct logs *logs;
    struct dialpolicy policy;
    int fd; /* -1: nobody to talk to */
    struct loop_io io;
    struct list pending;
    size_t pending_n;
};

void dial_init(struct dial *d, const char *service, struct loop *loop, struct logs *logs);
/* A fresh pair for a new process of the service; the other end is returned, the caller's. */
must_check int dial_open(struct dial *d, struct err *err);
void dial_close(struct dial *d); /* what is under way is dropped */

#endif
