/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf - smtpd's configuration (specs/README.md, mailstack/man/smtpd.8)
 *
 * Tests:     tests/mail/test_smtpd.py
 */
#ifndef MR_SMTPD_CONF_H
#define MR_SMTPD_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/jv.h"
#include "runtime/base/map.h"

#include "mailstack/lib/daemon/keys.h"
#include "mailstack/lib/net/cidr.h"

struct err;

#define CONF_NETS_MAX    64
#define CONF_DOMAINS_MAX 10000

struct conf {
    char *hostname;
    char *cert;
    char *key;
    char *auth_path;
    char *map_path;
    char *lmtp_path;
    char *milter_path;   /* NULL: no filter */
    char *queue_path;    /* NULL: no mail to other domains */
    char *dns_path;      /* NULL: clients have no names */
    char *scratch;       /* where large messages wait */
    struct map *domains; /* ours, in lower case; values mean nothing */
    uint64_t message_size;
    size_t recipients;
    struct cidr plaintext[CONF_NETS_MAX];
    size_t plaintext_n;
    struct keys_limits limits; /* `seconds` is what a client may be silent */
};

must_check struct conf *conf_load(const struct jv *at, struct err *err);
void conf_free(struct conf *c);
bool conf_is_ours(const struct conf *c, struct str domain); /* in lower case */

#endif
