/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service - one running service: its unit, container, sockets, readiness, output, counters
 *
 * Sockets, the notify socket, the output pipe and the counters belong to the service and outlive
 * its processes.
 *
 * Tests:     tests/stack/test_restart.py
 */
#ifndef MR_STACK_SERVICE_H
#define MR_STACK_SERVICE_H

#include <stdbool.h>

#include "runtime/base/attr.h"
#include "runtime/base/child.h"
#include "runtime/base/loop.h"
#include "runtime/stack/dial.h"
#include "runtime/stack/logs.h"
#include "runtime/stack/svc.h"
#include "runtime/stack/unit.h"

struct counter_page;
struct dnsnet;
struct err;
struct gen;
struct layout;
struct listen;

struct service_env { /* what all services of a stack share; the supervisor's */
    struct loop *loop;
    struct logs *logs;
    const struct layout *layout;
    const struct gen *gen; /* the present one */
    const struct listen *listen;
    struct dnsnet *dnsnet;
    int null_fd;
    void (*changed)(void *ctx); /* a unit changed its state; called from within */
    void *ctx;
};

struct service {
    struct service_env *env;
    const struct svc *svc; /* of the present generation's table */
    bool is_open;
    struct unit unit;
    struct child child;
    struct logs_pipe pipe;
    struct dial dial;
    struct loop_io notify_io;
    int notify_fd;
    int sock_fd[SVC_SOCKETS_MAX];
    int counters_fd;
    const struct counter_page *page;
};

void service_init(struct service *s, struct service_env *env, const struct svc *svc);
/* Makes what outlives a process; harmless where that is done. RUN/SERVICE must exist. */
must_check int service_open(struct service *s, struct err *err);
void service_close(struct service *s); /* no process must be left */
void service_hup(struct service *s);
void service_kill(struct service *s); /* SIGKILL, without grace */
/* Bytes its cgroup has; 0 where that is not known. */
uint64_t service_memory(const struct service *s);

#endif
