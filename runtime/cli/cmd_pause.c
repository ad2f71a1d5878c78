/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cli/cmd.h"

static int run(struct cmd *c, struct err *err)
{
    return container_pause(&c->env, c->args[0], err);
}

const struct verb cmd_pause = {
    .name = "pause",
    .usage = "CONTAINER-ID",
    .help = "stop all processes of a container for a while",
    .args_min = 1,
    .args_max = 1,
    .doing = "pause container",
    .run = run,
};
