/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/own.h"
#include "runtime/cli/stack/cmd.h"
#include "runtime/stack/control.h"
#include "runtime/stack/layout.h"
#include "runtime/stack/place.h"
#include "runtime/stack/queue_view.h"

struct queue_opts {
    struct opt_flag json;
};

static const struct opt rows[] = {
    OPT_FLAG(queue_opts, json, "json", 0, "print queued's JSON lines as they are"),
};

/* queued's control socket takes the words as they are. */
static const struct action {
    const char *name;
    size_t args_min; /* behind FILE */
    size_t args_max;
    int (*view)(struct str answer, int64_t now_s, struct buf *out, struct err *err);
} actions[] = {
    {"list", 0, 0, queue_view_list},
    {"show", 1, 1, queue_view_show},
    {"flush", 0, 1, queue_view_flush},
    {"rm", 1, 1, queue_view_rm},
};

static const struct action *find(const struct cmd *c)
{
    for (size_t i = 0; i < ARRAY_N(actions); i++) {
        const struct action *a = &actions[i];

        if (strcmp(c->args[0], a->name) == 0)
            return c->args_n - 2 >= a->args_min && c->args_n - 2 <= a->args_max ? a : NULL;
    }
    return NULL;
}

/* One word: what is no id or domain must not become another line of the conversation. */
static bool is_word(const char *arg)
{
    return arg[0] != '\0' && strpbrk(arg, " \t\r\n") == NULL;
}

static int ask(struct cmd *c, const struct action *a, struct buf *answer, struct err *err)
{
    const char *line = a->name;
    struct layout l;

    if (layout_find(c->arena, c->args[1], &l, err) < 0)
        return -1;
    if (!place_is_locked(&l))
        return err_set(err, 0, "'%s' %s", c->args[1], cmd_not_up());
    if (c->args_n > 2)
        line = arena_printf(c->arena, "%s %s", a->name, c->args[2]);
    if (control_call(arena_printf(c->arena, "%s/sock/control.sock", l.run), line, CONTROL_ASK_S,
                     answer, err) == 0)
        return 0;
    if (err->code == ENOENT || err->code == ECONNREFUSED)
        return err_set(err, err->code, "queue: queued does not run");
    return err_wrap(err, "queue");
}

static int run(struct cmd *c, struct err *err)
{
    const struct queue_opts *o = c->opts;
    own_buf struct buf answer = BUF_INIT(CONTROL_TEXT_MAX);
    own_buf struct buf out = BUF_INIT(CMD_PRINT_MAX);
    const struct action *a = find(c);

    if (!a || (c->args_n > 2 && !is_word(c->args[2]))) {
        c->code = 2;
        return err_set(err, 0, "usage: mailbox-run queue %s", cmd_queue.usage);
    }
    if (ask(c, a, &answer, err) < 0)
        return -1;
    if (o->json.on)
        return cmd_print(&answer, err);
    if (a->view(buf_str(&answer), clock_wall_s(), &out, err) < 0)
        return -1;
    return cmd_print(&out, err);
}

const struct verb cmd_queue = {
    .name = "queue",
    .usage = "[--json] list FILE | show FILE ID | flush FILE [ID | DOMAIN] | rm FILE ID",
    .help = "list, show, send at once and remove outbound mail",
    .more = "  list    what waits, for whom, and why\n"
            "  show    one message: envelope, attempts, last errors, header\n"
            "  flush   try now: everything, one message, or what goes to one domain\n"
            "  rm      take a message out of the queue, without a report to its sender",
    .opts = OPT_TABLE(rows, OPT_ANYWHERE),
    .opts_size = sizeof(struct queue_opts),
    .args_min = 2,
    .args_max = 3,
    .run = run,
};
