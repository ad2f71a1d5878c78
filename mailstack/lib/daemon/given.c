/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/daemon/given.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/dialmsg.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/jv.h"
#include "runtime/base/mem.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"

#define FIRST_FD 3 /* SD_LISTEN_FDS_START */
#define BACKLOG  1024

struct given {
    size_t n;

    struct {
        int fd;
        char *name;
    } at[GIVEN_MAX];
};

static int add(struct given *g, int fd, struct str name, struct err *err)
{
    if (g->n == GIVEN_MAX)
        return err_set(err, EMFILE, "take more than %d descriptors", GIVEN_MAX);
    char *copy = str_dup_c(name, err);

    if (!copy)
        return -1;
    g->at[g->n].fd = fd;
    g->at[g->n++].name = copy;
    return 0;
}

static void clear_env(void)
{
    (void)unsetenv("LISTEN_FDS"); /* cannot fail for these names */
    (void)unsetenv("LISTEN_PID");
    (void)unsetenv("LISTEN_FDNAMES");
}

/* LISTEN_PID names who is meant; where it is not set (the pid was not known), we are. */
static bool is_for_us(void)
{
    const char *pid = getenv("LISTEN_PID"); // NOLINT(concurrency-mt-unsafe): one thread, at start
    struct err ignored = {0};
    uint64_t v;

    return !pid ||
           (num_parse_u64(str_of(pid), 1, INT32_MAX, &v, &ignored) == 0 && (pid_t)v == getpid());
}

static int take_all(struct given *g, struct err *err)
{
    const char *count = getenv("LISTEN_FDS");            // NOLINT(concurrency-mt-unsafe): as above
    struct str names = str_of(getenv("LISTEN_FDNAMES")); // NOLINT(concurrency-mt-unsafe)
    uint64_t n;

    if (!count || !is_for_us())
        return 0;
    if (num_parse_u64(str_of(count), 0, GIVEN_MAX, &n, err) < 0)
        return err_wrap(err, "LISTEN_FDS");
    for (int i = 0; i < (int)n; i++) {
        struct str name = STR("unknown");

        (void)str_next(&names, ':', &name);
        if (fd_set_cloexec(FIRST_FD + i, err) < 0)
            return err_wrap(err, "descriptor %d of LISTEN_FDS", FIRST_FD + i);
        if (add(g, FIRST_FD + i, name, err) < 0)
            return -1;
    }
    return 0;
}

struct given *given_take(struct err *err)
{
    struct given *g = mem_type(struct given);

    if (take_all(g, err) < 0) {
        given_free(g);
        g = NULL;
    }
    clear_env();
    return g;
}

static int listen_tcp(struct str text, struct err *err)
{
    struct sockaddr_storage a;
    struct str host;
    struct str port;
    uint32_t n;
    int on = 1;

    if (!str_rcut(text, ':', &host, &port) || num_parse_u32(port, 1, 65535, &n, err) < 0)
        return err_set(err, 0, "'%.*s' is not like '127.0.0.1:25'", STR_ARG(text));
    if (str_starts(host, STR("[")) && str_ends(host, STR("]")))
        host = str_sub(host, 1, host.n - 2);
    if (dialmsg_parse_addr(host, (uint16_t)n, &a, err) < 0)
        return -1;
    own_fd int fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t a_n =
        a.ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        bind(fd, (const struct sockaddr *)&a, a_n) < 0 || listen(fd, BACKLOG) < 0)
        return err_set(err, errno, "listen on '%.*s'", STR_ARG(text));
    return take_fd(&fd);
}

static int listen_unix(const char *name, struct str path, struct err *err)
{
    own_free char *c = str_dup_c(path, err);
    int type = str_eq_c(str_of(name), "session") ? SOCK_SEQPACKET : SOCK_STREAM;

    return c ? fd_unix_listen(c, type, 0660, BACKLOG, err) : -1;
}

static int bind_one(struct given *g, const char *name, const struct jv *at, struct err *err)
{
    struct str text;

    if (jv_as_str(at, &text, err) < 0)
        return -1;
    int fd = str_starts(text, STR("/")) ? listen_unix(name, text, err) : listen_tcp(text, err);

    if (fd < 0)
        return jv_err(at, err, "%s", err->text);
    return add(g, fd, str_of(name), err);
}

static int bind_name(struct given *g, const struct jv *listen_at, const char *name, struct err *err)
{
    struct jv list;

    if (jv_opt_array(listen_at, name, &list, err) < 0)
        return -1;
    for (size_t i = 0; i < jv_n(&list); i++) {
        struct jv e = jv_elem(&list, i);

        if (bind_one(g, name, &e, err) < 0)
            return -1;
    }
    return 0;
}

int given_bind(struct given *g, const struct jv *conf, const char *const *names, struct err *err)
{
    struct jv at;

    if (jv_opt_object(conf, "listen", &at, err) < 0)
        return -1;
    if (!at.v)
        return 0;
    if (jv_only(&at, names, err) < 0)
        return -1;
    for (size_t i = 0; names[i]; i++) {
        if (given_fd(g, names[i], 0) < 0 && bind_name(g, &at, names[i], err) < 0)
            return -1;
    }
    return 0;
}

void given_free(struct given *g)
{
    if (!g)
        return;
    for (size_t i = 0; i < g->n; i++) {
        (void)close(g->at[i].fd); /* Linux closes even on an error */
        free(g->at[i].name);
    }
    free(g);
}

int given_fd(const struct given *g, const char *name, size_t i)
{
    for (size_t k = 0; k < g->n; k++) {
        if (str_eq_c(str_of(g->at[k].name), name) && i-- == 0)
            return g->at[k].fd;
    }
    return -1;
}

int given_at(const struct given *g, size_t i, const char **name)
{
    if (i >= g->n)
        return -1;
    *name = g->at[i].name;
    return g->at[i].fd;
}
