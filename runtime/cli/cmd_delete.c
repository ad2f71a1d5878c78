/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cli/cmd.h"
#include "runtime/cli/each.h"

struct delete_opts {
    struct opt_flag force;
    struct opt_flag regex;
};

static const struct opt rows[] = {
    OPT_FLAG(delete_opts, force, "force", 'f', "kill it first; an absent one is no error"),
    OPT_FLAG(delete_opts, regex, "regex", 'r', "all whose id matches CONTAINER-ID"),
};

static int delete_one(struct cmd *c, const char *id, struct err *err)
{
    const struct delete_opts *o = c->opts;

    return container_delete(&c->env, id, o->force.on ? CONTAINER_FORCE : CONTAINER_GENTLE, err);
}

static int run(struct cmd *c, struct err *err)
{
    const struct delete_opts *o = c->opts;

    return o->regex.on ? each_matching(c, c->args[0], delete_one, err)
                       : delete_one(c, c->args[0], err);
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
