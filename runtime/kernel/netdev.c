/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/kernel/netdev.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "runtime/base/err.h"
#include "runtime/base/own.h"

#define REPLY_MAX 32768 /* what the kernel puts into one reply of a dump at most */

struct request {
    struct nlmsghdr head;

    union {
        struct ifinfomsg link;
        struct ifaddrmsg addr;
    } u;

    char attrs[256];
};

static void begin(struct request *r, uint16_t type, uint16_t flags, size_t body_n)
{
    memset(r, 0, sizeof *r);
    r->head = (struct nlmsghdr){.nlmsg_len = (uint32_t)NLMSG_LENGTH(body_n),
                                .nlmsg_type = type,
                                .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
                                .nlmsg_seq = 1};
}

/* The attributes of a request are few and short: they fit. */
static void add(struct request *r, uint16_t type, const void *p, size_t n)
{
    struct rtattr a = {.rta_len = (uint16_t)RTA_LENGTH(n), .rta_type = type};
    char *at = (char *)r + NLMSG_ALIGN(r->head.nlmsg_len);

    memcpy(at, &a, sizeof a);
    memcpy(at + RTA_LENGTH(0), p, n);
    r->head.nlmsg_len = (uint32_t)(NLMSG_ALIGN(r->head.nlmsg_len) + RTA_ALIGN(a.rta_len));
}

static int open_route(struct err *err)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

    return fd >= 0 ? fd : err_set(err, errno, "open netlink");
}

static int ask(int fd, const struct request *r, struct err *err)
{
    if (send(fd, r, r->head.nlmsg_len, 0) < 0)
        return err_set(err, errno, "ask netlink");
    return 0;
}

/* The errno of an answer's error message; 0 is an acknowledgement. */
static int error_of(const struct nlmsghdr *h)
{
    struct nlmsgerr e;

    if (h->nlmsg_len < NLMSG_LENGTH(sizeof e))
        return EBADMSG;
    memcpy(&e, (const char *)h + NLMSG_HDRLEN, sizeof e);
    return -e.error;
}

static int change(const struct request *r, const char *what, struct err *err)
{
    _Alignas(struct nlmsghdr) char reply[4096];
    own_fd int fd = open_route(err);
    struct nlmsghdr *h = (void *)reply;
    ssize_t n = 0;
    int code = 0;

    if (fd < 0 || ask(fd, r, err) < 0)
        return -1;
    n = recv(fd, reply, sizeof reply, 0);
    if (n < (ssize_t)sizeof *h || h->nlmsg_type != NLMSG_ERROR)
        return err_set(err, n < 0 ? errno : EBADMSG, "%s", what);
    code = error_of(h);
    return code == 0 ? 0 : err_set(err, code, "%s", what);
}

/* --- looking ---------------------------------------------------------------------------------- */

static void take(uint8_t to[16], uint8_t *to_n, const char *from, size_t n)
{
    *to_n = (uint8_t)(n > 16 ? 16 : n);
    memcpy(to, from, *to_n);
}

static void keep_attr(struct netdev_addr *a, unsigned type, const char *p, size_t n)
{
    if (type == IFA_ADDRESS)
        take(a->addr, &a->n, p, n);
    else if (type == IFA_LOCAL)
        take(a->local, &a->local_n, p, n);
    else if (type == IFA_BROADCAST)
        take(a->broadcast, &a->broadcast_n, p, n);
}

static void keep_attrs(struct netdev_addr *a, const char *p, size_t left)
{
    struct rtattr x;

    while (left >= sizeof x) {
        memcpy(&x, p, sizeof x);
        if (x.rta_len < sizeof x || x.rta_len > left)
            return;
        keep_attr(a, x.rta_type, p + RTA_LENGTH(0), x.rta_len - RTA_LENGTH(0));
        if (RTA_ALIGN((size_t)x.rta_len) > left)
            return;
        left -= RTA_ALIGN((size_t)x.rta_len);
        p += RTA_ALIGN((size_t)x.rta_len);
    }
}

static int keep_addr(const struct nlmsghdr *h, struct netdev *out, struct err *err)
{
    const size_t head = NLMSG_SPACE(sizeof(struct ifaddrmsg));
    struct ifaddrmsg m;

    if (h->nlmsg_len < head)
        return err_set(err, EBADMSG, "list addresses");
    memcpy(&m, (const char *)h + NLMSG_HDRLEN, sizeof m);
    if ((int)m.ifa_index != out->index || m.ifa_scope != RT_SCOPE_UNIVERSE ||
        (m.ifa_flags & IFA_F_PERMANENT) == 0)
        return 0;
    if (out->addrs_n == NETDEV_ADDRS_MAX)
        return err_set(err, E2BIG, "more than %d addresses", NETDEV_ADDRS_MAX);
    out->addrs[out->addrs_n] =
        (struct netdev_addr){.family = m.ifa_family, .prefix = m.ifa_prefixlen};
    keep_attrs(&out->addrs[out->addrs_n++], (const char *)h + head, h->nlmsg_len - head);
    return 0;
}

