/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/stack/listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/own.h"

static socklen_t sa_len(const struct sockaddr_storage *sa)
{
    return sa->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static int bind_one(const struct stack_addr *a, const char *proto, struct err *err)
{
    own_fd int fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1;

    if (fd < 0 && errno == EAFNOSUPPORT && a->optional)
        return err_set(err, EAFNOSUPPORT, "IPv6");
    if (fd < 0)
        return err_set(err, errno, "socket for %s", proto);
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
        return err_set(err, errno, "SO_REUSEADDR");
    if (a->sa.ss_family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0)
        return err_set(err, errno, "IPV6_V6ONLY");
    if (bind(fd, (const struct sockaddr *)&a->sa, sa_len(&a->sa)) < 0 ||
        listen(fd, LISTEN_BACKLOG) < 0)
        return err_set(err, errno, "listen on %s for %s", a->text, proto);
    return take_fd(&fd);
}

static int find(const struct listen *l, enum stack_port port, const struct sockaddr_storage *sa)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->v[i].port == port && memcmp(&l->v[i].sa, sa, sa_len(sa)) == 0)
            return l->v[i].fd;
    return -1;
}

static int has_fd(const struct listen *l, int fd)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->v[i].fd == fd)
            return 1;
    return 0;
}

static void close_except(const struct listen *l, const struct listen *keep)
{
    for (size_t i = 0; i < l->n; i++)
        if (!has_fd(keep, l->v[i].fd))
            (void)close(l->v[i].fd);
}

/* An address that moved from one protocol to another is still bound under the old one: it is taken
 * over as it is, for a port says nothing about what is spoken on it. */
static int find_any(const struct listen *l, const struct sockaddr_storage *sa)
{
    for (int p = 0; p < STACK_PORTS; p++) {
        int fd = find(l, (enum stack_port)p, sa);

        if (fd >= 0)
            return fd;
    }
    return -1;
}

static int add(struct listen *next, const struct listen *old, enum stack_port port,
               const struct stack_addr *a, struct err *err)
{
    int fd = find_any(old, &a->sa);

    if (fd < 0)
        fd = bind_one(a, stack_port_names[port], err);
    if (fd < 0 && a->optional && (err->code == EAFNOSUPPORT || err->code == EADDRNOTAVAIL))
        return 0;
    if (fd < 0)
        return -1;
    next->v[next->n++] = (struct listen_socket){.port = port, .sa = a->sa, .fd = fd};
    return 0;
}

int listen_update(struct listen *l, const struct stack_config *c, struct err *err)
{
    struct listen next = {0};

    for (int p = 0; p < STACK_PORTS; p++)
        for (size_t i = 0; i < c->listen[p].n; i++)
            if (add(&next, l, (enum stack_port)p, &c->listen[p].v[i], err) < 0) {
                close_except(&next, l);
                return -1;
            }
    close_except(l, &next);
    *l = next;
    return 0;
}

void listen_done(struct listen *l)
{
    for (size_t i = 0; i < l->n; i++)
        (void)close(l->v[i].fd);
    l->n = 0;
}
