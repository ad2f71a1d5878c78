/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf - pop3d's configuration (specs/README.md)
 *
 * Tests:     tests/mail/test_pop3.py
 */
#ifndef MR_POP3D_CONF_H
#define MR_POP3D_CONF_H

#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/jv.h"

struct err;

struct conf {
    char *hostname;
    char *mail;
    uint64_t quota;
    unsigned sessions; /* at most, at a time */
    unsigned idle_s;   /* RFC 1939: at least ten minutes */
};

must_check int conf_load(struct conf *c, const struct jv *at, struct err *err);
void conf_done(struct conf *c);

#endif