/* 1: there is more to come. */
static int keep_addrs(char *reply, size_t n, struct netdev *out, struct err *err)
{
    struct nlmsghdr *h = (struct nlmsghdr *)(void *)reply;

    for (; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
        if (h->nlmsg_type == NLMSG_DONE)
            return 0;
        if (h->nlmsg_type == NLMSG_ERROR)
            return err_set(err, error_of(h), "list addresses");
        if (h->nlmsg_type == RTM_NEWADDR && keep_addr(h, out, err) < 0)
            return -1;
    }
    return 1;
}

int netdev_look(const char *name, struct netdev *out, struct err *err)
{
    _Alignas(struct nlmsghdr) char reply[REPLY_MAX];
    struct request r;
    own_fd int fd = open_route(err);
    int more = 1;

    memset(out, 0, sizeof *out);
    out->index = (int)if_nametoindex(name);
    if (out->index == 0)
        return err_set(err, errno, "network device '%s'", name);
    begin(&r, RTM_GETADDR, NLM_F_DUMP, sizeof r.u.addr);
    if (fd < 0 || ask(fd, &r, err) < 0)
        return -1;
    while (more > 0) {
        ssize_t n = recv(fd, reply, sizeof reply, 0);

        if (n <= 0)
            return err_set(err, n < 0 ? errno : EBADMSG, "list addresses");
        more = keep_addrs(reply, (size_t)n, out, err);
    }
    return more;
}

/* --- moving ----------------------------------------------------------------------------------- */

/* Sees what the namespace has by entering it for a moment. */
static int check_free(int ns_fd, const char *name, struct err *err)
{
    own_fd int back_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    bool taken = false;

    if (back_fd < 0 || setns(ns_fd, CLONE_NEWNET) < 0)
        return err_set(err, errno, "enter the container's network namespace");
    taken = if_nametoindex(name) != 0;
    if (setns(back_fd, CLONE_NEWNET) < 0)
        return err_set(err, errno, "return to the own network namespace");
    return taken ? err_set(err, EEXIST, "network device '%s' in the container", name) : 0;
}

/* "eth%d": the kernel picks a number, and the device is known by its index, which is then ours to
 * choose. */
static bool is_template(const char *name)
{
    return strchr(name, '%') != NULL;
}

#define INDEX_BASE (1 << 30) /* far from what a namespace counts up from 1 */

static int chosen_index(const struct netdev *d)
{
    return INDEX_BASE | d->index;
}

/* The kernel moves first and renames then: a name that is taken is found out before, for a device
 * that is in already may go with the namespace. */
int netdev_move(const struct netdev *d, int ns_fd, const char *new_name, struct err *err)
{
    struct request r;
    int index = chosen_index(d);

    if (!is_template(new_name) && check_free(ns_fd, new_name, err) < 0)
        return -1;
    begin(&r, RTM_NEWLINK, NLM_F_ACK, sizeof r.u.link);
    r.u.link.ifi_index = d->index;
    add(&r, IFLA_NET_NS_FD, &ns_fd, sizeof ns_fd);
    add(&r, IFLA_IFNAME, new_name, strlen(new_name) + 1);
    if (is_template(new_name))
        add(&r, IFLA_NEW_IFINDEX, &index, sizeof index);
    return change(&r, "move it into the container", err);
}

static int add_addr(int index, const struct netdev_addr *a, struct err *err)
{
    struct request r;

    begin(&r, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, sizeof r.u.addr);
    r.u.addr.ifa_family = a->family;
    r.u.addr.ifa_prefixlen = a->prefix;
    r.u.addr.ifa_scope = RT_SCOPE_UNIVERSE;
    r.u.addr.ifa_index = (uint32_t)index;
    if (a->n > 0)
        add(&r, IFA_ADDRESS, a->addr, a->n);
    if (a->local_n > 0)
        add(&r, IFA_LOCAL, a->local, a->local_n);
    if (a->broadcast_n > 0)
        add(&r, IFA_BROADCAST, a->broadcast, a->broadcast_n);
    return change(&r, "set an address", err);
}

int netdev_settle(const struct netdev *d, const char *name, struct err *err)
{
    struct request r;
    int index = is_template(name) ? chosen_index(d) : (int)if_nametoindex(name);

    if (index == 0)
        return err_set(err, errno, "network device '%s'", name);
    for (size_t i = 0; i < d->addrs_n; i++)
        if (add_addr(index, &d->addrs[i], err) < 0)
            return -1;
    begin(&r, RTM_NEWLINK, NLM_F_ACK, sizeof r.u.link);
    r.u.link.ifi_index = index;
    r.u.link.ifi_flags = r.u.link.ifi_change = IFF_UP;
    return change(&r, "bring it up", err);
}
