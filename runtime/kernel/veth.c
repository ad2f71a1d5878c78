/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/kernel/veth.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/route.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/own.h"

#define RANGE      0x0a590000U /* 10.89.0.0 */
#define RANGE_BITS 16
#define TRIES      256

static void free_sock(struct nl_sock **s)
{
    nl_socket_free(*s);
}

static void free_addr(struct nl_addr **a)
{
    nl_addr_put(*a);
}

static void free_cache(struct nl_cache **c)
{
    nl_cache_free(*c);
}

#define own_sock  __attribute__((cleanup(free_sock)))
#define own_addr  __attribute__((cleanup(free_addr)))
#define own_cache __attribute__((cleanup(free_cache)))

static int nl_fail(struct err *err, int code, const char *what)
{
    return err_set(err, 0, "%s: %s", what, nl_geterror(code));
}

static struct nl_sock *open_route(struct err *err)
{
    struct nl_sock *s = nl_socket_alloc();
    int rc = s ? nl_connect(s, NETLINK_ROUTE) : -NLE_NOMEM;

    if (rc == 0)
        return s;
    (void)nl_fail(err, rc, "netlink");
    nl_socket_free(s);
    return NULL;
}

static int make_pair(struct nl_sock *s, const struct veth *v, pid_t pid, struct err *err)
{
    struct rtnl_link *link = rtnl_link_veth_alloc();
    struct rtnl_link *peer;
    int rc;

    if (!link)
        return err_set(err, ENOMEM, "veth pair");
    peer = rtnl_link_veth_get_peer(link);
    rtnl_link_set_name(link, v->name);
    rtnl_link_set_name(peer, v->peer_name);
    rtnl_link_set_ns_pid(peer, pid);
    rtnl_link_put(peer);
    rc = rtnl_link_add(s, link, NLM_F_CREATE | NLM_F_EXCL);
    rtnl_link_put(link);
    return rc < 0 ? nl_fail(err, rc, "make a veth pair") : 0;
}

static int link_up(struct nl_sock *s, int index, struct err *err)
{
    struct rtnl_link *link = rtnl_link_alloc();
    struct rtnl_link *change = rtnl_link_alloc();
    int rc = -NLE_NOMEM;

    if (link && change) {
        rtnl_link_set_ifindex(link, index);
        rtnl_link_set_flags(change, IFF_UP);
        rc = rtnl_link_change(s, link, change, 0);
    }
    rtnl_link_put(link);
    rtnl_link_put(change);
    return rc < 0 ? nl_fail(err, rc, "set an interface up") : 0;
}

static int add_addr(struct nl_sock *s, int index, uint32_t ip, unsigned bits, struct err *err)
{
    own_addr struct nl_addr *local = nl_addr_build(AF_INET, &ip, sizeof(ip));
    struct rtnl_addr *addr = rtnl_addr_alloc();
    int rc = -NLE_NOMEM;

    if (local && addr) {
        nl_addr_set_prefixlen(local, (int)bits);
        rtnl_addr_set_ifindex(addr, index);
        rc = rtnl_addr_set_local(addr, local);
        if (rc == 0)
            rc = rtnl_addr_add(s, addr, 0);
    }
    rtnl_addr_put(addr);
    return rc < 0 ? nl_fail(err, rc, "set an address") : 0;
}

static int add_default_route(struct nl_sock *s, int index, uint32_t via, struct err *err)
{
    uint32_t zero = 0;
    own_addr struct nl_addr *dst = nl_addr_build(AF_INET, &zero, sizeof(zero));
    own_addr struct nl_addr *gw = nl_addr_build(AF_INET, &via, sizeof(via));
    struct rtnl_route *route = rtnl_route_alloc();
    struct rtnl_nexthop *hop = rtnl_route_nh_alloc();
    int rc = -NLE_NOMEM;

    if (dst && gw && route && hop) {
        nl_addr_set_prefixlen(dst, 0);
        rtnl_route_nh_set_ifindex(hop, index);
        rtnl_route_nh_set_gateway(hop, gw);
        rtnl_route_add_nexthop(route, hop); /* the route's now */
        hop = NULL;
        rtnl_route_set_scope(route, RT_SCOPE_UNIVERSE);
        rc = rtnl_route_set_dst(route, dst);
        if (rc == 0)
            rc = rtnl_route_add(s, route, 0);
    }
    if (hop)
        rtnl_route_nh_free(hop);
    rtnl_route_put(route);
    return rc < 0 ? nl_fail(err, rc, "set a route") : 0;
}

static int index_of(const char *name, struct err *err)
{
    unsigned index = if_nametoindex(name);

    return index ? (int)index : err_set(err, errno, "interface '%s'", name);
}

static int set_up_here(struct nl_sock *s, const struct veth *v, struct err *err)
{
    int index = index_of(v->name, err);

    if (index < 0 || add_addr(s, index, v->addr, v->bits, err) < 0)
        return -1;
    return link_up(s, index, err);
}

