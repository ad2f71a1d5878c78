/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client - one connection of another service, its questions and their answers
 *
 * Questions come framed as over TCP (RFC 7766) and are answered as their answers come, in any
 * order. A connection with CLIENT_QUESTIONS_MAX questions under way is not read from until one is
 * answered; what cannot be framed ends it.
 *
 * Limits:    CLIENT_QUESTION_MAX bytes a question; CLIENT_OUT_MAX bytes of answers not yet taken.
 * Tests:     tests/mail/test_dnsd.py
 */
#ifndef MR_DNSD_CLIENT_H
#define MR_DNSD_CLIENT_H

#include <stddef.h>

#include "runtime/base/attr.h"
#include "runtime/base/list.h"

struct counter;
struct err;
struct loop;
struct resolver;

#define CLIENTS_MAX          1024
#define CLIENT_QUESTION_MAX  1024
#define CLIENT_QUESTIONS_MAX 64
#define CLIENT_OUT_MAX       (1u << 20)

struct dnsd {
    struct loop *loop;
    struct resolver *resolver;
    struct list clients;
    size_t clients_n;
    struct counter *questions;
    struct counter *secure;
    struct counter *failures; /* SERVFAIL */
    struct counter *bogus;
};

/* fd becomes the client's, also on failure. */
must_check int client_accept(struct dnsd *d, int fd, struct err *err);

#endif
