/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/own.h"
#include "runtime/cli/stack/cmd.h"
#include "runtime/stack/control.h"
#include "runtime/stack/layout.h"
#include "runtime/stack/place.h"

/* queued's control socket takes the words as they are. */
static const struct {
    const char *name;
    size_t ids_min;
    size_t ids_max;
} actions[] = {{"list", 0, 0}, {"show", 1, 1}, {"flush", 0, 1}, {"rm", 1, 1}};

static bool is_sound(const struct cmd *c)
{
    for (size_t i = 0; i < ARRAY_N(actions); i++)
        if (strcmp(c->args[0], actions[i].name) == 0)
            return c->args_n - 2 >= actions[i].ids_min && c->args_n - 2 <= actions[i].ids_max;
    return false;
}

static int run(struct cmd *c, struct err *err)
{
    own_buf struct buf answer = BUF_INIT(CMD_PRINT_MAX);
    struct layout l;
    const char *line;

    if (!is_sound(c)) {
        c->code = 2;
        return err_set(err, 0, "usage: mailbox-run queue %s", cmd_queue.usage);
    }
    if (layout_find(c->arena, c->args[1], &l, err) < 0)
        return -1;
    if (!place_is_locked(&l))
        return err_set(err, 0, "'%s' is not up", c->args[1]);
    line = c->args_n > 2 ? arena_printf(c->arena, "%s %s", c->args[0], c->args[2]) : c->args[0];
    if (strchr(line, '\n'))
        return err_set(err, 0, "an id has no line breaks");
    if (control_call(arena_printf(c->arena, "%s/sock/control.sock", l.run), line, &answer, err) < 0)
        return err_wrap(err, "queued");
    return cmd_print(&answer, err);
}

const struct verb cmd_queue = {
    .name = "queue",
    .usage = "list FILE | show FILE ID | flush FILE [ID] | rm FILE ID",
    .help = "list, show, flush and remove outbound mail",
    .args_min = 2,
    .args_max = 3,
    .run = run,
};
