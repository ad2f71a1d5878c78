/* SPDX-License-Identifier: Apache-2.0 */
/*
 * socketmap - Sendmail's look-up protocol, as Postfix's socketmap_table(5) speaks it; pure
 *
 * A message is a netstring, "12:hello world!,". A request is "map key", an answer "OK data",
 * "NOTFOUND ", "TEMP reason", "TIMEOUT reason" or "PERM reason".
 *
 * Limits:    SOCKETMAP_MAX bytes in a message.
 * Lifetime:  views look into the caller's buffer.
 * Tests:     tests/unit/mailstack/lib/proto/test_socketmap.c
 * Fuzz:      tests/fuzz/mailstack/lib/proto/fuzz_socketmap.c
 */
#ifndef MR_PROTO_SOCKETMAP_H
#define MR_PROTO_SOCKETMAP_H

#include <stddef.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

#include "mailstack/lib/proto/parse.h"

struct buf;
struct err;

#define SOCKETMAP_MAX 524288 /* a list of a thousand members, and Postfix's own limit is 100000 */

enum socketmap_status {
    SOCKETMAP_OK,
    SOCKETMAP_NOTFOUND,
    SOCKETMAP_TEMP,
    SOCKETMAP_PERM
};

struct socketmap_request {
    struct str map;
    struct str key;
};

struct socketmap_answer {
    enum socketmap_status status;
    struct str data;
};

must_check enum parse_result socketmap_parse_request(struct str in, struct socketmap_request *out,
                                                     size_t *used, struct err *err);
must_check enum parse_result socketmap_parse_answer(struct str in, struct socketmap_answer *out,
                                                    size_t *used, struct err *err);
void socketmap_format_request(struct buf *to, const struct socketmap_request *r);
void socketmap_format_answer(struct buf *to, const struct socketmap_answer *a);

#endif
