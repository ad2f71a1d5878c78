/* SPDX-License-Identifier: Apache-2.0 */
/*
 * restore: as create, up to the clone; then criu makes the process, with its namespaces and mounts,
 * as a child of ours. The root it mounts is bound in a mount namespace that only criu is in.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/stat.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/base/jv.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"
#include "runtime/container/checkpoint.h"
#include "runtime/container/limits.h"
#include "runtime/container/maker.h"
#include "runtime/spec/oci.h"

#define ROOT_DIR "root"
#define PID_FILE "criu.pid"

struct restoring {
    struct maker *m;
    const struct container_checkpoint *c;
    struct checkpoint_restore how;
    struct checkpoint_args args;
};

static bool ignores_groups(const struct restoring *r)
{
    return r->c->manage_cgroups != NULL && strcmp(r->c->manage_cgroups, "ignore") == 0;
}

/* --- in the process that becomes criu --------------------------------------------------------- */

static int enter(void *ctx, struct err *err)
{
    const struct restoring *r = ctx;

    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0)
        return err_set(err, errno, "make a mount namespace for criu");
    if (mount(r->m->state.public.rootfs, r->how.root, NULL, MS_BIND | MS_REC, NULL) < 0)
        return err_set(err, errno, "bind '%s'", r->m->state.public.rootfs);
    if (r->how.net_fd >= 0 && fcntl(r->how.net_fd, F_SETFD, 0) < 0)
        return err_set(err, errno, "keep the network namespace");
    /* Where criu is to leave groups alone, what it makes stays in those that it is in. */
    return ignores_groups(r) ? cgroup_enter(&r->m->cgroup, 0, CGROUP_ENTER_ALL, err) : 0;
}

/* --- before ----------------------------------------------------------------------------------- */

