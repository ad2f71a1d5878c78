/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/stack/dial.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/dialmsg.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"
#include "runtime/stack/logs.h"

#define OWN_MAX 256 /* addresses of this host that are looked at */

struct pending {
    struct dial *dial;
    struct list node;
    struct loop_io io;
    struct loop_timer timer;
    struct dialmsg_request request;
    int fd;
};

static void answer(struct dial *d, const struct dialmsg_answer *a, int fd)
{
    struct buf out = BUF_INIT(DIALMSG_MAX);
    struct err err = {0};

    dialmsg_format_answer(a, &out);
    if (d->fd >= 0 && fd_send(d->fd, buf_str(&out), &fd, fd >= 0 ? 1 : 0, &err) < 0)
        logs_say(d->logs, LOG_LEVEL_WARN, "dial.answer", LOG_S("service", d->service),
                 LOG_S("error", err.text));
    buf_done(&out);
}

static void tell(struct dial *d, enum log_level level, const struct dialmsg_request *r,
                 const char *result)
{
    struct buf to = BUF_INIT(128);

    dialmsg_format_addr(&r->addr, &to);
    logs_say(d->logs, level, "dial", LOG_S("service", d->service), LOG_STR("to", buf_str(&to)),
             LOG_S("result", result));
    buf_done(&to);
}

static void fail(struct dial *d, const struct dialmsg_request *r, int code)
{
    const char *text = strerrordesc_np(code);
    struct dialmsg_answer a = {
        .kind = DIALMSG_ERROR, .id = r->id, .code = code, .text = str_of(text ? text : "failed")};

    tell(d, LOG_LEVEL_INFO, r, text ? text : "failed");
    answer(d, &a, -1);
}

static void drop(struct pending *p)
{
    loop_io_del(&p->io);
    loop_timer_del(&p->timer);
    if (p->fd >= 0)
        (void)close(p->fd);
    list_del(&p->node);
    p->dial->pending_n--;
    free(p);
}

static void finish(struct pending *p, int code)
{
    struct dialmsg_answer a = {.kind = DIALMSG_OK, .id = p->request.id};

    if (code) {
        fail(p->dial, &p->request, code);
    } else {
        tell(p->dial, LOG_LEVEL_INFO, &p->request, "connected");
        answer(p->dial, &a, p->fd);
    }
    drop(p);
}

static void on_connected(struct loop_io *io, unsigned events)
{
    struct pending *p = container_of(io, struct pending, io);
    int code = 0;
    socklen_t n = sizeof(code);

    (void)events;
    if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &code, &n) < 0)
        code = errno;
    finish(p, code);
}

static void on_timeout(struct loop_timer *t)
{
    finish(container_of(t, struct pending, timer), ETIMEDOUT);
}

/* --- starting one -------------------------------------------------------------------------------
 */

static size_t own_addresses(struct sockaddr_storage *out, size_t max)
{
    struct ifaddrs *list = NULL;
    size_t n = 0;

    if (getifaddrs(&list) < 0)
        return 0; /* the special ranges still hold */
    for (const struct ifaddrs *i = list; i && n < max; i = i->ifa_next) {
        if (!i->ifa_addr)
            continue;
        if (i->ifa_addr->sa_family == AF_INET)
            memcpy(&out[n++], i->ifa_addr, sizeof(struct sockaddr_in));
        else if (i->ifa_addr->sa_family == AF_INET6)
            memcpy(&out[n++], i->ifa_addr, sizeof(struct sockaddr_in6));
    }
    freeifaddrs(list);
    return n;
}

static const char *refused(const struct dial *d, const struct dialmsg_request *r)
{
    struct sockaddr_storage *own = mem_array(OWN_MAX, sizeof(*own));
    size_t n = own_addresses(own, OWN_MAX);
    const char *why = dialpolicy_refuses(&d->policy, &r->addr, own, n);

    free(own);
    if (!why && d->pending_n >= DIAL_PENDING_MAX)
        return "too many connections under way";
    return why;
}

static int begin(struct pending *p, struct err *err)
{
    struct dial *d = p->dial;
    const struct sockaddr_storage *to = &p->request.addr;
    socklen_t n =
        to->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    uint32_t ms = p->request.timeout_ms;

    p->fd = socket(to->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (p->fd < 0)
        return err_set(err, errno, "socket");
    if (connect(p->fd, (const struct sockaddr *)to, n) < 0 && errno != EINPROGRESS)
        return err_set(err, errno, "connect");
    p->io.fn = on_connected;
    p->timer.fn = on_timeout;
    loop_timer_set(d->loop, &p->timer,
                   ms == 0 || ms > DIAL_TIMEOUT_MAX_MS ? DIAL_TIMEOUT_MAX_MS : ms);
    return loop_io_add(d->loop, &p->io, p->fd, LOOP_WRITE, err);
}

static void start(struct dial *d, const struct dialmsg_request *r)
{
    const char *why = refused(d, r);
    struct dialmsg_answer no = {.kind = DIALMSG_REFUSED, .id = r->id, .text = str_of(why)};
    struct err err = {0};
    struct pending *p;

    if (why) {
        tell(d, LOG_LEVEL_WARN, r, why);
        answer(d, &no, -1);
        return;
    }
    p = mem_type(struct pending);
    *p = (struct pending){.dial = d, .request = *r, .fd = -1};
    list_add_tail(&d->pending, &p->node);
    d->pending_n++;
    if (begin(p, &err) < 0)
        finish(p, err.code ? err.code : EIO);
}

static void on_request(struct loop_io *io, unsigned events)
{
    struct dial *d = container_of(io, struct dial, io);
    char text[DIALMSG_MAX];
    struct dialmsg_request r;
    struct err err = {0};
    size_t no_fds = 0;
    ssize_t n = fd_recv(d->fd, text, sizeof(text), NULL, &no_fds, &err);

    (void)events;
    if (n < 0 && (err.code == EAGAIN || err.code == EINTR))
        return;
    if (n > 0 && dialmsg_parse_request((struct str){text, (size_t)n}, &r, &err) == 0) {
        start(d, &r);
        return;
    }
    if (n != 0)
        logs_say(d->logs, LOG_LEVEL_WARN, "dial.end", LOG_S("service", d->service),
                 LOG_S("error", err.text));
    dial_close(d);
}

void dial_init(struct dial *d, const char *service, struct loop *loop, struct logs *logs)
{
    *d = (struct dial){.service = service, .loop = loop, .logs = logs, .fd = -1};
    d->io.fn = on_request;
    list_init(&d->pending);
}

int dial_open(struct dial *d, struct err *err)
{
    int fds[2];

    dial_close(d);
    if (fd_socketpair(SOCK_SEQPACKET, fds, err) < 0)
        return -1;
    own_fd int theirs = fds[1];

    d->fd = fds[0];
    if (fd_set_nonblock(d->fd, true, err) < 0 ||
        loop_io_add(d->loop, &d->io, d->fd, LOOP_READ, err) < 0)
        return -1;
    return take_fd(&theirs);
}

void dial_close(struct dial *d)
{
    list_for_each (it, next, &d->pending)
        drop(list_of(it, struct pending, node));
    loop_io_del(&d->io);
    if (d->fd >= 0)
        (void)close(d->fd);
    d->fd = -1;
}
