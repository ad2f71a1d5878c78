/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cli/cmd.h"

struct delete_opts {
    struct opt_flag force;
};

static const struct opt rows[] = {
    OPT_FLAG(delete_opts, force, "force", 'f', "kill it first; an absent one is no error"),
    OPT_REFUSED("regex", 'r', NULL, "containers are named one by one, by their ids"),
};

static int run(struct cmd *c, struct err *err)
{
    const struct delete_opts *o = c->opts;

    return container_delete(&c->env, c->args[0], o->force.on ? CONTAINER_FORCE : CONTAINER_GENTLE,
                            err);
}

const struct verb cmd_delete = {
    .name = "delete",
    .usage = "[OPTIONS] CONTAINER-ID",
    .help = "remove a container and all it holds",
    .opts = OPT_TABLE(rows, OPT_ANYWHERE),
    .opts_size = sizeof(struct delete_opts),
    .args_min = 1,
    .args_max = 1,
    .doing = "delete container",
    .run = run,
};
