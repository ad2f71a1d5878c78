/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <string.h>

#include "runtime/base/sig.h"
#include "runtime/cli/cmd.h"
#include "runtime/cli/each.h"

struct kill_opts {
    struct opt_flag all;
    struct opt_flag regex;
};

static const struct opt rows[] = {
    OPT_FLAG(kill_opts, all, "all", 'a', "to all processes of the container"),
    OPT_FLAG(kill_opts, regex, "regex", 'r', "to all whose id matches CONTAINER-ID"),
};

/* 0 sends nothing and tells whether there is somebody to send to, as kill(2) has it. */
static int parse_signal(const char *text, struct err *err)
{
    int signo = strcmp(text, "0") == 0 ? 0 : sig_parse(text, err);

    return signo >= 0 ? signo
                      : err_set(err, 0,
                                "there is no signal '%.64s': expected a name such as "
                                "SIGTERM or TERM, or a number from 0 to 64",
                                text);
}

static int kill_one(struct cmd *c, const char *id, struct err *err)
{
    const struct kill_opts *o = c->opts;
    int signo = c->args_n > 1 ? parse_signal(c->args[1], err) : SIGTERM;

    if (signo < 0)
        return -1;
    return container_kill(&c->env, id, signo, o->all.on ? CONTAINER_ALL : CONTAINER_INIT, err);
}

static int run(struct cmd *c, struct err *err)
{
    const struct kill_opts *o = c->opts;

    return o->regex.on ? each_matching(c, c->args[0], kill_one, err) : kill_one(c, c->args[0], err);
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
