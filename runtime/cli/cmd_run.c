/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cli/launch.h"

struct run_opts {
    struct launch_opts launch;
    struct opt_flag detach;
    struct opt_flag keep;
    struct opt_flag no_subreaper;
};

static const struct opt rows[] = {
    LAUNCH_ROWS(run_opts),
    NETWORK_ROWS(run_opts),
    OPT_FLAG(run_opts, detach, "detach", 'd', "do not wait for the process"),
    OPT_FLAG(run_opts, keep, "keep", 0, "do not delete the container when its process has ended"),
    OPT_FLAG(run_opts, no_subreaper, "no-subreaper", 0,
             "do not become a subreaper (which this program never does)"),
};

/* The error of the run matters more than one of cleaning up after it. */
static int clean_up(struct cmd *c, const char *id, int rc, struct err *err)
{
    struct err of_delete;

    if (container_delete(&c->env, id, CONTAINER_FORCE, &of_delete) == 0 || rc < 0)
        return rc;
    *err = of_delete;
    return -1;
}

static int run(struct cmd *c, struct err *err)
{
    const struct run_opts *o = c->opts;
    enum launch_how how = o->detach.on ? LAUNCH_DETACHED : LAUNCH_FOREGROUND;
    struct container_create create;
    struct container_child child;
    int rc;

    if (launch_prepare(c, &o->launch, how, &create, err) < 0)
        return -1;
    if (how == LAUNCH_FOREGROUND)
        container_hold_signals();
    if (container_run(&c->env, &create, &child, err) < 0)
        return -1;
    if (how == LAUNCH_DETACHED) {
        rc = child.notify_fd >= 0 ? container_notify_wait(&child, err) : 0;
        launch_let_go(&child);
        return rc;
    }
    rc = launch_attend(&child, &c->code, err);
    return o->keep.on ? rc : clean_up(c, create.id, rc, err);
}

const struct verb cmd_run = {
    .name = "run",
    .usage = "[OPTIONS] CONTAINER-ID",
    .help = "create and start a container, and wait for its process",
    .more = "Signals are forwarded, a terminal is served, and the exit status is that of the "
            "process\n(128 + N if signal N ended it).",
    .opts = OPT_TABLE(rows, OPT_ANYWHERE),
    .opts_size = sizeof(struct run_opts),
    .args_min = 1,
    .args_max = 1,
    .doing = "run container",
    .makes_process = true,
    .run = run,
};
