/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cli/criu_opts.h"

struct checkpoint_opts {
    struct criu_opts criu;
    struct opt_flag leave_running;
};

static const struct opt rows[] = {
    CRIU_ROWS(checkpoint_opts),
    OPT_FLAG(checkpoint_opts, leave_running, "leave-running", 0,
             "do not end and delete the container"),
    OPT_REFUSED("parent-path", 0, "DIR", "images are written as a whole only"),
    OPT_REFUSED("pre-dump", 0, NULL, "images are written as a whole only"),
    OPT_REFUSED("page-server", 0, "ADDRESS", "images are written to a directory only"),
    OPT_REFUSED("status-fd", 0, "N", "pages are not sent lazily"),
};

static int run(struct cmd *c, struct err *err)
{
    const struct checkpoint_opts *o = c->opts;
    struct container_checkpoint x;

    if (criu_opts_take(c, &o->criu, &x, err) < 0)
        return -1;
    x.leave_running = o->leave_running.on;
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
