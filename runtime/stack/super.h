/* SPDX-License-Identifier: Apache-2.0 */
/*
 * super - the supervisor of one stack: up, kept up, changed, down
 *
 *     preparing   file loaded, ports bound, keys, images, bundles        (super_run)
 *     starting    each service as soon as those before it are up; a failure stops everything
 *     running     a service that dies is started again; reload and restart on request
 *     stopping    in reverse order, each with its grace; a second signal kills
 *
 * One process, one loop; containers are made from here. Whatever ends it in an orderly way leaves
 * nothing behind; after a kill -9 the next `up` or `down` cleans.
 *
 * Tests:     tests/stack/test_up_down.py, tests/stack/test_reload.py
 */
#ifndef MR_STACK_SUPER_H
#define MR_STACK_SUPER_H

#include <stdbool.h>

#include "runtime/base/attr.h"
#include "runtime/base/loop.h"
#include "runtime/base/sig.h"
#include "runtime/stack/control.h"
#include "runtime/stack/dnsnet.h"
#include "runtime/stack/gen.h"
#include "runtime/stack/layout.h"
#include "runtime/stack/listen.h"
#include "runtime/stack/logs.h"
#include "runtime/stack/order.h"
#include "runtime/stack/service.h"
#include "runtime/stack/watch.h"

struct err;

enum super_phase {
    SUPER_STARTING,
    SUPER_RUNNING,
    SUPER_STOPPING,
};

extern const char *const super_phase_names[]; /* "starting", "running", "stopping", NULL */

enum super_wait { /* of struct control_ask */
    SUPER_WAIT_NONE,
    SUPER_WAIT_UP,  /* all services */
    SUPER_WAIT_DOWN /* the end */
};

struct super;

struct super_run { /* the caller's; read all the time */
    const struct layout *layout;
    const char *images;
    bool screen; /* show the logs on standard output */
    void (*progress)(void *ctx, const char *text);
    void (*ready)(void *ctx, struct super *s);
    void *ctx;
};

struct super {
    const struct super_run *run;
    struct loop *loop;
    struct gen *gen;
    enum super_phase phase;
    bool failed; /* while starting */
    bool killing;
    uint64_t started_ms;
    uint64_t ready_ms; /* how long the start took */
    char dns_note[512];
    struct logs logs;
    struct order order;
    struct listen listen;
    struct dnsnet dnsnet;
    struct control control;
    struct sig_watch signals;
    struct watch watch; /* of the accounts file */
    struct loop_call step;
    struct loop_timer settle; /* a watched file is read when it is at rest */
    struct service_env env;
    struct service v[SVC_N];
};

/* Runs until it is told to stop. 0: it was up and ended as asked. -1: err; where the file was
 * wrong, err->code is EINVAL and `report` has the lines; where a service did not start, `report`
 * has its last ones. `lock_fd` is place_lock's. */
must_check int super_run(const struct super_run *r, struct buf *report, struct err *err);

/* For the files of this module. */
void super_step_soon(struct super *s);
void super_stop(struct super *s);
/* What super_reload.c does; the answer begins with "ok" or "error". */
void super_reload(struct super *s, struct buf *answer);
void super_accounts_changed(struct super *s);
void super_ask(struct control *c, struct control_ask *a, struct str verb, struct str arg);
bool super_wanted(const struct super *s, size_t i);
must_check int super_network(struct super *s, struct gen *g, struct err *err);

#endif
