/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf - filterd's configuration, checked, with the keys it signs with
 *
 * Lifetime:  conf_done. Keys are read when the configuration is.
 * Tests:     tests/unit/mailstack/filterd/test_conf.c
 */
#ifndef MR_FILTERD_CONF_H
#define MR_FILTERD_CONF_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/attr.h"
#include "runtime/base/jv.h"

#include "mailstack/filterd/dkim_sign.h"

struct err;

#define CONF_WORKERS_MAX 64
#define CONF_KEYS_MAX    1000
#define CONF_PEM_MAX     65536

enum conf_executables {
    CONF_EXECUTABLES_ACCEPT,
    CONF_EXECUTABLES_JUNK,
    CONF_EXECUTABLES_REJECT,
};

struct conf {
    char *hostname;
    bool spf;
    bool dkim;
    bool dmarc;
    enum conf_executables executables;
    struct dkim_sign_key *sign;
    size_t sign_n;
    char *dns;   /* dnsd's socket; NULL where nothing is looked up */
    char *state; /* a directory for what is to be remembered; NULL: none */
    unsigned workers;
};

must_check int conf_load(struct conf *c, const struct jv *at, struct err *err);
void conf_done(struct conf *c); /* a zeroed one is fine */

#endif
