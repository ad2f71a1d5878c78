/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An event of libunbound is a descriptor, a timer, or both; one that is not persistent is
 * deactivated before its callback runs. A callback may free its own event: it is the last thing
 * done with it.
 */
#include "mailstack/dnsd/ub_loop.h"

#include <stdlib.h>
#include <sys/time.h>
#include <unbound-event.h>

#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/loop.h"
#include "runtime/base/mem.h"

typedef void event_fn(int fd, short bits, void *arg);

struct base {
    struct ub_event_base ub;
    struct loop *loop;
};

struct event {
    struct ub_event ub;
    struct loop *loop;
    struct loop_io io;
    struct loop_timer timer;
    int fd;
    short bits;
    event_fn *fn;
    void *arg;
};

static struct event *of(struct ub_event *ev)
{
    return container_of(ev, struct event, ub);
}

static void deactivate(struct event *e)
{
    loop_io_del(&e->io);
    loop_timer_del(&e->timer);
}

static void fire(struct event *e, short bits)
{
    if (!(e->bits & UB_EV_PERSIST))
        deactivate(e);
    e->fn(e->fd, bits, e->arg);
}

static void on_io(struct loop_io *io, unsigned events)
{
    struct event *e = container_of(io, struct event, io);
    unsigned bits = 0;

    if (events & (LOOP_READ | LOOP_HANGUP))
        bits |= UB_EV_READ;
    if (events & (LOOP_WRITE | LOOP_HANGUP))
        bits |= UB_EV_WRITE;
    bits &= (unsigned)e->bits;
    if (bits)
        fire(e, (short)bits);
}

static void on_timer(struct loop_timer *t)
{
    fire(container_of(t, struct event, timer), UB_EV_TIMEOUT);
}

static uint64_t to_ms(const struct timeval *tv)
{
    return (uint64_t)tv->tv_sec * 1000 + (uint64_t)tv->tv_usec / 1000;
}

/* --- the calls of an event -------------------------------------------------------------------- */

static void add_bits(struct ub_event *ev, short bits)
{
    of(ev)->bits = (short)(of(ev)->bits | bits);
}

static void del_bits(struct ub_event *ev, short bits)
{
    of(ev)->bits = (short)(of(ev)->bits & ~bits);
}

static void set_fd(struct ub_event *ev, int fd)
{
    of(ev)->fd = fd;
}

static void free_event(struct ub_event *ev)
{
    deactivate(of(ev));
    free(of(ev));
}

static int add(struct ub_event *ev, struct timeval *tv)
{
    struct event *e = of(ev);
    unsigned want = 0;
    struct err err = {0};

    if (e->bits & UB_EV_READ)
        want |= LOOP_READ;
    if (e->bits & UB_EV_WRITE)
        want |= LOOP_WRITE;
    loop_io_del(&e->io);
    if (want && e->fd >= 0 && loop_io_add(e->loop, &e->io, e->fd, want, &err) < 0) {
        log_warn("dns.watch", LOG_S("error", err.text));
        return -1;
    }
    if (tv && (e->bits & UB_EV_TIMEOUT))
        loop_timer_set(e->loop, &e->timer, to_ms(tv));
    return 0;
}

static int del(struct ub_event *ev)
{
    deactivate(of(ev));
    return 0;
}

static int add_timer(struct ub_event *ev, struct ub_event_base *base, event_fn *fn, void *arg,
                     struct timeval *tv)
{
    struct event *e = of(ev);

    (void)base; /* the one it was made for */
    e->fn = fn;
    e->arg = arg;
    loop_timer_set(e->loop, &e->timer, to_ms(tv));
    return 0;
}

static int del_timer(struct ub_event *ev)
{
    loop_timer_del(&of(ev)->timer);
    return 0;
}

/* The rest is not called by libunbound (unbound-event.h), but must be there. */

static int no_signal(struct ub_event *ev, struct timeval *tv)
{
    (void)ev;
    (void)tv;
    return -1;
}

static void no_unregister(struct ub_event *ev)
{
    (void)ev;
}

static void no_wouldblock(struct ub_event *ev, int bit)
{
    (void)ev;
    (void)bit;
}

static struct ub_event_vmt event_calls = {
    .add_bits = add_bits,
    .del_bits = del_bits,
    .set_fd = set_fd,
    .free = free_event,
    .add = add,
    .del = del,
    .add_timer = add_timer,
    .del_timer = del_timer,
    .add_signal = no_signal,
    .del_signal = del,
    .winsock_unregister_wsaevent = no_unregister,
    .winsock_tcp_wouldblock = no_wouldblock,
};

/* --- the calls of the base -------------------------------------------------------------------- */

static struct ub_event *new_event(struct ub_event_base *ub, int fd, short bits, event_fn *fn,
                                  void *arg)
{
    struct event *e = mem_type(struct event);

    e->ub.magic = UB_EVENT_MAGIC;
    e->ub.vmt = &event_calls;
    e->loop = container_of(ub, struct base, ub)->loop;
    e->io.fn = on_io;
    e->timer.fn = on_timer;
    e->fd = fd;
    e->bits = bits;
    e->fn = fn;
    e->arg = arg;
    return &e->ub;
}

static struct ub_event *no_new_signal(struct ub_event_base *ub, int signo, event_fn *fn, void *arg)
{
    (void)ub;
    (void)signo;
    (void)fn;
    (void)arg;
    return NULL;
}

static struct ub_event *no_new_wsaevent(struct ub_event_base *ub, void *ws, event_fn *fn, void *arg)
{
    (void)ub;
    (void)ws;
    (void)fn;
    (void)arg;
    return NULL;
}

static int no_dispatch(struct ub_event_base *ub)
{
    (void)ub;
    return -1;
}

static int no_exit(struct ub_event_base *ub, struct timeval *tv)
{
    (void)ub;
    (void)tv;
    return 0;
}

void ub_loop_free(struct ub_event_base *ub)
{
    if (ub)
        free(container_of(ub, struct base, ub));
}

static struct ub_event_base_vmt base_calls = {
    .free = ub_loop_free,
    .dispatch = no_dispatch,
    .loopexit = no_exit,
    .new_event = new_event,
    .new_signal = no_new_signal,
    .winsock_register_wsaevent = no_new_wsaevent,
};

struct ub_event_base *ub_loop_new(struct loop *l)
{
    struct base *b = mem_type(struct base);

    b->ub.magic = UB_EVENT_MAGIC;
    b->ub.vmt = &base_calls;
    b->loop = l;
    return &b->ub;
}
