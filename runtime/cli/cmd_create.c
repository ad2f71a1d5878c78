/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cli/launch.h"

struct create_opts {
    struct launch_opts launch;
};

static const struct opt rows[] = {LAUNCH_ROWS(create_opts), NETWORK_ROWS(create_opts)};

static int run(struct cmd *c, struct err *err)
{
    const struct create_opts *o = c->opts;
    struct container_create create;
    struct container_child child;

    if (launch_prepare(c, &o->launch, LAUNCH_DETACHED, &create, err) < 0 ||
        container_create(&c->env, &create, &child, err) < 0)
        return -1;
    launch_let_go(&child);
    return 0;
}

const struct verb cmd_create = {
    .name = "create",
    .usage = "[OPTIONS] CONTAINER-ID",
    .help = "create a container",
    .more = "The process of config.json waits until 'mailbox-run start' lets it go.",
    .opts = OPT_TABLE(rows, OPT_ANYWHERE),
    .opts_size = sizeof(struct create_opts),
    .args_min = 1,
    .args_max = 1,
    .doing = "create container",
    .makes_process = true,
    .run = run,
};
