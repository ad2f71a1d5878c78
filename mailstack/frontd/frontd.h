/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frontd - what the parts of frontd share: the configuration, and a session before and after its
 * login
 *
 * A session begins as a protocol table (imap_login.c, pop3_login.c) over a conn: it ends TLS and
 * speaks only what comes before login. Once authd said yes it becomes a relay between the client
 * and imapd or pop3d, which were handed one end of a socket pair; from then on frontd looks at no
 * byte.
 */
#ifndef MR_FRONTD_FRONTD_H
#define MR_FRONTD_FRONTD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/list.h"
#include "runtime/base/str.h"

#include "mailstack/lib/auth/client.h"
#include "mailstack/lib/daemon/keys.h"
#include "mailstack/lib/net/cidr.h"
#include "mailstack/lib/proto/sasl.h"

struct conn;
struct counter;
struct err;
struct loop;
struct peers;
struct session;
struct tls_ctx;

#define FRONTD_NETS_MAX 64
#define FRONTD_IN_MAX \
    16384 /* a command before login, with its literals; later one chunk of the relay */
#define FRONTD_OUT_MAX      262144 /* what one slow peer may keep waiting */
#define FRONTD_RELAY_HIGH   131072 /* above this its source is not read */
#define FRONTD_TAG_MAX      256
#define FRONTD_ERRORS_MAX   10 /* bad commands before login */
#define FRONTD_FAILURES_MAX 3  /* refused logins of one connection */

struct frontd_conf {
    char *hostname;
    char *cert;
    char *key;
    char *auth_path;
    char *imapd_path; /* NULL: IMAP is not served */
    char *pop3d_path; /* NULL: POP3 is not served */
    struct cidr plaintext[FRONTD_NETS_MAX];
    size_t plaintext_n;
    struct keys_limits limits; /* `seconds` from the connection to the end of the login */
};

/* One worker process. */
struct frontd {
    const struct frontd_conf *conf;
    struct loop *loop;
    struct tls_ctx *tls;
    struct auth_client *auth;
    struct peers *peers;
    struct list sessions;
    bool draining;
    struct counter *accepted;
    struct counter *refused;
    struct counter *logins;
    struct counter *failures;
};

/* A protocol before login. Each callback sends its own replies. */
struct login_proto {
    const char *service; /* "imap", "pop3": for authd */
    void (*greet)(struct session *s);
    /* Looks at conn_in; consumes at most one command; true if there may be another. */
    bool (*input)(struct session *s);
    void (*refuse)(struct session *s, enum auth_verdict verdict); /* the login failed */
    void (*bye)(struct session *s, const char *why); /* before the connection is ended */
};

extern const struct login_proto imap_login;
extern const struct login_proto pop3_login;

struct session {
    struct frontd *f;
    struct list node;
    struct conn *client;
    struct conn *backend; /* once it is a relay */
    const struct login_proto *proto;
    struct auth_login login;
    struct sasl sasl;
    bool in_sasl;   /* the next line is a response */
    bool may_login; /* TLS, or a network of tls.plaintext_login */
    bool wants_tls; /* implicit TLS: the greeting waits for the handshake */
    bool waiting;   /* for authd */
    unsigned errors;
    unsigned failures;
    struct in6_addr ip;
    char remote[CIDR_TEXT_MAX];    /* "192.0.2.1:4711" */
    char tag[FRONTD_TAG_MAX + 1];  /* IMAP: of the login command */
    char user[SASL_VALUE_MAX + 1]; /* POP3: of USER */
};

/* fd becomes the session's. */
void session_accept(struct frontd *f, int fd, const struct login_proto *proto, bool implicit_tls);
void session_starttls(struct session *s); /* after the reply was written */
void session_login(struct session *s, struct str user, struct str password);
/* A SASL exchange that began or went on: sends the challenge through `ask`, or logs in. false: it
 * failed, say so. */
bool session_sasl(struct session *s, enum sasl_result r, void (*ask)(struct session *s));
void session_bad(struct session *s);    /* counts a bad command; may end the session */
void session_finish(struct session *s); /* what was written goes out, then the connection ends */
void session_free(struct session *s);

/* Hands the session to imapd or pop3d and makes it a relay. */
int relay_begin(struct session *s, const struct auth_login_answer *a, struct err *err);

#endif
