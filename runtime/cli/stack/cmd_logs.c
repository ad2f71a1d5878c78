/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logs: the file below the stack's storage; it needs no supervisor, and outlives it. When the file
 * is rotated while it is followed, the rest of the old one is shown first.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/fd.h"
#include "runtime/base/own.h"
#include "runtime/cli/stack/cmd.h"
#include "runtime/spec/stack.h"
#include "runtime/stack/logs.h"
#include "runtime/stack/svc.h"

#define LINES_DEFAULT 100
#define LINES_MAX     1000000
#define BLOCK         65536

struct logs_opts {
    struct opt_flag follow;
    struct opt_number lines;
};

static const struct opt rows[] = {
    OPT_FLAG(logs_opts, follow, "follow", 'f', "go on with what comes"),
    OPT_NUMBER(logs_opts, lines, "lines", 'n', "N", 0, LINES_MAX, "the last N lines (100)"),
};

struct reader {
    const char *service; /* NULL: all */
    int fd;
    struct buf line;
    char **ring; /* the last lines, before following */
    size_t ring_n;
    size_t seen;
    struct arena *arena;
};

/* "STAMP LABEL rest" */
static bool is_of(struct str line, const char *service)
{
    struct str stamp;
    struct str rest;
    struct str label;

    return !service || (str_cut(line, ' ', &stamp, &rest) && str_cut(rest, ' ', &label, &rest) &&
                        str_eq_c(label, service));
}

static int take_line(struct reader *r, struct err *err)
{
    struct str line = buf_str(&r->line);

    if (!is_of(line, r->service))
        return 0;
    if (!r->ring)
        return fd_write_all(STDOUT_FILENO, line, err);
    if (r->ring_n) {
        free(r->ring[r->seen % r->ring_n]);
        r->ring[r->seen++ % r->ring_n] = str_dup_c(line, err);
    }
    return 0;
}

static int read_rest(struct reader *r, struct err *err)
{
    char bytes[BLOCK];

    for (;;) {
        ssize_t n = read(r->fd, bytes, sizeof(bytes));

        if (n < 0)
            return err_set(err, errno, "read the log");
        if (n == 0)
            return 0;
        for (ssize_t i = 0; i < n; i++) {
            buf_append_char(&r->line, bytes[i]);
            if (bytes[i] != '\n')
                continue;
            if (take_line(r, err) < 0)
                return -1;
            buf_reset(&r->line);
        }
    }
}

static int print_ring(struct reader *r, struct err *err)
{
    char **ring = r->ring;
    size_t first = r->seen > r->ring_n ? r->seen - r->ring_n : 0;
    int rc = 0;

    for (size_t i = first; i < r->seen; i++) {
        if (rc == 0)
            rc = fd_write_all(STDOUT_FILENO, str_of(ring[i % r->ring_n]), err);
        free(ring[i % r->ring_n]);
    }
    r->ring = NULL;
    return rc;
}

static int open_log(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    return fd < 0 ? err_set(err, errno, "open '%s'", path) : fd;
}

static int reopen_if_rotated(struct reader *r, const char *path, struct err *err)
{
    struct stat have;
    struct stat now;

    if (fstat(r->fd, &have) < 0 || stat(path, &now) < 0 || have.st_ino == now.st_ino)
        return 0;
    (void)close(r->fd);
    r->fd = open_log(path, err);
    return r->fd < 0 ? -1 : read_rest(r, err);
}

static int follow(struct reader *r, const char *dir, const char *path, struct err *err)
{
    own_fd int watch = inotify_init1(IN_CLOEXEC);
    char events[4096];

    if (watch < 0 || inotify_add_watch(watch, dir, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
        return err_set(err, errno, "watch '%s'", dir);
    for (;;) {
        if (read_rest(r, err) < 0 || reopen_if_rotated(r, path, err) < 0)
            return -1;
        if (read(watch, events, sizeof(events)) < 0 && errno != EINTR)
            return err_set(err, errno, "watch '%s'", dir);
    }
}

/* "stack" is the supervisor's own label. */
static int check_service(struct cmd *c, const char *service, struct err *err)
{
    struct svc_table table;

    if (!service || strcmp(service, "stack") == 0)
        return 0;
    if (svc_load(c->arena, &table, err) < 0)
        return -1;
    return svc_get(&table, service) ? 0 : err_set(err, 0, "there is no service '%s'", service);
}

static int run(struct cmd *c, struct err *err)
{
    const struct logs_opts *o = c->opts;
    struct reader r = {.service = c->args_n > 1 ? c->args[1] : NULL,
                       .line = BUF_INIT(LOGS_LINE_MAX + 1024),
                       .ring_n = o->lines.given ? (size_t)o->lines.v : LINES_DEFAULT,
                       .arena = c->arena};
    struct stack_config *config;
    const char *dir;
    const char *path;
    int rc;

    if (cmd_load_file(c, c->args[0], &config, err) < 0 || check_service(c, r.service, err) < 0)
        return -1;
    dir = arena_printf(c->arena, "%s/log", config->storage);
    path = arena_printf(c->arena, "%s/" LOGS_NAME, dir);
    r.fd = open_log(path, err);
    if (r.fd < 0)
        return -1;
    r.ring = arena_array(c->arena, r.ring_n + 1, sizeof(char *));
    rc = read_rest(&r, err);
    if (rc == 0)
        rc = print_ring(&r, err);
    if (rc == 0 && o->follow.on)
        rc = follow(&r, dir, path, err);
    buf_done(&r.line);
    own_close_fd(&r.fd);
    return rc;
}

const struct verb cmd_logs = {
    .name = "logs",
    .usage = "[-f] [-n N] FILE [SERVICE]",
    .help = "what the services say",
    .more =
        "The supervisor's own lines are those of the service 'stack'. The stack need not be up.",
    .opts = OPT_TABLE(rows, OPT_ANYWHERE),
    .opts_size = sizeof(struct logs_opts),
    .args_min = 1,
    .args_max = 2,
    .run = run,
};
