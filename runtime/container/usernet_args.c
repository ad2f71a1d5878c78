/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/container/usernet_args.h"

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"
#include "runtime/spec/publish.h"

const struct usernet_kind usernet_pasta = {
    .name = "pasta", .package = "passt", .ready_fd = 1, .fds_n = 3, .ipv6 = true};

const struct usernet_kind usernet_slirp4netns = {
    .name = "slirp4netns", .package = "slirp4netns", .ready_fd = 3, .fds_n = 5, .by_socket = true};

#define FIXED_MAX 32 /* more than any helper has of arguments that are always there */

struct args {
    struct arena *arena;
    char **v;
    size_t n;
};

static void add(struct args *a, const char *word)
{
    a->v[a->n++] = arena_copy(a->arena, str_of(word));
}

static void add_all(struct args *a, const char *const *words)
{
    for (size_t i = 0; words[i] != NULL; i++)
        add(a, words[i]);
}

/* "-t 8080:80", "-t 127.0.0.1/8080:80"; "none" where there are none, for the default is all. */
static void add_ports(struct args *a, const struct publish *ports, size_t n, bool udp)
{
    size_t before = a->n;

    for (size_t i = 0; i < n; i++) {
        const struct publish *p = &ports[i];

        if (p->udp != udp)
            continue;
        add(a, udp ? "-u" : "-t");
        a->v[a->n++] = arena_printf(a->arena, "%s%s%u:%u", p->address,
                                    p->family == PUBLISH_EVERY ? "" : "/", p->host, p->container);
    }
    if (a->n > before)
        return;
    add(a, udp ? "-u" : "-t");
    add(a, "none");
}

/* --pid is how it says that it is ready: written to its standard output. */
static void pasta(struct args *a, const struct usernet_target *t, const struct publish *ports,
                  size_t n)
{
    static const char *const always[] = {
        "--config-net", "--foreground", "--quiet", "--no-map-gw",     "-T", "none",
        "-U",           "none",         "--pid",   "/proc/self/fd/1", NULL};
    static const char *const of_root[] = {
        "--runas", "0", "--no-netns-quit", "--netns-only", "--netns", "/proc/self/fd/0", NULL};

    add_all(a, always);
    add_ports(a, ports, n, false);
    add_ports(a, ports, n, true);
    if (t->root)
        add_all(a, of_root);
    else
        a->v[a->n++] = arena_printf(a->arena, "%d", t->pid);
}

static void slirp4netns(struct args *a, const struct usernet_target *t, size_t ports_n)
{
    static const char *const always[] = {"--configure",
                                         "--mtu=65520",
                                         "--disable-host-loopback",
                                         "--enable-sandbox",
                                         "--enable-seccomp",
                                         "--ready-fd=3",
                                         "--exit-fd=4",
                                         NULL};
    static const char *const of_root[] = {"--netns-type=path", "/proc/self/fd/0", NULL};

    add_all(a, always);
    if (ports_n > 0)
        add(a, "--api-socket=" USERNET_SOCKET);
    if (t->root)
        add_all(a, of_root);
    else
        a->v[a->n++] = arena_printf(a->arena, "%d", t->pid);
    add(a, "tap0");
}

int usernet_check_ports(const struct usernet_kind *kind, const struct publish *ports, size_t n,
                        struct err *err)
{
    if (n > PUBLISH_MAX)
        return err_set(err, 0, "%zu published ports exceed %d", n, PUBLISH_MAX);
    for (size_t i = 0; i < n; i++) {
        own_buf struct buf text = BUF_INIT(128);

        if (kind->ipv6 || ports[i].family != PUBLISH_IPV6)
            continue;
        publish_format(&ports[i], &text);
        return err_set(err, 0, "publish '%s': %s publishes on IPv4 addresses only", buf_c(&text),
                       kind->name);
    }
    return 0;
}

char *const *usernet_args(struct arena *a, const struct usernet_kind *kind,
                          const struct usernet_target *target, const struct publish *ports,
                          size_t n)
{
    struct args args = {.arena = a, .v = arena_array(a, FIXED_MAX + 2 * n, sizeof *args.v)};

    if (args.v == NULL)
        return NULL;
    add(&args, kind->name);
    if (kind == &usernet_pasta)
        pasta(&args, target, ports, n);
    else
        slirp4netns(&args, target, n);
    return arena_failed(a) ? NULL : args.v;
}
