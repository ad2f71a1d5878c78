/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The maker's steps of a plan: one function a kind, and the walk. Those of the new process are in
 * steps.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"
#include "runtime/container/container.h"
#include "runtime/container/filter.h"
#include "runtime/container/handed.h"
#include "runtime/container/limits.h"
#include "runtime/container/maker.h"
#include "runtime/container/rdt_of.h"
#include "runtime/container/sources.h"
#include "runtime/container/steps.h"
#include "runtime/container/sync.h"
#include "runtime/kernel/cgroup_v2.h"
#include "runtime/kernel/device.h"
#include "runtime/kernel/idmap.h"
#include "runtime/kernel/mount.h"
#include "runtime/kernel/netdev.h"
#include "runtime/kernel/proc.h"

static int make_cgroup(struct maker *m, enum cgroup_part part, struct err *err)
{
    return m->env->cgroups == CONTAINER_SYSTEMD ? maker_make_scope(m, err)
                                                : cgroup_make(&m->cgroup, part, err);
}

/* Nothing has been let into them yet that would not end with us. */
static int cgroup_is_made(struct maker *m, struct err *err)
{
    m->state.cgroup = m->cgroup;
    m->cgroup_begun = false;
    return state_write_groups(&m->state, m->rdt_made, err);
}

/* An ordinary user without a delegated group runs without one, unless limits were asked for. */
static bool may_go_without(const struct maker *m)
{
    return m->env->rootless == CONTAINER_ROOTLESS_YES ||
           (m->env->rootless == CONTAINER_ROOTLESS_AUTO && (geteuid() != 0 || m->inside));
}

static int go_without_cgroup(const struct maker *m, struct err *err)
{
    if ((err->code != EACCES && err->code != EPERM && err->code != EROFS) || !may_go_without(m))
        return -1;
    if (!limits_is_empty(&m->config->linux_.resources))
        return err_wrap(err, "$.linux.resources asks for limits, for which no control group is "
                             "delegated to this user");
    err_reset(err);
    return 0;
}

/* 4294967295, nobody's id, where there is no mapping. */
static uint32_t host_id(const struct oci_idmaps *maps, uint32_t id)
{
    for (size_t i = 0; i < maps->n; i++)
        if (id >= maps->v[i].container_id && id - maps->v[i].container_id < maps->v[i].size)
            return maps->v[i].host_id + (id - maps->v[i].container_id);
    return maps->n == 0 ? id : UINT32_MAX;
}

/* Only on v2, where a group can be handed on safely. */
static int give_cgroup(const struct maker *m, struct err *err)
{
    const struct cgroup_hier *h = cgroup_find_v2(&m->cgroup);
    uint32_t uid = host_id(&m->uid_maps, m->config->process.user.uid);

    if (!m->cgroup.unified || h == NULL || geteuid() != 0 || uid == 0 || uid == UINT32_MAX ||
        !may_divide_cgroup(m->config))
        return 0;
    return cgroup_v2_give(h, uid, err);
}

static int step_cgroup_make(struct maker *m, size_t index, struct err *err)
{
    enum cgroup_part part = (enum cgroup_part)index;

    if (make_cgroup(m, part, err) < 0)
        return go_without_cgroup(m, err);
    m->init.cgroup_made = true;
    m->cgroup_begun = part == CGROUP_V2;
    if (part != CGROUP_V1)
        m->cgroup_fd = cgroup_open_v2(&m->cgroup);
    if (part != CGROUP_V2 && cgroup_is_made(m, err) < 0)
        return -1;
    return give_cgroup(m, err);
}

static bool wants_realtime(const struct oci_scheduler *s)
{
    return s->set && (s->policy == SCHED_FIFO || s->policy == SCHED_RR);
}

static int step_cgroup_limits(struct maker *m, size_t index, struct err *err)
{
    const struct oci_resources *r = &m->config->linux_.resources;
    struct limits limits;

    if (!m->init.cgroup_made)
        return 0;
    if (limits_make(m->arena, r, &limits, err) < 0)
        return -1;
    if (wants_realtime(&m->config->process.scheduler))
        limits_add_realtime(r, &limits);
    limits_keep(&limits, (enum limits_part)index);
    return limits_apply(&m->cgroup, &limits, err);
}

static int step_cgroup_devices(struct maker *m, size_t index, struct err *err)
{
    const struct oci_resources *r = &m->config->linux_.resources;

    (void)index;
    if (!m->init.cgroup_made)
        return 0;
    if (geteuid() == 0) {
        if (limits_apply_devices(&m->cgroup, r, err) == 0)
            return 0;
        if ((err->code != EPERM && err->code != EACCES) || !m->inside)
            return -1;
        err_reset(err);
    }
    if (r->devices_n > 0)
        maker_warn(m, "$.linux.resources.devices: an ordinary user cannot set device rules: the "
                      "container goes without");
    return 0;
}

