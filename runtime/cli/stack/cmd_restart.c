/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/own.h"
#include "runtime/cli/stack/cmd.h"
#include "runtime/stack/control.h"

static int run(struct cmd *c, struct err *err)
{
    own_buf struct buf answer = BUF_INIT(CONTROL_TEXT_MAX);
    const char *line = c->args_n > 1 ? arena_printf(c->arena, "restart %s", c->args[1]) : "restart";

    return cmd_ask(c, c->args[0], line, CONTROL_ORDER_S, &answer, err);
}

const struct verb cmd_restart = {
    .name = "restart",
    .usage = "FILE [SERVICE]",
    .help = "restart a service, or all",
    .more = "It returns when they are ready. Ports stay bound meanwhile: who connects waits.",
    .args_min = 1,
    .args_max = 2,
    .run = run,
};
