/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>

#include "runtime/base/sig.h"
#include "runtime/cli/cmd.h"

struct kill_opts {
    struct opt_flag all;
};

static const struct opt rows[] = {
    OPT_FLAG(kill_opts, all, "all", 'a', "to all processes of the container"),
};

static int run(struct cmd *c, struct err *err)
{
    const struct kill_opts *o = c->opts;
    int signo = c->args_n > 1 ? sig_parse(c->args[1], err) : SIGTERM;

    if (signo < 0)
        return -1;
    return container_kill(&c->env, c->args[0], signo, o->all.on ? CONTAINER_ALL : CONTAINER_INIT,
                          err);
}

const struct verb cmd_kill = {
    .name = "kill",
    .usage = "[OPTIONS] CONTAINER-ID [SIGNAL]",
    .help = "send a signal (SIGTERM) to the first process of a container",
    .more = "SIGNAL is a name, with or without SIG, or a number.",
    .opts = OPT_TABLE(rows, OPT_ANYWHERE),
    .opts_size = sizeof(struct kill_opts),
    .args_min = 1,
    .args_max = 2,
    .doing = "kill container",
    .run = run,
};
