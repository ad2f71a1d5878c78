/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "runtime/base/arena.h"
#include "runtime/base/num.h"
#include "runtime/base/str.h"
#include "runtime/cli/criu_opts.h"

struct checkpoint_opts {
    struct criu_opts criu;
    const char *parent_path;
    const char *page_server;
    struct opt_number status_fd;
    struct opt_flag leave_running;
    struct opt_flag pre_dump;
    struct opt_flag link_remap;
    struct opt_flag skip_in_flight;
};

#define STATUS_FD_MAX 65535

static const struct opt rows[] = {
    CRIU_ROWS(checkpoint_opts),
    OPT_FLAG(checkpoint_opts, leave_running, "leave-running", 0,
             "do not end and delete the container"),
    OPT_FLAG(checkpoint_opts, pre_dump, "pre-dump", 0,
             "write the memory only, and let the container go on"),
    OPT_VALUE(checkpoint_opts, parent_path, OPT_KIND_TEXT, "parent-path", 0, "DIR",
              "images of a pre-dump; relative to those of this call"),
    OPT_VALUE(checkpoint_opts, page_server, OPT_KIND_TEXT, "page-server", 0, "ADDRESS:PORT",
              "send the memory there; with --lazy-pages, serve it there"),
    OPT_NUMBER(checkpoint_opts, status_fd, "status-fd", 0, "N", 0, STATUS_FD_MAX,
               "a byte comes there when --lazy-pages is ready to serve"),
    OPT_FLAG(checkpoint_opts, link_remap, "link-remap", 0, "with files that were unlinked"),
    OPT_FLAG(checkpoint_opts, skip_in_flight, "tcp-skip-in-flight", 0,
             "without TCP connections that are not established yet"),
};

/* "192.0.2.1:27", "[2001:db8::1]:27". */
static int set_page_server(struct cmd *c, const char *text, struct container_checkpoint *x,
                           struct err *err)
{
    struct str host, port;
    uint32_t ignored = 0;

    if (text == NULL)
        return 0;
    if (!str_rcut(str_of(text), ':', &host, &port) || host.n == 0 ||
        num_parse_u32(port, 1, 65535, &ignored, err) < 0)
        return err_set(err, 0, "option '--page-server': expected ADDRESS:PORT, found '%.128s'",
                       text);
    x->page_server = arena_copy(c->arena, str_trim_set(host, "[]"));
    x->page_server_port = arena_copy(c->arena, port);
    return 0;
}

static int set_status_fd(struct cmd *c, const struct opt_number *n, struct container_checkpoint *x,
                         struct err *err)
{
    if (!n->given)
        return 0;
    if (fcntl((int)n->v, F_GETFD) < 0)
        return err_set(err, 0, "option '--status-fd': descriptor %d is not open", (int)n->v);
    x->status_fd = arena_printf(c->arena, "%d", (int)n->v);
    return 0;
}

static int set_parent(const char *path, struct container_checkpoint *x, struct err *err)
{
    if (path != NULL && path[0] == '/')
        return err_set(err, 0,
                       "option '--parent-path': expected a path relative to the images, found "
                       "'%.256s'",
                       path);
    x->parent_path = path;
    return 0;
}

static int run(struct cmd *c, struct err *err)
{
    const struct checkpoint_opts *o = c->opts;
    struct container_checkpoint x;

    if (criu_opts_take(c, &o->criu, &x, err) < 0 || set_parent(o->parent_path, &x, err) < 0 ||
        set_page_server(c, o->page_server, &x, err) < 0 ||
        set_status_fd(c, &o->status_fd, &x, err) < 0)
        return -1;
    x.leave_running = o->leave_running.on;
    x.pre_dump = o->pre_dump.on;
    x.link_remap = o->link_remap.on;
    x.skip_in_flight = o->skip_in_flight.on;
    return container_checkpoint(&c->env, c->args[0], &x, err);
}

const struct verb cmd_checkpoint = {
    .name = "checkpoint",
    .usage = "[OPTIONS] CONTAINER-ID",
    .help = "write the processes of a container to files",
    .more = "Needs criu(8), and a kernel that it can work with.",
    .opts = OPT_TABLE(rows, OPT_ANYWHERE),
    .opts_size = sizeof(struct checkpoint_opts),
    .args_min = 1,
    .args_max = 1,
    .doing = "checkpoint container",
    .run = run,
};
