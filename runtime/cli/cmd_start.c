/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cli/launch.h"

static int run(struct cmd *c, struct err *err)
{
    return container_start(&c->env, c->args[0], launch_notify_host(), err);
}

const struct verb cmd_start = {
    .name = "start",
    .usage = "CONTAINER-ID",
    .help = "start a created container",
    .args_min = 1,
    .args_max = 1,
    .doing = "start container",
    .run = run,
};
