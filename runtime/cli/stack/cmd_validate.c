/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/fd.h"
#include "runtime/base/own.h"
#include "runtime/cli/stack/cmd.h"
#include "runtime/spec/stack.h"

#define OUT_MAX 65536

/* Reads the file and its accounts; nothing is touched, whatever they say. A wrong one is one line
 * for each fault. */
static int run(struct cmd *c, struct err *err)
{
    own_buf struct buf out = BUF_INIT(OUT_MAX);
    struct stack_config *config;

    if (stack_load(c->arena, c->args[0], &config, &out) < 0) {
        c->code = 2;
        return fd_write_all(STDERR_FILENO, buf_str(&out), err);
    }
    buf_printf(&out, "%s: valid\n", c->args[0]);
    return cmd_print(&out, err);
}

const struct verb cmd_validate = {
    .name = "validate",
    .usage = "FILE",
    .help = "check a mailstack.json and its accounts",
    .more =
        "Each fault is one line with its JSON path, and the exit status is 2. Nothing is touched.",
    .args_min = 1,
    .args_max = 1,
    .run = run,
};
