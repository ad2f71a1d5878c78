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

enum added {
    ADDED_FAILED = -1,
    ADDED,
    ADDED_NOT, /* an optional one that this host cannot have */
};

static enum added add(struct listen *next, const struct listen *old, enum stack_port port,
                      const struct stack_addr *a, struct err *err)
{
    int fd = find_any(old, &a->sa);

    if (fd < 0)
        fd = bind_one(a, stack_port_names[port], err);
    if (fd < 0 && a->optional && (err->code == EAFNOSUPPORT || err->code == EADDRNOTAVAIL))
        return ADDED_NOT;
    if (fd < 0)
        return ADDED_FAILED;
    next->v[next->n++] = (struct listen_socket){.port = port, .sa = a->sa, .fd = fd};
    return ADDED;
}

/* All addresses of one protocol; those that cannot be leave the list. */
static int add_port(struct listen *next, const struct listen *old, enum stack_port port,
                    struct stack_config *c, struct err *err)
{
    size_t kept = 0;

    for (size_t i = 0; i < c->listen[port].n; i++) {
        enum added r = add(next, old, port, &c->listen[port].v[i], err);

        if (r == ADDED_FAILED)
            return -1;
        if (r == ADDED)
            c->listen[port].v[kept++] = c->listen[port].v[i];
    }
    c->listen[port].n = kept;
    return 0;
}

int listen_prepare(const struct listen *l, struct stack_config *c, struct listen *next,
                   struct err *err)
{
    *next = (struct listen){0};
    for (int p = 0; p < STACK_PORTS; p++)
        if (add_port(next, l, (enum stack_port)p, c, err) < 0) {
            listen_abandon(l, next);
            return -1;
        }
    return 0;
}

void listen_commit(struct listen *l, struct listen *next)
{
    close_except(l, next);
    *l = *next;
    next->n = 0;
}

void listen_abandon(const struct listen *l, struct listen *next)
{
    close_except(next, l);
    next->n = 0;
}

void listen_done(struct listen *l)
{
    for (size_t i = 0; i < l->n; i++)
        (void)close(l->v[i].fd);
    l->n = 0;
}
