/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/container/usernet_ports.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"
#include "runtime/spec/publish.h"

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static socklen_t fill(const struct publish *p, int family, union address *out)
{
    memset(out, 0, sizeof *out);
    out->any.sa_family = (sa_family_t)family;
    if (family == AF_INET) {
        out->v4.sin_port = htons(p->host);
        if (p->family == PUBLISH_IPV4)
            (void)inet_pton(AF_INET, p->address, &out->v4.sin_addr); /* it was parsed */
        return sizeof out->v4;
    }
    out->v6.sin6_port = htons(p->host);
    if (p->family == PUBLISH_IPV6)
        (void)inet_pton(AF_INET6, p->address, &out->v6.sin6_addr);
    return sizeof out->v6;
}

/* A descriptor, which holds the port until it is closed; -1 with errno. */
static int hold(const struct publish *p, int family)
{
    own_fd int fd = socket(family, (p->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
    union address a;
    socklen_t n = fill(p, family, &a);
    const int on = 1;

    if (fd < 0)
        return -1;
    if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0)
        return -1;
    /* What a server that has ended left behind is in nobody's way. */
    if (!p->udp && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
        return -1;
    if (bind(fd, &a.any, n) < 0 || (!p->udp && listen(fd, 1) < 0))
        return -1;
    return take_fd(&fd);
}

static int refuse(const struct publish *p, int code, struct err *err)
{
    own_buf struct buf text = BUF_INIT(128);

    publish_format(p, &text);
    return err_set(err, code, "publish '%s': bind port %u of the host", buf_c(&text), p->host);
}

static int hold_both(const struct publish *p, int out[2], struct err *err)
{
    if (p->family != PUBLISH_IPV6 && (out[0] = hold(p, AF_INET)) < 0)
        return refuse(p, errno, err);
    if (p->family == PUBLISH_IPV4 || (out[1] = hold(p, AF_INET6)) >= 0)
        return 0;
    /* A host without IPv6 has every address of its own all the same. */
    if (p->family == PUBLISH_EVERY && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL))
        return 0;
    return refuse(p, errno, err);
}

int usernet_ports_try(const struct publish *ports, size_t n, struct err *err)
{
    own_free int(*held)[2] = mem_array(n + 1, sizeof *held); /* n is at most PUBLISH_MAX */
    int r = 0;

    for (size_t i = 0; i < n; i++)
        held[i][0] = held[i][1] = -1;
    for (size_t i = 0; r == 0 && i < n; i++)
        r = hold_both(&ports[i], held[i], err);
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < 2; k++)
            own_close_fd(&held[i][k]);
    return r;
}
