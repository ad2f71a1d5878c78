/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf - lmtpd's configuration (specs/README.md)
 *
 * Tests:     tests/mail/test_lmtp.py
 */
#ifndef MR_LMTPD_CONF_H
#define MR_LMTPD_CONF_H

#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/jv.h"

struct err;

#define LMTPD_WORKERS_MAX 64

struct conf {
    char *hostname;
    char *mail;
    char **domains;
    size_t domains_n;
    uint64_t quota;
    uint64_t message_size;
    unsigned workers;
};

must_check int conf_load(struct conf *c, const struct jv *at, struct err *err);
void conf_done(struct conf *c);

#endif
