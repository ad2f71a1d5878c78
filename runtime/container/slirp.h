/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slirp - asks a running slirp4netns for a port, over its API socket
 *
 * One request a connection: JSON, the end of it by shutdown, JSON back (slirp4netns(1), API
 * SOCKET).
 *
 * Limits:    an answer has at most SLIRP_REPLY_MAX bytes and SLIRP_WAIT_S seconds.
 * Tests:     tests/unit/runtime/container/test_slirp.c
 */
#ifndef MR_CONTAINER_SLIRP_H
#define MR_CONTAINER_SLIRP_H

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct buf;
struct err;
struct publish;

#define SLIRP_REPLY_MAX 4096
#define SLIRP_WAIT_S    5

void slirp_request(const struct publish *p, struct buf *out);
/* 0 if it says that the port is there, else what it says. */
must_check int slirp_judge(struct str reply, struct err *err);

must_check int slirp_publish(const char *socket, const struct publish *p, struct err *err);

#endif
