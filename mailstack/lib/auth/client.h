/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client - asking authd: is this password right, where does this address lead, may this user send
 * as
 *
 * Event-driven: each question is embedded in its asker's object, answered once through its
 * callback, from the loop, never from within the asking call. One `struct auth_client` per process
 * holds one connection to each of authd's two sockets, made when first needed and again after authd
 * was restarted; questions that were under way are then asked once more. With authd away for
 * AUTH_CLIENT_WAIT_MS the answer is AUTH_TEMP.
 *
 * Lifetime:  the client outlives its questions; auth_cancel before a question's memory goes.
 * Limits:    AUTH_PENDING_MAX questions at once; more are answered AUTH_TEMP.
 * Wire:      Dovecot auth protocol (proto/dovecot_auth.h), socketmap (proto/socketmap.h).
 * Tests:     tests/unit/mailstack/lib/auth/test_client.c
 */
#ifndef MR_AUTH_CLIENT_H
#define MR_AUTH_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct auth_client;
struct err;
struct loop;

#define AUTH_PENDING_MAX    4096
#define AUTH_CLIENT_WAIT_MS 10000
#define AUTH_TARGETS_MAX    1000 /* addresses one recipient may lead to */

enum auth_verdict {
    AUTH_YES,
    AUTH_NO,   /* wrong password, unknown address, not allowed */
    AUTH_TEMP, /* cannot tell now */
};

struct auth_login_answer {
    enum auth_verdict verdict;
    struct str user; /* canonical address */
    uint64_t quota;  /* bytes, 0: none set */
};

/* service: "smtp", "imap", "pop3"; remote: the client's address, for authd's log and its penalties.
 */
struct auth_login {
    void (*fn)(struct auth_login *q, const struct auth_login_answer *a);
    struct auth_client *client; /* not NULL while under way; start with it NULL */
    uint64_t id;
};

struct auth_target {
    struct str address; /* local: the mailbox's account, with "+detail" where one was given */
    bool local;
    uint64_t quota; /* of a local one; 0: none set */
};

struct auth_resolve_answer {
    enum auth_verdict verdict; /* AUTH_NO: no such recipient in a domain of ours */
    const struct auth_target *targets;
    size_t targets_n;
    struct str reason; /* for AUTH_NO: text for the SMTP reply; else for the log */
};

struct auth_resolve {
    void (*fn)(struct auth_resolve *q, const struct auth_resolve_answer *a);
    struct auth_client *client;
    uint64_t id;
};

struct auth_sender {
    void (*fn)(struct auth_sender *q, enum auth_verdict verdict);
    struct auth_client *client;
    uint64_t id;
};

struct auth_client_sockets {
    const char *auth;
    const char *map; /* NULL: resolve and sender are not asked by this daemon */
};

must_check struct auth_client *auth_client_new(struct loop *l, struct auth_client_sockets paths,
                                               struct err *err);
void auth_client_free(struct auth_client *c); /* questions under way are dropped, unanswered */

/* The strings are copied. An answer's views live until the callback returns. */
struct auth_credentials {
    struct str user;
    struct str password;
    const char *service;
    struct str remote; /* numeric address without port */
    bool tls;
};

void auth_login_ask(struct auth_client *c, struct auth_login *q, const struct auth_credentials *k);
/* rcpt: an address of RCPT TO; sender: the envelope sender (for lists). */
void auth_resolve_ask(struct auth_client *c, struct auth_resolve *q, struct str rcpt,
                      struct str sender);
/* May the account `user` use `address` as envelope or header sender? */
void auth_sender_ask(struct auth_client *c, struct auth_sender *q, struct str user,
                     struct str address);

void auth_login_cancel(struct auth_login *q);
void auth_resolve_cancel(struct auth_resolve *q);
void auth_sender_cancel(struct auth_sender *q);

#endif
