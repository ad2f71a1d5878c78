/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/daemon/handoff_in.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/loop.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"

#include "mailstack/lib/daemon/given.h"
#include "mailstack/lib/proto/handoff.h"

#define LISTEN_MAX 8

struct pending {
    struct list node;
    struct handoff_in *in;
    struct loop_io io;
    struct loop_timer timer;
    struct loop_call freeing;
    int fd;
};

struct listener {
    struct loop_io io;
    struct handoff_in *in;
};

struct handoff_in {
    struct loop *loop;
    handoff_fn *fn;
    void *ctx;
    struct listener listener[LISTEN_MAX];
    size_t listener_n;
    struct list pending;
    size_t pending_n;
    char message[HANDOFF_MAX];
};

static void free_pending(struct loop_call *call)
{
    free(container_of(call, struct pending, freeing));
}

static void end_pending(struct pending *p)
{
    if (p->fd < 0)
        return;
    loop_io_del(&p->io);
    loop_timer_del(&p->timer);
    own_close_fd(&p->fd);
    p->fd = -1;
    list_del(&p->node);
    p->in->pending_n--;
    p->freeing.fn = free_pending;
    loop_defer(p->in->loop, &p->freeing);
}

static void on_timeout(struct loop_timer *t)
{
    end_pending(container_of(t, struct pending, timer));
}

static void take(struct handoff_in *in, struct str raw, int fd)
{
    struct err err = {0};
    struct handoff h;

    if (handoff_parse(raw, &h, &err) < 0) {
        log_warn("handoff.refused", LOG_S("error", err.text));
        own_close_fd(&fd);
        return;
    }
    in->fn(in->ctx, &h, raw, fd);
}

static void on_message(struct loop_io *io, unsigned events)
{
    struct pending *p = container_of(io, struct pending, io);
    struct handoff_in *in = p->in;
    struct err err = {0};
    size_t fds_n = 1;
    int fd = -1;
    ssize_t n;

    (void)events;
    n = fd_recv(p->fd, in->message, sizeof(in->message), &fd, &fds_n, &err);
    if (n < 0 && err.code == EAGAIN)
        return;
    end_pending(p);
    if (n > 0 && fds_n == 1)
        take(in, (struct str){in->message, (size_t)n}, fd);
    else if (n != 0)
        log_warn("handoff.refused",
                 LOG_S("error", n < 0 ? err.text : "no descriptor came with it"));
}

static void on_connection(struct loop_io *io, unsigned events)
{
    struct handoff_in *in = container_of(io, struct listener, io)->in;
    struct err err = {0};
    struct pending *p;
    int fd;

    (void)events;
    fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return; /* gone again, or taken by another process */
    if (in->pending_n >= HANDOFF_IN_PENDING) {
        log_warn("handoff.too_many");
        own_close_fd(&fd);
        return;
    }
    p = mem_type(struct pending);
    p->in = in;
    p->fd = fd;
    p->io.fn = on_message;
    p->timer.fn = on_timeout;
    list_add_tail(&in->pending, &p->node);
    in->pending_n++;
    if (loop_io_add(in->loop, &p->io, fd, LOOP_READ, &err) < 0) {
        end_pending(p);
        return;
    }
    loop_timer_set(in->loop, &p->timer, HANDOFF_IN_WAIT_MS);
}

static int watch(struct handoff_in *in, int fd, struct err *err)
{
    struct listener *l = &in->listener[in->listener_n];

    l->in = in;
    l->io.fn = on_connection;
    if (fd_set_nonblock(fd, true, err) < 0 || loop_io_add(in->loop, &l->io, fd, LOOP_READ, err) < 0)
        return -1;
    in->listener_n++;
    return 0;
}

struct handoff_in *handoff_in_new(struct loop *l, const struct given *g, const char *name,
                                  handoff_fn *fn, void *ctx, struct err *err)
{
    struct handoff_in *in = mem_type(struct handoff_in);
    int fd;

    in->loop = l;
    in->fn = fn;
    in->ctx = ctx;
    list_init(&in->pending);
    while (in->listener_n < LISTEN_MAX && (fd = given_fd(g, name, in->listener_n)) >= 0) {
        if (watch(in, fd, err) < 0) {
            handoff_in_free(in);
            return NULL;
        }
    }
    if (in->listener_n == 0) {
        (void)err_set(err, 0, "no socket named '%s' was given", name);
        handoff_in_free(in);
        return NULL;
    }
    return in;
}

void handoff_in_close_listening(struct handoff_in *in)
{
    for (size_t i = 0; i < in->listener_n; i++)
        own_close_fd(&in->listener[i].io.fd);
    list_for_each (it, next, &in->pending)
        own_close_fd(&list_of(it, struct pending, node)->fd);
}

void handoff_in_free(struct handoff_in *in)
{
    if (in == NULL)
        return;
    for (size_t i = 0; i < in->listener_n; i++)
        loop_io_del(&in->listener[i].io);
    list_for_each (it, next, &in->pending)
        end_pending(list_of(it, struct pending, node));
    free(in);
}
