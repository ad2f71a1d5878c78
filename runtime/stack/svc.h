/* SPDX-License-Identifier: Apache-2.0 */
/*
 * svc - one service's row of the privilege table: specs/services/NAME.json as a struct
 *
 * Lifetime:  in the arena given to svc_load.
 * Tests:     tests/unit/runtime/stack/test_svc.c
 */
#ifndef MR_STACK_SVC_H
#define MR_STACK_SVC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/spec/stack.h"
#include "runtime/stack/specs.h"

struct arena;
struct err;

#define SVC_N           SPECS_SERVICES
#define SVC_SOCKETS_MAX 4
#define SVC_VOLUMES_MAX 4
#define SVC_DIAL_MAX    64

enum svc_secret {
    SVC_TLS = 1,
    SVC_DKIM = 2,
    SVC_ACCOUNTS = 4,
    SVC_RELAY = 8 /* who signs the relay's certificate */
};

struct svc_socket {
    const char *name; /* in LISTEN_FDNAMES */
    const char *file; /* what others see in /run/mailstack */
    int type;         /* SOCK_STREAM, SOCK_SEQPACKET */
};

struct svc_volume {
    const char *from; /* a directory of the storage */
    const char *at;
};

struct svc {
    const char *name;
    unsigned index; /* in the table; its user id is ids.base + 1 + index */
    bool ports[STACK_PORTS];
    struct svc_socket sockets[SVC_SOCKETS_MAX];
    size_t sockets_n;
    struct stack_strings talks; /* socket files */
    struct stack_strings after; /* services */
    unsigned secrets;           /* enum svc_secret */
    struct svc_volume volumes[SVC_VOLUMES_MAX];
    size_t volumes_n;
    bool mail_group;
    bool dns_network;
    bool conf_at_start; /* SIGHUP makes it read its secrets anew, not its configuration */
    bool dials;
    uint16_t dial[SVC_DIAL_MAX];
    size_t dial_n;
    uint64_t tmp; /* bytes of /tmp; 0: none */
    struct stack_limits limits;
    uint32_t nofile_wanted; /* where limits.nofile had to be lowered (files.h); else 0 */
    uint32_t ready_s;
    uint32_t stop_s;
    uint32_t watchdog_s;
};

struct svc_table {
    struct svc v[SVC_N];
};

must_check int svc_load(struct arena *a, struct svc_table *out, struct err *err);
const struct svc *svc_get(const struct svc_table *t, const char *name); /* NULL: unknown */

/* Whether this stack has the service at all: frontd without an IMAP or POP3 port is not started. */
bool svc_wanted(const struct svc *s, const struct stack_config *c);
/* The row's limits with those of mailstack.json laid over them. */
struct stack_limits svc_limits(const struct svc *s, const struct stack_config *c);
uint32_t svc_uid(const struct svc *s, const struct stack_config *c); /* in its container */
/* Outside: the same of root's stack; of an ordinary user's, who has no other, that user's own. */
uint32_t svc_host_uid(const struct svc *s, const struct stack_config *c);
uint32_t svc_host_gid(const struct svc *s, const struct stack_config *c);
bool svc_is_rootless(void);
uint32_t svc_setup_id(const struct stack_config *c); /* id 0 of the containers; owns nothing */
uint32_t svc_mail_gid(const struct stack_config *c);

#endif
