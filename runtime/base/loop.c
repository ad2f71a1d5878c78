/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A watch knows its place in the batch of events in hand (io->slot, from 1; 0: in none), a timer
 * its place in a binary heap, so that both are deleted without a search.
 */
#include "runtime/base/loop.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"

#define BATCH_N 256

struct loop {
    int epoll_fd;
    bool stopped;
    bool in_turn;
    struct loop_timer **heap;
    size_t heap_n;
    size_t heap_cap;
    struct list deferred;
    struct list mark; /* in `deferred` while it is run */
    struct epoll_event batch[BATCH_N];
};

/* --- timers ---------------------------------------------------------------------------------- */

static void heap_place(struct loop *l, size_t i, struct loop_timer *t)
{
    l->heap[i] = t;
    t->slot = i;
}

static void heap_up(struct loop *l, size_t i, struct loop_timer *t)
{
    while (i > 0 && l->heap[(i - 1) / 2]->at_ms > t->at_ms) {
        heap_place(l, i, l->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    heap_place(l, i, t);
}

static void heap_down(struct loop *l, size_t i, struct loop_timer *t)
{
    for (size_t child = 2 * i + 1; child < l->heap_n; child = 2 * i + 1) {
        if (child + 1 < l->heap_n && l->heap[child + 1]->at_ms < l->heap[child]->at_ms)
            child++;
        if (t->at_ms <= l->heap[child]->at_ms)
            break;
        heap_place(l, i, l->heap[child]);
        i = child;
    }
    heap_place(l, i, t);
}

static void heap_settle(struct loop *l, size_t i, struct loop_timer *t)
{
    if (i > 0 && l->heap[(i - 1) / 2]->at_ms > t->at_ms)
        heap_up(l, i, t);
    else
        heap_down(l, i, t);
}

void loop_timer_del(struct loop_timer *t)
{
    struct loop *l = t->loop;
    struct loop_timer *last;

    if (l == NULL)
        return;
    t->loop = NULL;
    last = l->heap[--l->heap_n];
    if (last != t)
        heap_settle(l, t->slot, last);
}

void loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t in_ms)
{
    uint64_t now = clock_now_ms();

    assert(t->fn != NULL && (t->loop == NULL || t->loop == l));
    t->at_ms = in_ms < UINT64_MAX - now ? now + in_ms : UINT64_MAX;
    if (t->loop != NULL) {
        heap_settle(l, t->slot, t);
        return;
    }
    if (l->heap_n == l->heap_cap) {
        l->heap_cap = l->heap_cap == 0 ? 16 : l->heap_cap * 2;
        l->heap = mem_grow(l->heap, l->heap_cap, sizeof(struct loop_timer *));
    }
    t->loop = l;
    heap_up(l, l->heap_n++, t);
}

/* A timer that sets itself again for now waits for the next turn: descriptors get their chance. */
static void run_timers(struct loop *l)
{
    uint64_t now = clock_now_ms();

    for (size_t left = l->heap_n; left > 0 && l->heap_n > 0; left--) {
        struct loop_timer *t = l->heap[0];

        if (t->at_ms > now)
            return;
        loop_timer_del(t);
        t->fn(t);
    }
}

/* --- descriptors ----------------------------------------------------------------------------- */

static uint32_t to_epoll(unsigned events)
{
    return ((events & LOOP_READ) != 0 ? (uint32_t)EPOLLIN : 0U) |
           ((events & LOOP_WRITE) != 0 ? (uint32_t)EPOLLOUT : 0U);
}

/* A hang-up or error is also told as whatever was asked for, as the read or write will find it:
 * the end of a pipe is EPOLLHUP without EPOLLIN. */
static unsigned from_epoll(uint32_t got, unsigned asked)
{
    unsigned events = 0;

    if ((got & EPOLLIN) != 0)
        events |= LOOP_READ;
    if ((got & EPOLLOUT) != 0)
        events |= LOOP_WRITE;
    if ((got & (EPOLLHUP | EPOLLERR)) != 0)
        events |= LOOP_READ | LOOP_WRITE;
    events &= asked;
    return (got & (EPOLLHUP | EPOLLERR)) != 0 ? events | LOOP_HANGUP : events;
}

int loop_io_add(struct loop *l, struct loop_io *io, int fd, unsigned events, struct err *err)
{
    struct epoll_event ev = {.events = to_epoll(events), .data = {.ptr = io}};

    assert(io->fn != NULL && io->loop == NULL);
    if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
        return err_set(err, errno, "watch descriptor %d", fd);
    io->fd = fd;
    io->events = events;
    io->loop = l;
    io->slot = 0;
    return 0;
}

void loop_io_set(struct loop_io *io, unsigned events)
{
    struct epoll_event ev = {.events = to_epoll(events), .data = {.ptr = io}};
    int rc;

    assert(io->loop != NULL);
    if (io->events == events)
        return;
    io->events = events;
    rc = epoll_ctl(io->loop->epoll_fd, EPOLL_CTL_MOD, io->fd, &ev);
    assert(rc == 0); /* a watched descriptor is open */
}

void loop_io_del(struct loop_io *io)
{
    if (io->loop == NULL)
        return;
    if (io->slot > 0)
        io->loop->batch[io->slot - 1].data.ptr = NULL;
    (void)epoll_ctl(io->loop->epoll_fd, EPOLL_CTL_DEL, io->fd, NULL); /* may be closed already */
    io->loop = NULL;
    io->slot = 0;
}

static void run_event(const struct epoll_event *ev)
{
    struct loop_io *io = ev->data.ptr;
    unsigned events;

    if (io == NULL)
        return;
    io->slot = 0;
    events = from_epoll(ev->events, io->events);
    if (events != 0)
        io->fn(io, events);
}

static int run_ios(struct loop *l, int wait_ms, struct err *err)
{
    int n = epoll_wait(l->epoll_fd, l->batch, BATCH_N, wait_ms);

    if (n < 0)
        return errno == EINTR ? 0 : err_set(err, errno, "wait for events");
    for (int i = 0; i < n; i++) {
        struct loop_io *io = l->batch[i].data.ptr;

        io->slot = (size_t)i + 1;
    }
    for (int i = 0; i < n; i++)
        run_event(&l->batch[i]);
    return 0;
}

/* --- deferred calls -------------------------------------------------------------------------- */

void loop_defer(struct loop *l, struct loop_call *c)
{
    assert(c->fn != NULL);
    if (c->pending)
        return;
    c->pending = true;
    list_add_tail(&l->deferred, &c->node);
}

/* Those that stand in the list now, up to the mark; what they defer comes in the next turn. */
static void run_deferred(struct loop *l)
{
    list_add_tail(&l->deferred, &l->mark);
    while (l->deferred.next != &l->mark) {
        struct loop_call *c = list_of(l->deferred.next, struct loop_call, node);

        list_del(&c->node);
        c->pending = false;
        c->fn(c);
    }
    list_del(&l->mark);
}

/* --- the loop -------------------------------------------------------------------------------- */

struct loop *loop_new(struct err *err)
{
    own_fd int fd = epoll_create1(EPOLL_CLOEXEC);
    struct loop *l;

    if (fd < 0) {
        (void)err_set(err, errno, "make an event loop");
        return NULL;
    }
    l = mem_type(struct loop);
    l->epoll_fd = take_fd(&fd);
    list_init(&l->deferred);
    list_init(&l->mark);
    return l;
}

void loop_free(struct loop *l)
{
    if (l == NULL)
        return;
    while (!list_empty(&l->deferred))
        run_deferred(l);
    while (l->heap_n > 0)
        loop_timer_del(l->heap[l->heap_n - 1]);
    own_close_fd(&l->epoll_fd);
    free(l->heap);
    free(l);
}

static int turn_wait(const struct loop *l, int wait_ms)
{
    uint64_t now;
    uint64_t left;

    if (!list_empty(&l->deferred))
        return 0;
    if (l->heap_n == 0)
        return wait_ms;
    now = clock_now_ms();
    left = l->heap[0]->at_ms > now ? l->heap[0]->at_ms - now : 0;
    if (left > INT_MAX)
        left = INT_MAX;
    return wait_ms >= 0 && (uint64_t)wait_ms < left ? wait_ms : (int)left;
}

int loop_turn(struct loop *l, int wait_ms, struct err *err)
{
    int rc;

    assert(!l->in_turn); /* a callback may not turn the loop that calls it */
    l->in_turn = true;
    run_timers(l);
    rc = run_ios(l, l->stopped ? 0 : turn_wait(l, wait_ms), err);
    run_deferred(l);
    l->in_turn = false;
    return rc;
}

int loop_run(struct loop *l, struct err *err)
{
    l->stopped = false;
    while (!l->stopped) {
        if (loop_turn(l, -1, err) < 0)
            return -1;
    }
    return 0;
}

void loop_stop(struct loop *l)
{
    l->stopped = true;
}
