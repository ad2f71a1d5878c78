/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cli/criu_opts.h"
#include "runtime/cli/launch.h"

struct restore_opts {
    struct criu_opts criu;
    struct launch_opts launch;
    struct opt_flag detach;
    struct opt_flag no_subreaper;
    struct opt_flag tcp_close;
    const char *lsm_profile;
    const char *lsm_mount_context;
};

static const struct opt rows[] = {
    CRIU_ROWS(restore_opts),
    LAUNCH_ROWS(restore_opts),
    OPT_FLAG(restore_opts, detach, "detach", 'd', "do not wait for the process"),
    OPT_FLAG(restore_opts, no_subreaper, "no-subreaper", 0,
             "do not become a subreaper (which this program never does)"),
    OPT_FLAG(restore_opts, tcp_close, "tcp-close", 0, "TCP connections come back closed"),
    OPT_VALUE(restore_opts, lsm_profile, OPT_KIND_TEXT, "lsm-profile", 0, "TYPE:NAME",
              "another label than it had; TYPE is apparmor or selinux"),
    OPT_VALUE(restore_opts, lsm_mount_context, OPT_KIND_TEXT, "lsm-mount-context", 0, "CONTEXT",
              "another label for mounts that had one"),
};

static int run(struct cmd *c, struct err *err)
{
    const struct restore_opts *o = c->opts;
    enum launch_how how = o->detach.on ? LAUNCH_DETACHED : LAUNCH_FOREGROUND;
    struct container_checkpoint x;
    struct container_create create;
    struct container_child child;
    struct err of_delete;
    int rc = 0;

    if (criu_opts_take(c, &o->criu, &x, err) < 0)
        return -1;
    x.tcp_close = o->tcp_close.on;
    x.lsm_profile = o->lsm_profile;
    x.lsm_mount_context = o->lsm_mount_context;
    if (launch_prepare(c, &o->launch, how, &create, err) < 0 ||
        container_restore(&c->env, &create, &x, &child, err) < 0)
        return -1;
    if (how == LAUNCH_DETACHED) {
        launch_let_go(&child);
        return 0;
    }
    rc = launch_attend(&child, &c->code, err);
    if (container_delete(&c->env, create.id, CONTAINER_FORCE, &of_delete) == 0 || rc < 0)
        return rc;
    *err = of_delete;
    return -1;
}

const struct verb cmd_restore = {
    .name = "restore",
    .usage = "[OPTIONS] CONTAINER-ID",
    .help = "make a container of what checkpoint wrote",
    .more = "Needs criu(8), and a kernel that it can work with.",
    .opts = OPT_TABLE(rows, OPT_ANYWHERE),
    .opts_size = sizeof(struct restore_opts),
    .args_min = 1,
    .args_max = 1,
    .doing = "restore container",
    .makes_process = true,
    .run = run,
};
