/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys - the certificate and the DKIM keys of a stack: made where missing, kept in its storage
 *
 * STORAGE/tls/{cert,key}.pem: a self-signed EC P-256 certificate for the host name, made again when
 * the name changes or less than KEYS_RENEW_DAYS of it are left. STORAGE/dkim/DOMAIN/SELECTOR.pem,
 * with DOMAIN.SELECTOR.txt beside, the record to put into DNS; a key is never replaced.
 *
 * Tests:     tests/unit/runtime/stack/test_keys.c
 */
#ifndef MR_STACK_KEYS_H
#define MR_STACK_KEYS_H

#include "runtime/base/attr.h"
#include "runtime/spec/stack.h"

struct buf;
struct err;

#define KEYS_DAYS       825 /* what some clients accept at most */
#define KEYS_RENEW_DAYS 30
#define KEYS_PEM_MAX    (1U << 20) /* of a certificate chain */

/* Makes what is missing below c->storage. With tls.mode "files": checks that certificate and key
 * can be read and belong together. */
must_check int keys_make(const struct stack_config *c, struct err *err);

/* The PEM texts that services get. */
must_check int keys_read_cert(const struct stack_config *c, struct buf *out, struct err *err);
must_check int keys_read_key(const struct stack_config *c, struct buf *out, struct err *err);
must_check int keys_read_dkim(const struct stack_config *c, const char *domain,
                              const char *selector, struct buf *out, struct err *err);

/* `s1._domainkey.example.org. IN TXT ( "v=DKIM1; ..." )` and a newline. */
must_check int keys_dkim_record(const char *domain, const struct stack_dkim *k, struct str pem,
                                struct buf *out, struct err *err);

#endif