static int step_rdt_make(struct maker *m, size_t index, struct err *err)
{
    const struct oci_rdt *o = &m->config->linux_.rdt;

    (void)index;
    if (!rdt_is_on(RDT_ROOT))
        return err_set(err, 0, "$.linux.intelRdt: no resctrl file system is mounted at '%s'",
                       RDT_ROOT);
    if (rdt_of(m->arena, o, m->create->id, &m->rdt, err) < 0)
        return -1;
    m->rdt_made = rdt_make(&m->rdt, err) == 0;
    return m->rdt_made ? state_write_groups(&m->state, true, err) : -1;
}

static int step_rdt_enter(struct maker *m, size_t index, struct err *err)
{
    (void)index;
    return rdt_enter(&m->rdt, m->child.pid, err);
}

static int step_netdev_look(struct maker *m, size_t index, struct err *err)
{
    return netdev_look(m->config->linux_.net_devices[index].name, &m->init.netdevs[index], err);
}

static int open_net_ns(const struct maker *m, struct err *err)
{
    int fd = m->init.ns_fds[OCI_NS_NETWORK];

    if (fd < 0)
        return proc_open_ns(m->child.pid, "net", err);
    fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    return fd >= 0 ? fd : err_set(err, errno, "the network namespace");
}

static int step_netdev_move(struct maker *m, size_t index, struct err *err)
{
    const struct oci_net_device *o = &m->config->linux_.net_devices[index];
    own_fd int ns_fd = open_net_ns(m, err);

    return ns_fd < 0 ? -1
                     : netdev_move(&m->init.netdevs[index], ns_fd,
                                   o->new_name != NULL ? o->new_name : o->name, err);
}

static int step_open_root(struct maker *m, size_t index, struct err *err)
{
    (void)index;
    m->init.root_fd = mount_clone(AT_FDCWD, m->init.rootfs, MOUNT_TREE, err);
    return m->init.root_fd < 0 ? -1 : sources_detach(m->config, m->init.root_fd, false, err);
}

#define NODE_NAME_MAX 32

static void node_name(size_t index, char out[NODE_NAME_MAX])
{
    (void)snprintf(out, NODE_NAME_MAX, "node-%zu", index);
}

static int step_device_node(struct maker *m, size_t index, struct err *err)
{
    struct device d = device_of_config(m->config, index);
    char name[NODE_NAME_MAX];

    if (S_ISFIFO(d.mode)) /* which the child makes itself */
        return 0;
    d.uid = host_id(&m->uid_maps, d.uid);
    d.gid = host_id(&m->gid_maps, d.gid);
    if (d.uid == UINT32_MAX || d.gid == UINT32_MAX)
        return err_set(err, EINVAL, "its owner is not mapped into the user namespace");
    node_name(index, name);
    m->init.device_fds[index] = device_node(m->state.dir_fd, name, &d, err);
    return m->init.device_fds[index] < 0 ? -1 : 0;
}

void maker_forget_nodes(const struct maker *m)
{
    char name[NODE_NAME_MAX];

    for (size_t i = 0; i < m->config->linux_.devices_n; i++) {
        node_name(i, name);
        if (m->init.device_fds[i] >= 0)
            (void)unlinkat(m->state.dir_fd, name, 0); /* else it goes with the state */
    }
}

static int step_compile_filter(struct maker *m, size_t index, struct err *err)
{
    const struct seccomp_program *known = m->create->filter;

    (void)index;
    if (known == NULL)
        return filter_check_names(m->config, err) < 0
                   ? -1
                   : filter_make(m->arena, m->env->filters, &m->config->linux_.seccomp,
                                 &m->init.filter, err);
    seccomp_copy(known, &m->init.filter);
    return 0;
}

static int step_open_source(struct maker *m, size_t index, struct err *err)
{
    return sources_open(m, index, err);
}

static int step_idmap(struct maker *m, size_t index, struct err *err)
{
    return sources_idmap(m, index, err);
}

static int step_clone(struct maker *m, size_t index, struct err *err)
{
    (void)index;
    if (m->init.cgroup_made)
        cgroup_doors_init(&m->cgroup, &m->init.doors);
    if (!m->plan.side_by_side &&
        cgroup_doors_open(&m->cgroup, &m->init.doors, CGROUP_ENTER_ALL, err) < 0)
        return -1;
    /* Who sees it may look into it: user 0, without capabilities, if it is in a new user namespace.
     * It is only its maps that an ordinary user could not write then. */
    return m->facts.root || !m->plan.new_user_ns ? maker_clone_undumpable(m, err)
                                                 : maker_clone(m, err);
}

