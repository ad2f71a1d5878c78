/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop - the event loop: descriptors (epoll), timers, deferred calls
 *
 * Watches and timers are embedded in the objects that own them; the callback finds its object with
 * container_of. A callback does a bounded amount of work and never blocks. It may delete any watch
 * or timer, its own too: an event of a deleted watch that is already in hand is dropped. Memory is
 * freed with loop_defer (after the callbacks of this turn), so that no caller further up the stack
 * touches what is gone.
 *
 * Order in a turn: expired timers, ready descriptors, deferred calls.
 * Time:      clock_now_ms() of clock.h.
 * Tests:     tests/unit/runtime/base/test_loop.c
 */
#ifndef MR_BASE_LOOP_H
#define MR_BASE_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/list.h"

struct err;
struct loop;

enum {
    LOOP_READ = 1,
    LOOP_WRITE = 2,
    LOOP_HANGUP = 4 /* reported whether it was asked for or not */
};

struct loop_io {
    void (*fn)(struct loop_io *io, unsigned events);
    int fd;
    unsigned events;   /* what is asked for now */
    struct loop *loop; /* NULL while not watched */
    size_t slot;       /* the loop's own */
};

struct loop_timer {
    void (*fn)(struct loop_timer *t);
    uint64_t at_ms;
    struct loop *loop; /* NULL while not set */
    size_t slot;
};

struct loop_call {
    void (*fn)(struct loop_call *c);
    struct list node;
    bool pending;
};

must_check struct loop *loop_new(struct err *err);
void loop_free(struct loop *l);
/* Runs until loop_stop; -1 only if epoll itself fails. */
must_check int loop_run(struct loop *l, struct err *err);
/* One turn that waits at most wait_ms (-1: for ever). For tests and for loops within loops. */
must_check int loop_turn(struct loop *l, int wait_ms, struct err *err);
void loop_stop(struct loop *l);

/* Watches fd; io->fn must be set. Level triggered. The descriptor stays the caller's. */
must_check int loop_io_add(struct loop *l, struct loop_io *io, int fd, unsigned events,
                           struct err *err);
void loop_io_set(struct loop_io *io, unsigned events); /* changes what is asked for */
void loop_io_del(struct loop_io *io);                  /* harmless if not watched; before close() */

void loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t in_ms); /* sets or moves */
void loop_timer_del(struct loop_timer *t);                                 /* harmless if not set */

/* Calls c->fn once at the end of this turn; a second defer before that is ignored. */
void loop_defer(struct loop *l, struct loop_call *c);

#endif
