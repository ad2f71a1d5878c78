/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/own.h"
#include "runtime/cli/stack/cmd.h"
#include "runtime/stack/control.h"
#include "runtime/stack/layout.h"
#include "runtime/stack/place.h"

/* What a killed supervisor left goes the same way as what a live one has. */
static int clean(const struct layout *l, const char *file, struct err *err)
{
    own_buf struct buf text = BUF_INIT(8192);
    bool there = access(l->run, F_OK) == 0;
    own_fd int lock = there ? place_lock(l, err) : -1;

    if (there && (lock < 0 || place_clean(l, err) < 0))
        return -1;
    buf_printf(&text, "'%s' %s\n", file,
               there ? "was left by a supervisor that was killed; it is cleaned up" : "is not up");
    return cmd_print(&text, err);
}

static int run(struct cmd *c, struct err *err)
{
    own_buf struct buf answer = BUF_INIT(CONTROL_TEXT_MAX);
    struct err gone = {0};
    struct layout l;

    if (layout_find(c->arena, c->args[0], &l, err) < 0)
        return -1;
    if (!place_is_locked(&l))
        return clean(&l, c->args[0], err);
    if (cmd_ask(c, c->args[0], "stop", CONTROL_ORDER_S, &answer, &gone) == 0)
        return 0;
    if (gone.code && cmd_lets_go(&l))
        return clean(&l, c->args[0], err);
    *err = gone;
    return -1;
}

const struct verb cmd_down = {
    .name = "down",
    .usage = "FILE",
    .help = "stop a stack and leave nothing behind",
    .more = "Mail and queue stay. A stack that is not up is no error.",
    .args_min = 1,
    .args_max = 1,
    .run = run,
};
