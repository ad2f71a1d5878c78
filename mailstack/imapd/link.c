/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/imapd/link.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/own.h"

#define READ_CHUNK 16384
#define PRINTF_MAX 1024
#define LINGER_MS  10000 /* for a peer to read what was written last */

static void want(struct link *l)
{
    bool room = l->in.n < LINK_IN_MAX;
    unsigned events = 0;

    if (l->over)
        return;
    if (!l->paused && !l->finishing && room)
        events |= LOOP_READ;
    if (l->out.n > 0)
        events |= LOOP_WRITE;
    loop_io_set(&l->io, events);
}

static void end(struct link *l)
{
    if (l->over)
        return;
    l->over = true;
    loop_io_del(&l->io);
    loop_timer_del(&l->timer);
    l->ops->closed(l);
}

/* false: the link is over. */
static bool write_out(struct link *l)
{
    while (l->out.n > 0) {
        ssize_t n = send(l->fd, l->out.p, l->out.n, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return true;
        if (n < 0) {
            end(l);
            return false;
        }
        buf_consume(&l->out, (size_t)n);
    }
    buf_shrink(&l->out);
    return true;
}

static void after_write(struct link *l, bool had)
{
    if (l->out.failed || (l->finishing && l->out.n == 0)) {
        end(l);
        return;
    }
    want(l);
    if (had && l->out.n == 0)
        l->ops->drained(l);
}

static bool read_in(struct link *l)
{
    size_t room = LINK_IN_MAX - l->in.n;
    char *to = buf_reserve(&l->in, room < READ_CHUNK ? room : READ_CHUNK);
    ssize_t n;

    if (to == NULL)
        return true;
    n = recv(l->fd, to, room < READ_CHUNK ? room : READ_CHUNK, 0);
    if (n > 0) {
        buf_commit(&l->in, (size_t)n);
        l->ops->input(l);
        return !l->over;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    end(l);
    return false;
}

static void on_io(struct loop_io *io, unsigned events)
{
    struct link *l = container_of(io, struct link, io);
    bool had = l->out.n > 0;

    if ((events & LOOP_WRITE) != 0 && !write_out(l))
        return;
    if ((events & LOOP_WRITE) != 0)
        after_write(l, had);
    if (l->over)
        return;
    if ((events & (LOOP_READ | LOOP_HANGUP)) != 0 && (io->events & LOOP_READ) != 0) {
        if (read_in(l))
            want(l);
        return;
    }
    if ((events & LOOP_HANGUP) != 0 && (events & LOOP_WRITE) == 0)
        end(l); /* nobody reads any more */
}

static void on_flush(struct loop_call *call)
{
    struct link *l = container_of(call, struct link, flush);
    bool had = l->out.n > 0;

    if (!l->over && write_out(l))
        after_write(l, had);
}

static void on_timer(struct loop_timer *t)
{
    end(container_of(t, struct link, timer));
}

int link_init(struct link *l, struct loop *loop, int fd, const struct link_ops *ops,
              struct err *err)
{
    *l = (struct link){.loop = loop, .ops = ops, .fd = fd};
    buf_init(&l->in, LINK_IN_MAX);
    buf_init(&l->out, LINK_OUT_MAX);
    l->io.fn = on_io;
    l->timer.fn = on_timer;
    l->flush.fn = on_flush;
    if (fd_set_nonblock(fd, true, err) < 0 || loop_io_add(loop, &l->io, fd, LOOP_READ, err) < 0) {
        link_done(l);
        return -1;
    }
    return 0;
}

void link_done(struct link *l)
{
    l->over = true;
    loop_io_del(&l->io);
    loop_timer_del(&l->timer);
    own_close_fd(&l->fd);
    l->fd = -1;
    buf_done(&l->in);
    buf_done(&l->out);
}

void link_consume(struct link *l, size_t n)
{
    buf_consume(&l->in, n);
    if (l->in.n == 0)
        buf_shrink(&l->in);
    want(l);
}

void link_pause(struct link *l, bool paused)
{
    l->paused = paused;
    want(l);
}

struct buf *link_out(struct link *l)
{
    return &l->out;
}

void link_wrote(struct link *l)
{
    if (!l->over)
        loop_defer(l->loop, &l->flush);
}

void link_put(struct link *l, struct str s)
{
    buf_append(&l->out, s);
    link_wrote(l);
}

void link_printf(struct link *l, const char *fmt, ...)
{
    char text[PRINTF_MAX];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap); /* our own words: cut at the most */
    va_end(ap);
    link_put(l, str_of(text));
}

bool link_is_full(const struct link *l)
{
    return l->out.n > LINK_OUT_SOFT;
}

void link_finish(struct link *l)
{
    l->finishing = true;
    loop_timer_set(l->loop, &l->timer, LINGER_MS);
    link_wrote(l);
}

void link_deadline(struct link *l, uint64_t ms)
{
    if (!l->finishing)
        loop_timer_set(l->loop, &l->timer, ms);
}
