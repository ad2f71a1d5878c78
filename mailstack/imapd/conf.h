/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf - imapd's configuration (specs/README.md)
 *
 * Tests:     tests/mail/test_imap.py
 */
#ifndef MR_IMAPD_CONF_H
#define MR_IMAPD_CONF_H

#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/jv.h"

struct err;

struct conf {
    char *hostname;
    char *mail;
    uint64_t quota;
    uint64_t message_size; /* of APPEND */
    unsigned users;        /* processes at a time */
    unsigned sessions_per_user;
    unsigned idle_s; /* RFC 3501: at least thirty minutes */
};

must_check int conf_load(struct conf *c, const struct jv *at, struct err *err);
void conf_done(struct conf *c);

#endif
