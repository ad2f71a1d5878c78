/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit - one supervised service: a table of states and events
 *
 *             want_up   want_down  restart    ready     exited         timer
 *   down      spawn     -          -          -         -              -
 *   starting  -         kill       kill+again to up     again or fail  not ready in time: kill
 *   up        -         term       term+again -         back-off       watchdog silent: kill
 *   stopping  again     not again  again      -         settle         grace is over: kill
 *   backoff   spawn     down       spawn      -         -              spawn
 *   failed    spawn     down       spawn      -         -              -
 *
 * An empty cell cannot happen or means nothing there (a second READY=1, the exit of a process whose
 * end was settled already). What is done to the world is the owner's, through the ops, so that the
 * table is tested without a process.
 *
 * Tests:     tests/unit/runtime/stack/test_unit.c
 */
#ifndef MR_STACK_UNIT_H
#define MR_STACK_UNIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/base/attr.h"
#include "runtime/base/err.h"
#include "runtime/base/loop.h"
#include "runtime/stack/backoff.h"

enum unit_state {
    UNIT_DOWN,
    UNIT_STARTING,
    UNIT_UP,
    UNIT_STOPPING,
    UNIT_BACKOFF,
    UNIT_FAILED,
    UNIT_STATES
};

enum unit_event {
    UNIT_WANT_UP,
    UNIT_WANT_DOWN,
    UNIT_RESTART,
    UNIT_READY,
    UNIT_EXITED,
    UNIT_TIMER,
    UNIT_EVENTS
};

extern const char *const unit_state_names[UNIT_STATES + 1]; /* "down", ... NULL */

struct unit;

struct unit_ops {
    int (*spawn)(struct unit *u, struct err *err); /* sets u->pid */
    void (*signal)(struct unit *u, int signo);
    void (*changed)(struct unit *u, enum unit_state was);
};

struct unit_times {
    uint32_t ready_s;
    uint32_t stop_s;
    uint32_t watchdog_s; /* 0: none */
};

struct unit {
    const char *name;
    const struct unit_ops *ops;
    struct loop *loop;
    struct unit_times times;
    enum unit_state state;
    bool once;  /* while the stack comes up: the first failure is final */
    bool again; /* when stopped, start anew */
    bool killed;
    pid_t pid; /* 0: no process */
    unsigned restarts;
    uint64_t started_ms;
    uint64_t next_ms;             /* in back-off: when the next start is due */
    char last_exit[ERR_TEXT_MAX]; /* why it ended last; "" if it never did */
    char status[256];             /* what STATUS= last said */
    struct backoff backoff;
    struct loop_timer timer;
};

void unit_init(struct unit *u, const char *name, const struct unit_ops *ops, struct loop *loop,
               struct unit_times times);
void unit_done(struct unit *u); /* the timer is off; no process is touched */
void unit_event(struct unit *u, enum unit_event e);
/* The process ended; `why` in words. */
void unit_exited(struct unit *u, const char *why);
/* WATCHDOG=1 came. */
void unit_alive(struct unit *u);
/* EXTEND_TIMEOUT_USEC=usec came: it is at work still, and will be ready later. Ends no earlier than
 * before, and no later than ready_s from now. */
void unit_extend(struct unit *u, uint64_t usec);
bool unit_is_settled(const struct unit *u); /* down or failed */
uint64_t unit_uptime_ms(const struct unit *u);

#endif
