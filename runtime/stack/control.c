/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/stack/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"

#define BACKLOG 16

static void free_ask(struct loop_call *c)
{
    free(container_of(c, struct control_ask, free_call));
}

static void end(struct control_ask *a)
{
    loop_io_del(&a->io);
    loop_timer_del(&a->timer);
    if (a->fd >= 0)
        (void)close(a->fd);
    a->fd = -1;
    list_del(&a->node);
    a->control->asks_n--;
    buf_done(&a->out);
    loop_defer(a->control->loop, &a->free_call);
}

static void on_idle(struct loop_timer *t)
{
    end(container_of(t, struct control_ask, timer));
}

static void send_some(struct control_ask *a)
{
    ssize_t n = send(a->fd, a->out.p + a->sent, a->out.n - a->sent, MSG_NOSIGNAL);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0)
        a->sent += (size_t)n;
    if (n <= 0 || a->sent == a->out.n)
        end(a);
}

static void ask(struct control_ask *a)
{
    struct str verb = {a->line, a->line_n};
    struct str arg = STR_NONE;

    a->asked = true;
    loop_timer_del(&a->timer);
    loop_io_set(&a->io, 0);
    (void)str_cut(verb, ' ', &verb, &arg); /* no argument is fine */
    a->control->fn(a->control, a, verb, arg);
}

static void on_ask(struct loop_io *io, unsigned events)
{
    struct control_ask *a = container_of(io, struct control_ask, io);
    ssize_t n;

    if (a->asked && a->out.n) {
        send_some(a);
        return;
    }
    if (a->asked) { /* whoever asked is gone; the work goes on */
        if (events & LOOP_HANGUP)
            end(a);
        return;
    }
    n = recv(a->fd, a->line + a->line_n, sizeof(a->line) - a->line_n, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        end(a);
        return;
    }
    a->line_n += (size_t)n;
    const char *newline = memchr(a->line, '\n', a->line_n);

    if (newline) {
        a->line_n = (size_t)(newline - a->line);
        ask(a);
    } else if (a->line_n == sizeof(a->line)) {
        end(a);
    }
}

static void on_accept(struct loop_io *io, unsigned events)
{
    struct control *c = container_of(io, struct control, io);
    own_fd int fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct err ignored = {0};
    struct control_ask *a;

    (void)events;
    if (fd < 0 || c->asks_n >= CONTROL_ASKS_MAX)
        return;
    a = mem_type(struct control_ask);
    *a = (struct control_ask){.control = c,
                              .fd = take_fd(&fd),
                              .io = {.fn = on_ask},
                              .timer = {.fn = on_idle},
                              .free_call = {.fn = free_ask},
                              .out = BUF_INIT(CONTROL_TEXT_MAX)};
    list_add_tail(&c->asks, &a->node);
    c->asks_n++;
    loop_timer_set(c->loop, &a->timer, CONTROL_IDLE_MS);
    if (loop_io_add(c->loop, &a->io, a->fd, LOOP_READ, &ignored) < 0)
        end(a);
}

int control_open(struct control *c, struct loop *loop, const char *path, struct err *err)
{
    list_init(&c->asks);
    c->asks_n = 0;
    c->loop = loop;
    c->io = (struct loop_io){.fn = on_accept};
    c->fd = fd_unix_listen(path, SOCK_STREAM, 0600, BACKLOG, err);
    if (c->fd < 0 || fd_set_nonblock(c->fd, true, err) < 0)
        return -1;
    return loop_io_add(loop, &c->io, c->fd, LOOP_READ, err);
}

void control_close(struct control *c)
{
    if (c->fd < 0)
        return;
    list_for_each (it, next, &c->asks)
        end(list_of(it, struct control_ask, node));
    loop_io_del(&c->io);
    (void)close(c->fd);
    c->fd = -1;
}

void control_answer(struct control_ask *a, struct str text)
{
    buf_append(&a->out, text);
    if (a->out.n == 0)
        buf_append_c(&a->out, "error the answer is too long\n");
    loop_timer_set(a->control->loop, &a->timer, CONTROL_IDLE_MS);
    loop_io_set(&a->io, LOOP_WRITE);
}

void control_flush(struct control *c)
{
    list_for_each (it, next, &c->asks) {
        struct control_ask *a = list_of(it, struct control_ask, node);
        struct err ignored = {0};

        if (a->out.n && fd_set_nonblock(a->fd, false, &ignored) == 0 &&
            fd_write_all(a->fd, str_skip(buf_str(&a->out), a->sent), &ignored) < 0)
            err_reset(&ignored); /* whoever asked is gone */
        end(a);
    }
}

static int read_answer(int fd, struct buf *out, struct err *err)
{
    for (;;) {
        char bytes[16384];
        ssize_t n = read(fd, bytes, sizeof(bytes));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return err_set(err, ETIMEDOUT, "no answer");
        if (n < 0)
            return err_set(err, errno, "read the supervisor's answer");
        if (n == 0)
            return buf_check(out, "the supervisor's answer", err);
        buf_append_n(out, bytes, (size_t)n);
    }
}

int control_call(const char *path, const char *line, unsigned wait_s, struct buf *out,
                 struct err *err)
{
    const struct timeval wait = {.tv_sec = wait_s};
    own_fd int fd = fd_unix_connect(path, SOCK_STREAM, err);
    own_buf struct buf text = BUF_INIT(CONTROL_TEXT_MAX);
    own_buf struct buf ask_line = BUF_INIT(CONTROL_LINE_MAX);
    struct str head;
    struct str rest;

    buf_printf(&ask_line, "%s\n", line);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) < 0)
        return err_set(err, errno, "limit the wait for an answer");
    if (fd < 0 || buf_check(&ask_line, "request", err) < 0 ||
        fd_write_all(fd, buf_str(&ask_line), err) < 0 || read_answer(fd, &text, err) < 0)
        return -1;
    if (!str_cut(buf_str(&text), '\n', &head, &rest))
        return err_set(err, EPIPE, "the supervisor ended without an answer");
    if (str_starts(head, STR("error ")))
        return err_set(err, 0, "%.*s", STR_ARG(str_skip(head, 6)));
    if (!str_eq(head, STR("ok")))
        return err_set(err, EPROTO, "the supervisor answered '%.*s'", STR_ARG(head));
    buf_append(out, rest);
    return buf_check(out, "answer", err);
}
