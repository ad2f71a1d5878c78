/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sasl - the server's side of SASL PLAIN (RFC 4616) and LOGIN; pure
 *
 * A session begins with the mechanism, is fed each response (base64, as the wire has it) and says
 * whether it wants more or has the credentials. "=" as initial response is the empty one (RFC
 * 4954), "*" cancels.
 *
 * Limits:    a response is at most SASL_RESPONSE_MAX bytes of base64; user and password
 *            SASL_VALUE_MAX each; no NUL in either; a PLAIN authorisation identity must be empty
 *            or equal to the user.
 * Lifetime:  in place; sasl_done wipes what it held.
 * Tests:     tests/unit/mailstack/lib/proto/test_sasl.c
 * Fuzz:      tests/fuzz/mailstack/lib/proto/fuzz_sasl.c
 */
#ifndef MR_PROTO_SASL_H
#define MR_PROTO_SASL_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct err;

#define SASL_RESPONSE_MAX 2048
#define SASL_VALUE_MAX    512

enum sasl_mech {
    SASL_PLAIN,
    SASL_LOGIN
};

enum sasl_result {
    SASL_ERROR = -1,    /* err says why; SASL_CANCELLED is told apart by sasl_is_cancel */
    SASL_CHALLENGE = 0, /* send s->challenge (base64, may be empty) and feed the answer */
    SASL_DONE = 1,      /* sasl_user, sasl_password */
};

struct sasl {
    enum sasl_mech mech;
    int step;
    const char *challenge; /* static */
    size_t user_n;
    size_t password_n;
    char user[SASL_VALUE_MAX];
    char password[SASL_VALUE_MAX];
};

/* The mechanism's name in any case; false if it is none of ours. */
bool sasl_mech_parse(struct str name, enum sasl_mech *out);
/* initial.p NULL: no initial response was sent. */
must_check enum sasl_result sasl_begin(struct sasl *s, enum sasl_mech mech, struct str initial,
                                       struct err *err);
must_check enum sasl_result sasl_feed(struct sasl *s, struct str response, struct err *err);
bool sasl_is_cancel(struct str response);
struct str sasl_user(const struct sasl *s);
struct str sasl_password(const struct sasl *s);
void sasl_done(struct sasl *s);

#endif
