/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/counter.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/jv.h"
#include "runtime/base/log.h"
#include "runtime/base/map.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"

#include "mailstack/authd/authd.h"
#include "mailstack/authd/pool.h"
#include "mailstack/lib/auth/password.h"
#include "mailstack/lib/daemon/daemon.h"
#include "mailstack/lib/daemon/given.h"
#include "mailstack/lib/daemon/workers.h"

#define ACCEPT_MAX 16 /* per turn and listener */

struct listener {
    struct list node;
    struct loop_io io;
    struct authd *a;
    int (*accepted)(struct authd *a, int fd, struct err *err);
};

/* --- configuration ---------------------------------------------------------------------------- */

/* A hash that crypt cannot read locks out one account, not all of them. */
static void warn_of_hashes(const struct accounts *all)
{
    struct map_at at = {0};
    struct err err = {0};

    while (map_next(all->by_address, &at)) {
        const struct account *acc = at.value;

        if (password_is_known(acc->password, &err) < 0)
            log_warn("auth.account", LOG_STR("user", acc->address), LOG_S("error", err.text));
    }
}

static int load_directory(struct authd *a, const struct jv *conf, const char *path, struct err *err)
{
    struct arena *memory = arena_new(AUTHD_MEMORY_MAX);
    own_json json_t *accounts = jv_load_file(AT_FDCWD, path, ACCOUNT_FILE_MAX, err);
    struct directory dir;

    if (accounts) {
        struct jv root = jv_root(accounts);

        if (directory_load(conf, &root, memory, &dir, err) == 0) {
            arena_free(a->memory);
            a->memory = memory;
            a->dir = dir;
            warn_of_hashes(&dir.accounts);
            return 0;
        }
        (void)err_wrap(err, "'%s'", path);
    }
    arena_free(memory);
    return -1;
}

static int load_limits(struct authd *a, const struct jv *conf, struct err *err)
{
    static const char *const keys[] = {"workers", NULL};
    struct jv limits;
    int64_t workers = 2;

    if (jv_opt_object(conf, "limits", &limits, err) < 0)
        return -1;
    if (limits.v &&
        (jv_only(&limits, keys, err) < 0 ||
         jv_opt_int(&limits, "workers", (struct jv_range){1, 64}, 2, &workers, err) < 0))
        return -1;
    a->workers_n = (unsigned)workers;
    return 0;
}

static int load(struct daemon *d, const struct jv *conf, struct err *err)
{
    static const char *const keys[] = {"hostname", "log_level", "listen",     "accounts", "domains",
                                       "lists",    "quota",     "subaddress", "limits",   NULL};
    struct authd *a = d->ctx;
    struct str path;

    if (!a) {
        a = mem_type(struct authd);
        list_init(&a->listeners);
        d->ctx = a;
    }
    if (jv_is_object(conf, err) < 0 || jv_only(conf, keys, err) < 0 ||
        jv_str(conf, "accounts", &path, err) < 0 || load_limits(a, conf, err) < 0)
        return -1;
    own_free char *c = str_dup_c(path, err);

    return c ? load_directory(a, conf, c, err) : -1;
}

/* --- listening -------------------------------------------------------------------------------- */

static void on_connection(struct loop_io *io, unsigned events)
{
    struct listener *l = container_of(io, struct listener, io);
    struct err err = {0};

    (void)events;
    for (int i = 0; i < ACCEPT_MAX; i++) {
        int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd < 0)
            return;
        if (l->a->clients_n >= AUTHD_CLIENTS_MAX) {
            log_warn("auth.accept", LOG_S("error", "too many connections"));
            (void)close(fd); /* Linux closes even on an error */
        } else if (l->accepted(l->a, fd, &err) < 0) {
            log_warn("auth.accept", LOG_S("error", err.text));
        }
    }
}

static int listen_on(struct authd *a, int fd, int (*accepted)(struct authd *, int, struct err *),
                     struct err *err)
{
    struct listener *l = mem_type(struct listener);

    l->a = a;
    l->accepted = accepted;
    l->io.fn = on_connection;
    list_add_tail(&a->listeners, &l->node);
    if (fd_set_nonblock(fd, true, err) < 0)
        return -1;
    return loop_io_add(a->loop, &l->io, fd, LOOP_READ, err);
}

static int listen_on_all(struct daemon *d, const char *name,
                         int (*accepted)(struct authd *, int, struct err *), struct err *err)
{
    size_t i = 0;

    for (int fd; (fd = given_fd(d->given, name, i)) >= 0; i++) {
        if (listen_on(d->ctx, fd, accepted, err) < 0)
            return -1;
    }
    return i ? 0 : err_set(err, 0, "no socket '%s' was given, and \"listen\" names none", name);
}

static int start(struct daemon *d, struct err *err)
{
    struct authd *a = d->ctx;

    a->loop = d->loop;
    a->logins = counter_get(d->counters, "auth_logins_total");
    a->failures = counter_get(d->counters, "auth_failures_total");
    a->lookups = counter_get(d->counters, "auth_lookups_total");
    a->pool = pool_new(d->loop, err);
    if (!a->pool)
        return -1;
    a->workers = workers_start(d->loop, a->workers_n, pool_work, a->pool, err);
    if (!a->workers)
        return -1;
    if (listen_on_all(d, "auth", serve_auth_accept, err) < 0)
        return -1;
    return listen_on_all(d, "map", serve_map_accept, err);
}

/* What is being asked is answered within milliseconds; there is nothing to finish. */
static void drain(struct daemon *d)
{
    struct authd *a = d->ctx;

    workers_drain(a->workers);
}

int main(int argc, char **argv)
{
    static const char *const descriptors[] = {"auth", "map", NULL};
    static const struct daemon_ops ops = {
        .name = "authd",
        .what = "Answers who may log in and where an address leads.",
        .descriptors = descriptors,
        .load = load,
        .start = start,
        .drain = drain,
    };

    return daemon_main(argc, argv, &ops);
}