/* Where 0, 1 or 2 was a pipe, the restored process gets what stands there of ours. */
static int read_stdio(struct restoring *r, struct err *err)
{
    own_buf struct buf text = BUF_INIT(65536);
    own_fd int dir_fd = open(r->c->image_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    own_json json_t *doc = NULL;
    struct jv at;

    if (dir_fd < 0)
        return err_set(err, errno, "open '%s'", r->c->image_path);
    if (oci_read_file(dir_fd, CHECKPOINT_STDIO, &text, err) < 0) /* no pipe that nobody fills */
        return -1;
    doc = jv_load_str(buf_str(&text), CHECKPOINT_STDIO, err);
    if (doc == NULL)
        return -1;
    at = jv_root(doc);
    for (size_t i = 0; i < 3 && i < jv_n(&at); i++) {
        struct jv e = jv_elem(&at, i);
        struct str link;

        if (jv_as_str(&e, &link, err) < 0)
            return -1;
        if (str_starts(link, STR("pipe:")) || str_starts(link, STR("socket:")))
            r->how.pipes[i] = arena_copy(r->m->arena, link);
    }
    return 0;
}

static int make_group(struct maker *m, struct err *err)
{
    const struct oci_resources *res = &m->config->linux_.resources;
    struct limits limits;

    if (m->env->cgroups == CONTAINER_SYSTEMD) {
        if (maker_make_scope(m, err) < 0)
            return -1;
    } else if (m->cgroup.n == 0)
        return 0;
    else if (cgroup_make(&m->cgroup, CGROUP_ALL, err) < 0)
        return -1;
    m->state.cgroup = m->cgroup;
    if (state_write_groups(&m->state, false, err) < 0)
        return -1;
    if (limits_make(m->arena, res, &limits, err) < 0 || limits_apply(&m->cgroup, &limits, err) < 0)
        return -1;
    return limits_apply_devices(&m->cgroup, res, err);
}

/* The groups of the images are those of the container as it was called then. */
static void add_groups(struct restoring *r)
{
    const struct cgroup *g = &r->m->cgroup;

    if (ignores_groups(r))
        return;
    for (size_t i = 0; i < g->n && r->args.n + 2 <= CHECKPOINT_ARGS_MAX; i++) {
        r->args.v[r->args.n++] = "--cgroup-root";
        r->args.v[r->args.n++] =
            g->v[i].v2 ? g->v[i].path
                       : arena_printf(r->m->arena, "%s:%s", g->v[i].controllers, g->v[i].path);
    }
}

static int open_net(struct restoring *r, struct err *err)
{
    const struct oci_namespace *ns = &r->m->config->linux_.ns[OCI_NS_NETWORK];

    r->how.net_fd = -1;
    if (ns->mode == OCI_NS_NEW)
        return 0;
    r->how.net_fd =
        open(ns->mode == OCI_NS_JOIN ? ns->path : "/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    return r->how.net_fd < 0 ? err_set(err, errno, "open the network namespace") : 0;
}

/* --- after ------------------------------------------------------------------------------------ */

static int take_pid(struct maker *m, struct err *err)
{
    own_buf struct buf text = BUF_INIT(64);
    uint32_t pid = 0;

    if (file_read(m->state.dir_fd, PID_FILE, &text, err) < 0 ||
        num_parse_u32(str_trim(buf_str(&text)), 1, INT32_MAX, &pid, err) < 0)
        return err_wrap(err, "the pid that criu wrote");
    m->child.pid = (pid_t)pid;
    m->child.pid_fd = pidfd_open(m->child.pid, 0);
    return m->child.pid_fd < 0 ? err_set(err, errno, "open process %u", pid) : 0;
}

static int call_criu(struct restoring *r, struct err *err)
{
    struct maker *m = r->m;
    const char *dir = state_path(m->arena, m->env, m->create->id);
    struct checkpoint_call call = {
        .criu = r->c->criu, .args = &r->args, .prepare = enter, .ctx = r};

    if (mkdirat(m->state.dir_fd, ROOT_DIR, 0700) < 0)
        return err_set(err, errno, "make '" ROOT_DIR "'");
    r->how.root = arena_printf(m->arena, "%s/" ROOT_DIR, dir);
    r->how.pid_file = arena_printf(m->arena, "%s/" PID_FILE, dir);
    call.log = arena_printf(m->arena, "%s/" CHECKPOINT_LOG_AGAIN,
                            r->c->work_path != NULL ? r->c->work_path : r->c->image_path);
    if (checkpoint_restore_args(m->arena, r->c, &r->how, &r->args, err) < 0 ||
        checkpoint_forget_log(r->c, CHECKPOINT_LOG_AGAIN, err) < 0)
        return -1;
    add_groups(r);
    return checkpoint_run(&call, err);
}

static int carry_out(struct restoring *r, struct str text, struct err *err)
{
    struct maker *m = r->m;
    int done = 0;

    if (maker_write_config(m, text, err) < 0 || read_stdio(r, err) < 0 || make_group(m, err) < 0 ||
        open_net(r, err) < 0)
        return -1;
    done = call_criu(r, err);
    own_close_fd(&r->how.net_fd);
    if (done < 0 || take_pid(m, err) < 0 || maker_write_state(m, err) < 0 ||
        maker_publish(m, err) < 0)
        return -1;
    maker_end_placeholder(m);
    return 0;
}

static int restore(struct restoring *r, struct err *err)
{
    struct maker *m = r->m;
    struct str text = STR_NONE;

    if (container_id_check(m->create->id, err) < 0 || maker_check_io(m, m->io, err) < 0 ||
        maker_init(m, err) < 0 || checkpoint_check(r->c->criu, err) < 0 ||
        maker_prepare(m, &text, err) < 0)
        return -1;
    if (m->config->process.terminal)
        return err_set(err, ENOTSUP, "a container with a terminal cannot be restored");
    m->state.dir_fd = state_reserve(m->env, m->create->id, err);
    if (m->state.dir_fd < 0)
        return -1;
    if (carry_out(r, text, err) == 0)
        return 0;
    maker_undo(m);
    return -1;
}

int container_restore(const struct container_env *env, const struct container_create *create,
                      const struct container_checkpoint *c, struct container_child *child,
                      struct err *err)
{
    struct maker m = {.env = env, .create = create, .io = &create->io};
    struct restoring r = {.m = &m, .c = c};
    int done = restore(&r, err);

    if (done == 0)
        *child = m.child;
    if (m.arena != NULL)
        maker_done(&m);
    return done;
}