static int set_up_there(const struct veth *v, int ns_fd, struct err *err)
{
    int index;
    int lo;

    if (setns(ns_fd, CLONE_NEWNET) < 0)
        return err_set(err, errno, "enter the network namespace");
    own_sock struct nl_sock *s = open_route(err);

    if (!s)
        return -1;
    lo = index_of("lo", err);
    index = index_of(v->peer_name, err);
    if (lo < 0 || index < 0 || link_up(s, lo, err) < 0 ||
        add_addr(s, index, v->peer_addr, v->bits, err) < 0 || link_up(s, index, err) < 0)
        return -1;
    return add_default_route(s, index, v->addr, err);
}

/* In a child of its own, for a thread that entered another namespace does not always get back. */
static int run_there(const struct veth *v, int ns_fd, struct err *err)
{
    int pipe_fds[2];
    struct err sent = {0};
    int status = 0;
    pid_t child;

    if (fd_pipe(pipe_fds, err) < 0)
        return -1;
    child = fork();
    if (child == 0) {
        bool ok = set_up_there(v, ns_fd, &sent) == 0;

        (void)!write(pipe_fds[1], &sent, sizeof(sent)); /* the exit code tells it too */
        _exit(ok ? 0 : 1);
    }
    (void)close(pipe_fds[1]);
    own_fd int read_fd = pipe_fds[0];

    if (child < 0)
        return err_set(err, errno, "fork");
    if (fd_read_full(read_fd, &sent, sizeof(sent), err) < 0)
        sent.text[0] = '\0';
    if (TEMP_FAILURE_RETRY(waitpid(child, &status, 0)) < 0)
        return err_set(err, errno, "waitpid");
    if (status == 0)
        return 0;
    return err_set(err, 0, "network of the container: %s", sent.text);
}

int veth_attach(const struct veth *v, pid_t pid, struct err *err)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
    own_fd int ns_fd = open(path, O_RDONLY | O_CLOEXEC);
    own_sock struct nl_sock *s = open_route(err);

    if (!s)
        return -1;
    if (ns_fd < 0)
        return err_set(err, errno, "open '%s'", path);
    if (make_pair(s, v, pid, err) < 0)
        return -1;
    if (set_up_here(s, v, err) < 0 || run_there(v, ns_fd, err) < 0) {
        struct err ignored = {0};

        if (veth_delete(v->name, &ignored) < 0)
            err_reset(&ignored); /* the first error is the one to tell */
        return -1;
    }
    return 0;
}

int veth_delete(const char *name, struct err *err)
{
    own_sock struct nl_sock *s = open_route(err);
    struct rtnl_link *link;
    int rc;

    if (!s)
        return -1;
    if (if_nametoindex(name) == 0)
        return 0;
    link = rtnl_link_alloc();
    if (!link)
        return err_set(err, ENOMEM, "netlink");
    rtnl_link_set_name(link, name);
    rc = rtnl_link_delete(s, link);
    rtnl_link_put(link);
    return rc < 0 && rc != -NLE_NODEV ? nl_fail(err, rc, "delete an interface") : 0;
}

/* --- a free network --------------------------------------------------------------------------- */

static bool overlaps(struct nl_addr *dst, uint32_t net)
{
    unsigned bits = nl_addr_get_prefixlen(dst);
    uint32_t have;
    uint32_t mask;

    if (nl_addr_get_family(dst) != AF_INET || nl_addr_get_len(dst) != 4 || bits == 0)
        return false; /* the default route is no reason */
    memcpy(&have, nl_addr_get_binary_addr(dst), 4);
    bits = bits > 30 ? 30 : bits;
    mask = ~(UINT32_MAX >> bits);
    return (ntohl(have) & mask) == (net & mask);
}

static bool is_taken(struct nl_cache *routes, uint32_t net)
{
    for (struct nl_object *o = nl_cache_get_first(routes); o; o = nl_cache_get_next(o)) {
        struct nl_addr *dst = rtnl_route_get_dst((struct rtnl_route *)(void *)o);

        if (dst && overlaps(dst, net))
            return true;
    }
    return false;
}

int veth_free_network(uint32_t seed, uint32_t *network, struct err *err)
{
    own_sock struct nl_sock *s = open_route(err);
    own_cache struct nl_cache *routes = NULL;
    int rc;

    if (!s)
        return -1;
    rc = rtnl_route_alloc_cache(s, AF_INET, 0, &routes);
    if (rc < 0)
        return nl_fail(err, rc, "list routes");
    for (uint32_t i = 0; i < TRIES; i++) {
        uint32_t net = RANGE + (((seed + i) << 2) & ((1U << (32 - RANGE_BITS)) - 1));

        if (!is_taken(routes, net)) {
            *network = htonl(net);
            return 0;
        }
    }
    return err_set(err, EADDRINUSE, "no free network in 10.89.0.0/16");
}
