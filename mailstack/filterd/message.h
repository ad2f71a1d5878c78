/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message - one message on its way through the filter, and what was found out about it
 *
 * The session feeds it: header fields, the end of the header, pieces of the body, the end. Then it
 * is judged: at once where nothing must be looked up, else when the answers are there, within
 * MESSAGE_DNS_MS. `judged` is called once, from the loop or from within message_end.
 *
 * Lifetime:  message_new, message_free (also in the middle, also from `judged`).
 * Limits:    MESSAGE_HEADER_MAX bytes and MESSAGE_FIELDS_MAX fields of header, beyond which the
 *            message is refused; MESSAGE_HELD_MAX bytes in all messages together, beyond which it
 *            shall come again; the body may be as long as it likes.
 * Tests:     tests/unit/mailstack/filterd/test_message.c
 */
#ifndef MR_FILTERD_MESSAGE_H
#define MR_FILTERD_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/buf.h"
#include "runtime/base/str.h"

#include "mailstack/filterd/bodyscan.h"
#include "mailstack/filterd/dkim_sign.h"
#include "mailstack/filterd/dkim_verify.h"
#include "mailstack/filterd/dmarc_check.h"
#include "mailstack/filterd/lookup.h"
#include "mailstack/filterd/spf_check.h"
#include "mailstack/lib/mail/header.h"

struct arena;
struct conf;
struct dns_client;

#define MESSAGE_HEADER_MAX (1u << 20)
#define MESSAGE_FIELDS_MAX 4000
#define MESSAGE_MEMORY_MAX (8u << 20)
#define MESSAGE_HELD_MAX   (48u << 20) /* of header, in all messages of a worker */
/* The client waits meanwhile. RFC 7208, section 4.6.4, would give 20 s; but whose name servers
 * have not answered after this long will hardly do so, and what is not known is a temporary error.
 */
#define MESSAGE_DNS_MS 10000

/* What all messages of a worker share. */
struct message_env {
    const struct conf *conf;
    struct dns_client *dns; /* NULL: everything is a temporary failure */
    size_t *held_n;         /* bytes of header held now */
};

enum message_action {
    MESSAGE_ACCEPT,
    MESSAGE_JUNK,   /* accepted, and filed to Junk */
    MESSAGE_REJECT, /* with code, status, text */
};

const char *message_action_name(enum message_action a);

/* From the SMTP session; views that outlive the message. */
struct message_facts {
    struct str sender; /* of MAIL, without brackets */
    struct str helo;
    const unsigned char *addr; /* of the client */
    size_t addr_n;             /* 0: not known */
    bool submitted;            /* by a user of ours */
};

struct message {
    const struct message_env *env;
    struct message_facts facts;
    struct arena *arena;
    struct buf raw; /* the header, with CRLFs */
    struct header_field *fields;
    size_t fields_n;
    size_t fields_max;
    size_t held_n; /* its share of env->held_n */
    bool too_large;
    bool too_many; /* the worker holds as much as it may: come again */
    bool header_over;

    struct str from;    /* the domain of From; n == 0: there is none */
    bool several_froms; /* of different domains, or several fields */
    uint64_t body_n;
    struct bodyscan scan;
    struct dkim_sign sign;
    struct dkim_verify dkim;
    bool dkim_done;
    struct spf_question spf_question;
    struct spf_outcome spf;
    bool spf_done;
    struct dmarc_outcome dmarc;
    struct lookup lookup;
    uint64_t deadline_ms;

    enum message_action action;
    unsigned code;
    const char *status;
    const char *why; /* of junk and reject; a view into this message */

    void (*judged)(struct message *m, void *ctx);
    void *ctx;
};

must_check struct message *message_new(const struct message_env *env,
                                       const struct message_facts *facts);
void message_free(struct message *m); /* NULL is fine */

/* value: as the milter protocol has it, folded by LF, with the space behind the colon. */
void message_field(struct message *m, struct str name, struct str value);
void message_header_end(struct message *m);
void message_body(struct message *m, struct str piece);
void message_end(struct message *m, void (*judged)(struct message *m, void *ctx), void *ctx);

#endif
