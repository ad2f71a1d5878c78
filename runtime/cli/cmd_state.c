/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/buf.h"
#include "runtime/base/own.h"
#include "runtime/cli/cmd.h"

#define STATE_TEXT_MAX (1U << 20)
#define CREATE_MS      200 /* creating takes less; a hook that asks meanwhile is not kept for long */

static int run(struct cmd *c, struct err *err)
{
    own_buf struct buf out = BUF_INIT(STATE_TEXT_MAX);
    struct container_state state;

    if (container_state_settled(&c->env, c->args[0], CREATE_MS, c->arena, &state, err) < 0)
        return -1;
    container_state_format(&state, &out);
    buf_append_char(&out, '\n');
    return cmd_print(&out, err);
}

const struct verb cmd_state = {
    .name = "state",
    .usage = "CONTAINER-ID",
    .help = "print the state of a container as JSON",
    .args_min = 1,
    .args_max = 1,
    .doing = "state of container",
    .run = run,
};
