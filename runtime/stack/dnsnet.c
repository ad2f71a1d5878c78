/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/stack/dnsnet.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"
#include "runtime/kernel/nat.h"
#include "runtime/kernel/veth.h"
#include "runtime/stack/svc.h"

#define FORWARD "/proc/sys/net/ipv4/ip_forward"

/* --- forwarding, counted: TOP/.forward-NETNS holds one file a user and "was" --------------------
 */

static int open_users(const struct dnsnet *d, struct err *err)
{
    char path[512];
    struct stat st;
    int n;

    if (stat("/proc/self/ns/net", &st) < 0)
        return err_set(err, errno, "stat '/proc/self/ns/net'");
    n = snprintf(path, sizeof(path), "%s/.forward-%llu", d->top, (unsigned long long)st.st_ino);
    if (n < 0 || (size_t)n >= sizeof(path))
        return err_set(err, ENAMETOOLONG, "'%s'", d->top);
    if (file_mkdir_p(AT_FDCWD, path, 0700, err) < 0)
        return -1;
    own_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || flock(fd, LOCK_EX) < 0)
        return err_set(err, errno, "lock '%s'", path);
    return take_fd(&fd);
}

static bool has_users(int dir_fd)
{
    DIR *dir = fdopendir(dup(dir_fd));
    const struct dirent *e;
    bool some = false;

    if (!dir)
        return true; /* better left on than taken from somebody */
    rewinddir(dir);
    while ((e = readdir(dir)) != NULL) /* NOLINT(concurrency-mt-unsafe): one thread */
        if (e->d_name[0] != '.' && strcmp(e->d_name, "was") != 0)
            some = true;
    (void)closedir(dir);
    return some;
}

static int take_forward(const struct dnsnet *d, struct err *err)
{
    own_buf struct buf was = BUF_INIT(64);
    own_fd int dir = open_users(d, err);

    if (dir < 0)
        return -1;
    if (!has_users(dir) && (file_read(AT_FDCWD, FORWARD, &was, err) < 0 ||
                            file_put(dir, "was", buf_str(&was), 0600, err) < 0))
        return -1;
    if (file_put(dir, d->id, STR_NONE, 0600, err) < 0)
        return -1;
    return file_poke(AT_FDCWD, FORWARD, STR("1\n"), err);
}

static int drop_forward(const struct dnsnet *d, struct err *err)
{
    own_buf struct buf was = BUF_INIT(64);
    own_fd int dir = open_users(d, err);
    struct stat st;
    char path[512];

    if (dir < 0)
        return -1;
    if (unlinkat(dir, d->id, 0) < 0 && errno != ENOENT)
        return err_set(err, errno, "remove '%s'", d->id);
    if (has_users(dir))
        return 0;
    if (file_read(dir, "was", &was, err) == 0) {
        if (file_poke(AT_FDCWD, FORWARD, buf_str(&was), err) < 0)
            return -1;
        (void)unlinkat(dir, "was", 0); /* rmdir below tells if it is still there */
    }
    if (stat("/proc/self/ns/net", &st) < 0)
        return err_set(err, errno, "stat '/proc/self/ns/net'");
    (void)snprintf(path, sizeof(path), "%s/.forward-%llu", d->top, (unsigned long long)st.st_ino);
    (void)rmdir(path); /* another stack may have come in between */
    return 0;
}

/* ------------------------------------------------------------------------------------------------
 */

void dnsnet_init(struct dnsnet *d, const struct layout *l)
{
    const char *hash = strrchr(l->id, '-');

    memset(d, 0, sizeof(*d));
    d->top = l->top;
    d->id = l->id;
    (void)snprintf(d->interface, sizeof(d->interface), "mr%.8s", hash ? hash + 1 : l->id);
    (void)snprintf(d->table, sizeof(d->table), "mailbox-run-%s", l->id);
}

static uint32_t addr_at(const struct dnsnet *d, uint32_t n)
{
    return htonl(ntohl(d->network) + n);
}

static int add_table(const struct dnsnet *d, const struct stack_config *c, struct err *err)
{
    struct nat_server servers[NAT_SERVERS_MAX];
    struct nat n = {
        .table = d->table, .interface = d->interface, .addr = addr_at(d, 2), .servers = servers};

    if (c->dns.servers.n > NAT_SERVERS_MAX)
        return err_set(err, 0, "more than %d DNS servers", NAT_SERVERS_MAX);
    for (size_t i = 0; i < c->dns.servers.n; i++) {
        const struct sockaddr_in *in = (const void *)&c->dns.server_sa[i];

        servers[n.servers_n++] =
            (struct nat_server){.addr = in->sin_addr.s_addr, .port = in->sin_port};
    }
    return nat_add(&n, err);
}

int dnsnet_up(struct dnsnet *d, const struct stack_config *c, struct err *err)
{
    struct err ignored = {0};
    uint32_t seed = 0;

    if (svc_is_rootless())
        return err_set(err, 0, "the stack is an ordinary user's");
    for (const char *p = d->id; *p; p++)
        seed = seed * 31 + (unsigned char)*p;
    if (c->dns.network_set)
        memcpy(&d->network, c->dns.network.addr, 4);
    else if (veth_free_network(seed, &d->network, err) < 0)
        return -1;
    if (add_table(d, c, err) < 0)
        return -1;
    if (take_forward(d, err) < 0) {
        if (nat_delete(d->table, &ignored) < 0)
            err_reset(&ignored); /* the first error is the one to tell */
        return -1;
    }
    d->up = true;
    return 0;
}

int dnsnet_attach(struct dnsnet *d, pid_t pid, struct err *err)
{
    struct veth v = {.name = d->interface,
                     .peer_name = "dns0",
                     .addr = addr_at(d, 1),
                     .peer_addr = addr_at(d, 2),
                     .bits = 30};

    /* The pair of a container that died a moment ago may still be there. */
    if (veth_delete(d->interface, err) < 0)
        return -1;
    return veth_attach(&v, pid, err);
}

int dnsnet_down(struct dnsnet *d, struct err *err)
{
    struct err other = {0};
    int rc;

    d->up = false;
    if (svc_is_rootless())
        return 0; /* there never was one */
    rc = veth_delete(d->interface, err);
    if (nat_delete(d->table, &other) < 0) {
        *err = other;
        rc = -1;
    }
    if (drop_forward(d, &other) < 0) {
        *err = other;
        rc = -1;
    }
    return rc;
}
