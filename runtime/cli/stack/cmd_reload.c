/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/buf.h"
#include "runtime/base/own.h"
#include "runtime/cli/stack/cmd.h"
#include "runtime/stack/control.h"
#include "runtime/stack/gen.h"

/* The file is checked here first, so that all its faults are shown and not just the first. */
static int run(struct cmd *c, struct err *err)
{
    own_buf struct buf report = BUF_INIT(CONTROL_TEXT_MAX);
    own_buf struct buf answer = BUF_INIT(CONTROL_TEXT_MAX);
    struct gen *g = gen_load(c->args[0], &report);

    if (!g)
        return cmd_wrong(c, &report, err);
    gen_free(g);
    if (cmd_ask(c, c->args[0], "reload", CONTROL_ORDER_S, &answer, err) < 0)
        return -1;
    if (answer.n == 0)
        buf_append_c(&answer, "nothing has changed\n");
    return cmd_print(&answer, err);
}

const struct verb cmd_reload = {
    .name = "reload",
    .usage = "FILE",
    .help = "carry out what has changed in the file, and nothing else",
    .more = "What was done is printed, one line a service. A file that is wrong changes nothing.",
    .args_min = 1,
    .args_max = 1,
    .run = run,
};