static int step_go(struct maker *m, size_t index, struct err *err)
{
    (void)index;
    return maker_go(m, err);
}

/* Who cannot make it leaves it to the child, which will tell why. */
static int step_make_mount(struct maker *m, size_t index, struct err *err)
{
    m->init.source_fds[index] = fresh_prepare(&m->init, index, err);
    err_reset(err);
    return 0;
}

/* A child that has failed already is heard by maker_serve. */
static int hand(int r, struct err *err)
{
    if (r == 0 || !sync_is_gone(err))
        return r;
    err_reset(err);
    return 0;
}

static int step_hand_mounts(struct maker *m, size_t index, struct err *err)
{
    (void)index;
    return hand(handed_send_mounts(&m->init, m->sync_fd, err), err);
}

static int step_cgroup_admit(struct maker *m, size_t index, struct err *err)
{
    (void)index;
    return hand(handed_send_groups(&m->init, m->sync_fd, err), err);
}

static int step_id_maps(struct maker *m, size_t index, struct err *err)
{
    (void)index;
    return idmap_write(m->child.pid, maker_idmaps(m, &m->uid_maps), maker_idmaps(m, &m->gid_maps),
                       &m->groups_denied, err);
}

static int step_oom_score(struct maker *m, size_t index, struct err *err)
{
    (void)index;
    return maker_oom_score(m, err);
}

/* In a user namespace of its own the child cannot raise a hard limit; what is refused here is told
 * by the child's own step, with the limit's name. */
static int step_raise_rlimits(struct maker *m, size_t index, struct err *err)
{
    const struct oci_process *p = &m->config->process;

    (void)index;
    (void)err;
    for (size_t i = 0; i < p->rlimits_n; i++) {
        __rlimit_resource_t what = (__rlimit_resource_t)p->rlimits[i].resource;
        struct rlimit now;

        if (getrlimit(what, &now) < 0 || p->rlimits[i].hard <= now.rlim_max)
            continue;
        now.rlim_max = p->rlimits[i].hard;
        if (prlimit(m->child.pid, what, &now, NULL) < 0)
            continue;
    }
    return 0;
}

static int step_network(struct maker *m, size_t index, struct err *err)
{
    (void)index;
    return maker_network(m, err);
}

typedef int maker_step(struct maker *m, size_t index, struct err *err);

static maker_step *const steps[STEP_KINDS] = {
    [STEP_CGROUP_MAKE] = step_cgroup_make,
    [STEP_CGROUP_LIMITS] = step_cgroup_limits,
    [STEP_CGROUP_DEVICES] = step_cgroup_devices,
    [STEP_RDT_MAKE] = step_rdt_make,
    [STEP_RDT_ENTER] = step_rdt_enter,
    [STEP_NETDEV_LOOK] = step_netdev_look,
    [STEP_NETDEV_MOVE] = step_netdev_move,
    [STEP_OPEN_ROOT] = step_open_root,
    [STEP_OPEN_SOURCE] = step_open_source,
    [STEP_DEVICE_NODE] = step_device_node,
    [STEP_COMPILE_FILTER] = step_compile_filter,
    [STEP_CLONE] = step_clone,
    [STEP_GO] = step_go,
    [STEP_MAKE_MOUNT] = step_make_mount,
    [STEP_HAND_MOUNTS] = step_hand_mounts,
    [STEP_CGROUP_ADMIT] = step_cgroup_admit,
    [STEP_ID_MAPS] = step_id_maps,
    [STEP_OOM_SCORE] = step_oom_score,
    [STEP_RAISE_RLIMITS] = step_raise_rlimits,
    [STEP_IDMAP] = step_idmap,
    [STEP_NETWORK] = step_network,
};

static int wrap_step(const struct maker *m, const struct step *s, struct err *err)
{
    own_buf struct buf text = BUF_INIT(512);

    plan_print_step(m->config, &m->config->process, s, &text);
    return err_wrap(err, "%s", buf_c(&text));
}

static int walk(struct maker *m, const struct step *v, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++)
        if (steps[v[i].kind](m, v[i].index, err) < 0)
            return wrap_step(m, &v[i], err);
    return 0;
}

int maker_walk(struct maker *m, struct err *err)
{
    return walk(m, m->plan.maker, m->plan.maker_n, err);
}

int maker_walk_entered(struct maker *m, struct err *err)
{
    return walk(m, m->plan.entered, m->plan.entered_n, err);
}
