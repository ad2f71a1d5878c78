/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/net/dial.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/dialmsg.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/own.h"
#include "runtime/base/rand.h"

/* The supervisor answers at its own time-out; this much later the asker gives up on the supervisor.
 */
#define GRACE_MS 2000

static int wait_for(int fd, short events, uint32_t timeout_ms, struct err *err)
{
    struct pollfd p = {.fd = fd, .events = events};
    int n = poll(&p, 1, (int)timeout_ms);

    if (n < 0)
        return err_set(err, errno, "wait for a connection");
    return n > 0 ? 0 : err_set(err, ETIMEDOUT, "connect");
}

static int direct(const struct sockaddr_storage *to, uint32_t timeout_ms, struct err *err)
{
    own_fd int fd = socket(to->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t n =
        to->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    int cause = 0;
    socklen_t cause_n = sizeof(cause);

    if (fd < 0)
        return err_set(err, errno, "make a socket");
    if (connect(fd, (const struct sockaddr *)to, n) == 0)
        return take_fd(&fd);
    if (errno != EINPROGRESS)
        return err_set(err, errno, "connect");
    if (wait_for(fd, POLLOUT, timeout_ms, err) < 0)
        return -1;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &cause, &cause_n) < 0)
        cause = errno;
    return cause ? err_set(err, cause, "connect") : take_fd(&fd);
}

static int take_answer(struct str message, uint64_t id, int *fd, struct err *err)
{
    struct dialmsg_answer a;

    if (dialmsg_parse_answer(message, &a, err) < 0)
        return -1;
    if (a.id != id)
        return err_set(err, EBADMSG, "an answer to another's request to connect");
    if (a.kind == DIALMSG_REFUSED)
        return err_set(err, EACCES, "connect: %.*s", STR_ARG(a.text));
    if (a.kind == DIALMSG_ERROR)
        return err_set(err, a.code, "connect");
    if (*fd < 0)
        return err_set(err, EBADMSG, "the supervisor said yes and gave no connection");
    return take_fd(fd);
}

int dial_tcp(int dial_fd, const struct sockaddr_storage *to, uint32_t timeout_ms, struct err *err)
{
    struct dialmsg_request r = {.id = rand_u64() >> 1, .addr = *to, .timeout_ms = timeout_ms};
    own_buf struct buf text = BUF_INIT(DIALMSG_MAX);
    char in[DIALMSG_MAX];
    own_fd int fd = -1;
    size_t fds_n = 1;

    if (dial_fd < 0)
        return direct(to, timeout_ms, err);
    dialmsg_format_request(&r, &text);
    if (buf_check(&text, "request to connect", err) < 0 ||
        fd_send(dial_fd, buf_str(&text), NULL, 0, err) < 0 ||
        wait_for(dial_fd, POLLIN, timeout_ms + GRACE_MS, err) < 0)
        return err_wrap(err, "ask the supervisor");
    ssize_t n = fd_recv(dial_fd, in, sizeof(in), &fd, &fds_n, err);

    if (n < 0)
        return err_wrap(err, "ask the supervisor");
    if (n == 0)
        return err_set(err, EPIPE, "ask the supervisor: it is away");
    return take_answer((struct str){in, (size_t)n}, r.id, &fd, err);
}
