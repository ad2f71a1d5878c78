/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cli/cmd.h"

static int run(struct cmd *c, struct err *err)
{
    return container_resume(&c->env, c->args[0], err);
}

const struct verb cmd_resume = {
    .name = "resume",
    .usage = "CONTAINER-ID",
    .help = "let a paused container go on",
    .args_min = 1,
    .args_max = 1,
    .doing = "resume container",
    .run = run,
};
