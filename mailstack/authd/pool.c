/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/authd/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"

#include "mailstack/lib/auth/password.h"

#define MESSAGE_MAX 4096

struct verdict {
    uint64_t id;
    int32_t result; /* as of password_check */
};

struct pool {
    struct loop *loop;
    struct loop_io io;
    struct loop_call late; /* answers AUTH_TEMP to checks that could not be handed out */
    int parent_fd;
    int worker_fd;
    struct list pending;
    struct list refused;
    size_t pending_n;
    uint64_t next_id;
};

static void answer(struct pool_check *c, enum auth_verdict v)
{
    pool_cancel(c);
    c->fn(c, v);
}

static struct pool_check *find(struct pool *p, uint64_t id)
{
    list_for_each (it, next, &p->pending) {
        struct pool_check *c = list_of(it, struct pool_check, node);

        if (c->id == id)
            return c;
    }
    return NULL;
}

static enum auth_verdict as_verdict(int32_t result)
{
    if (result < 0)
        return AUTH_TEMP;
    return result ? AUTH_YES : AUTH_NO;
}

static void on_verdict(struct loop_io *io, unsigned events)
{
    struct pool *p = container_of(io, struct pool, io);
    struct verdict v;

    (void)events;
    while (recv(p->parent_fd, &v, sizeof(v), MSG_DONTWAIT) == (ssize_t)sizeof(v)) {
        struct pool_check *c = find(p, v.id);

        if (c)
            answer(c, as_verdict(v.result));
    }
}

static void on_timeout(struct loop_timer *t)
{
    struct pool_check *c = container_of(t, struct pool_check, timer);

    log_warn("auth.worker", LOG_S("error", "no verdict in time"));
    answer(c, AUTH_TEMP);
}

static void on_late(struct loop_call *call)
{
    struct pool *p = container_of(call, struct pool, late);

    while (!list_empty(&p->refused))
        answer(list_of(list_first(&p->refused), struct pool_check, node), AUTH_TEMP);
}

struct pool *pool_new(struct loop *l, struct err *err)
{
    struct pool *p = mem_type(struct pool);
    int fds[2];

    list_init(&p->pending);
    list_init(&p->refused);
    p->loop = l;
    p->io.fn = on_verdict;
    p->late.fn = on_late;
    if (fd_socketpair(SOCK_SEQPACKET, fds, err) < 0) {
        free(p);
        return NULL;
    }
    p->parent_fd = fds[0];
    p->worker_fd = fds[1];
    if (loop_io_add(l, &p->io, p->parent_fd, LOOP_READ, err) < 0) {
        pool_free(p);
        return NULL;
    }
    return p;
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    loop_io_del(&p->io);
    (void)close(p->parent_fd); /* Linux closes even on an error */
    (void)close(p->worker_fd);
    free(p);
}

/* "id, stored, NUL, password": false if it could not be handed out. */
static bool hand_out(struct pool *p, uint64_t id, const char *stored, struct str password)
{
    struct buf b = BUF_INIT(MESSAGE_MAX);
    struct err err = {0};

    buf_append_n(&b, &id, sizeof(id));
    buf_append_n(&b, stored, strlen(stored) + 1);
    buf_append(&b, password);
    bool sent = buf_check(&b, "password check", &err) == 0 &&
                send(p->parent_fd, b.p, b.n, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)b.n;

    if (b.p)
        explicit_bzero(b.p, b.n);
    buf_done(&b);
    return sent;
}

void pool_ask(struct pool *p, struct pool_check *c, const char *stored, struct str password)
{
    c->pool = p;
    c->id = ++p->next_id;
    c->timer.fn = on_timeout;
    p->pending_n++;
    if (p->pending_n <= POOL_PENDING_MAX && hand_out(p, c->id, stored, password)) {
        list_add_tail(&p->pending, &c->node);
        loop_timer_set(p->loop, &c->timer, POOL_WAIT_MS);
        return;
    }
    list_add_tail(&p->refused, &c->node);
    loop_defer(p->loop, &p->late);
}

void pool_cancel(struct pool_check *c)
{
    if (!c->pool)
        return;
    c->pool->pending_n--;
    c->pool = NULL;
    list_del(&c->node);
    loop_timer_del(&c->timer);
}

static int check(char *message, size_t n)
{
    struct err err = {0};
    char *stored = message + sizeof(uint64_t);
    char *end = memchr(stored, '\0', n - sizeof(uint64_t));
    struct str password;

    if (!end)
        return -1;
    password = (struct str){end + 1, n - (size_t)(end + 1 - message)};
    int r = password_check(stored, password, &err);

    if (r < 0)
        log_warn("auth.hash", LOG_S("error", err.text));
    return r;
}

int pool_work(unsigned i, void *ctx)
{
    struct pool *p = ctx;
    char message[MESSAGE_MAX];

    (void)i;
    (void)close(p->parent_fd); /* so that the parent's end closes with the parent */
    for (;;) {
        ssize_t n = recv(p->worker_fd, message, sizeof(message), 0);
        struct verdict v = {0};

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= (ssize_t)sizeof(v.id))
            return 0; /* authd is gone */
        memcpy(&v.id, message, sizeof(v.id));
        v.result = check(message, (size_t)n);
        explicit_bzero(message, (size_t)n);
        if (send(p->worker_fd, &v, sizeof(v), MSG_NOSIGNAL) < 0)
            return 0;
    }
}
