/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/container/maker.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/child.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/map.h"
#include "runtime/base/own.h"
#include "runtime/container/pid_file.h"
#include "runtime/kernel/caps.h"
#include "runtime/kernel/lsm.h"
#include "runtime/kernel/proc.h"
#include "runtime/kernel/sys.h"

int maker_init(struct maker *m, struct err *err)
{
    struct init *in = &m->init;

    m->sync_fd = m->cgroup_fd = m->state.dir_fd = -1;
    m->child = (struct container_child){.pid_fd = -1, .console_fd = -1, .notify_fd = -1};
    in->sync_fd = in->listen_fd = in->proc_fd = in->root_fd = in->join_fd = -1;
    in->groups_fs_fd = in->mask_fs_fd = -1;
    in->dev_fd = in->mask_fd = in->null_fd = in->tty.master_fd = in->tty.slave_fd = -1;
    for (size_t i = 0; i < OCI_NS_KINDS; i++)
        in->ns_fds[i] = -1;
    m->hook_files = HOOK_FILES_NONE;
    m->arena = arena_new(MAKER_ARENA_MAX);
    return m->arena == NULL ? err_set(err, ENOMEM, "start a container") : 0;
}

void maker_close(struct maker *m)
{
    struct init *in = &m->init;
    int *fds[] = {&m->sync_fd,    &m->cgroup_fd, &m->state.dir_fd, &in->sync_fd,
                  &in->listen_fd, &in->proc_fd,  &in->root_fd,     &in->join_fd};

    for (size_t i = 0; i < ARRAY_N(fds); i++)
        fd_close(fds[i]);
    for (size_t i = 0; i < OCI_NS_KINDS; i++)
        fd_close(&in->ns_fds[i]);
    for (size_t i = 0; in->source_fds != NULL && i < m->config->mounts_n; i++)
        fd_close(&in->source_fds[i]);
    for (size_t i = 0; in->device_fds != NULL && i < m->config->linux_.devices_n; i++)
        fd_close(&in->device_fds[i]);
    cgroup_doors_close(&in->doors);
    fd_close(&in->groups_fs_fd);
    fd_close(&in->mask_fs_fd);
}

void maker_done(struct maker *m)
{
    maker_close(m);
    hook_files_close(&m->hook_files);
    seccomp_done(&m->init.filter);
    arena_free(m->arena);
    m->arena = NULL;
}

/* --- before anything is opened ---------------------------------------------------------------- */

static int fill_stdio(struct err *err)
{
    for (int i = 0; i < 3; i++) {
        int fd = -1;

        if (fcntl(i, F_GETFD) >= 0)
            continue;
        fd = open("/dev/null", O_RDWR); /* the lowest free number, which is i */
        if (fd != i)
            return err_set(err, errno, "open '/dev/null' as descriptor %d", i);
    }
    return 0;
}

/* What is open now without close-on-exec came from whoever started this program; everything that
 * is opened from here on is close-on-exec, whichever number it gets. */
static void note_preserved(struct init *in, unsigned n)
{
    for (unsigned i = 0; i < n && i < INIT_KEEP_MAX; i++) {
        int flags = fcntl((int)i + 3, F_GETFD);

        if (flags >= 0 && (flags & FD_CLOEXEC) == 0)
            in->keep[i / 8] |= (uint8_t)(1U << i % 8);
    }
}

int maker_check_io(struct maker *m, const struct container_io *io, struct err *err)
{
    if (io->fds_n > CONTAINER_FDS_MAX || io->preserve_fds > INIT_KEEP_MAX)
        return err_set(err, E2BIG, "more than %d descriptors for the container", CONTAINER_FDS_MAX);
    for (size_t i = 0; i < io->fds_n; i++) {
        if (io->fds[i].at < 3 || io->fds[i].at > 4096)
            return err_set(err, EINVAL, "descriptor number %d for the container", io->fds[i].at);
        if (fcntl(io->fds[i].fd, F_GETFD) < 0)
            return err_set(err, errno, "descriptor %d for the container", io->fds[i].fd);
    }
    note_preserved(&m->init, io->preserve_fds);
    if (io->pid_file != NULL && pid_file_check(io->pid_file, err) < 0)
        return err_wrap(err, "the pid file '%s'", io->pid_file);
    return fill_stdio(err);
}

static struct str name_of(const char *variable)
{
    struct str name = str_of(variable), ignored;

    (void)str_cut(name, '=', &name, &ignored); /* without one it is all name */
    return name;
}

/* Of a variable that is set twice programs see the first or the last, as they please: the last it
 * is, and the only one. */
static size_t copy_env(const char **to, const struct oci_strings *env)
{
    struct map *seen = map_new();
    size_t from = env->n;

    for (size_t i = env->n; i-- > 0;)
        if (map_put(seen, name_of(env->v[i]), seen) == NULL)
            to[--from] = env->v[i];
    map_free(seen);
    memmove(to, to + from, (env->n - from) * sizeof *to);
    return env->n - from;
}

int maker_env(struct maker *m, const struct oci_process *p, struct err *err)
{
    m->init.env = arena_array(m->arena, p->env.n + INIT_ENV_SPARE + 1, sizeof *m->init.env);
    if (m->init.env == NULL)
        return err_set(err, ENOMEM, "the environment");
    m->init.env_n = copy_env(m->init.env, &p->env);
    return 0;
}

/* "unconfined" is what a process is where there is no AppArmor. */
int maker_check_labels(const struct oci_process *p, const char *profile_of_container,
                       struct err *err)
{
    const char *profile = p->apparmor_profile;

    if (profile != NULL && strcmp(profile, "unconfined") != 0 && !lsm_is_on(LSM_APPARMOR) &&
        (profile_of_container == NULL || strcmp(profile, profile_of_container) != 0))
        return err_set(err, 0, "$.process.apparmorProfile: AppArmor is not enabled on this host");
    if (p->selinux_label != NULL && !lsm_is_on(LSM_SELINUX))
        return err_set(err, 0, "$.process.selinuxLabel: SELinux is not enabled on this host");
    return 0;
}

void maker_warn(const struct maker *m, const char *text)
{
    if (m->env->warn != NULL)
        m->env->warn(m->env->warn_ctx, text);
}

void maker_warn_labels(const struct maker *m)
{
    const char *profile = m->config->process.apparmor_profile;

    if (profile != NULL && strcmp(profile, "unconfined") != 0 && !lsm_is_on(LSM_APPARMOR))
        maker_warn(m, "$.process.apparmorProfile: AppArmor is not enabled on this host: the "
                      "process is not confined");
    if (m->config->linux_.mount_label != NULL && !lsm_is_on(LSM_SELINUX))
        maker_warn(m, "$.linux.mountLabel: SELinux is not enabled on this host: the mounts go "
                      "without a label");
}

/* In a user namespace of its own a process begins with all capabilities. */
void maker_warn_caps(const struct maker *m, const struct oci_process *p)
{
    own_buf struct buf text = BUF_INIT(ERR_TEXT_MAX);
    uint64_t asked = 0;
    struct caps held;
    struct err ignored;

    for (size_t i = 0; i < OCI_CAP_SETS; i++)
        asked |= p->caps.mask[i];
    if (!p->caps.set || m->env->warn == NULL || caps_get(&held, &ignored) < 0)
        return;
    for (int cap = 0; oci_cap_name(cap) != NULL; cap++)
        if ((asked >> cap & 1) != 0 && (held.permitted >> cap & 1) == 0)
            buf_printf(&text, "%s %s", text.n > 0 ? "," : "", oci_cap_name(cap));
    if (text.n == 0)
        return;
    buf_append_c(&text, " (not held by this runtime): the process goes without");
    maker_warn(m, arena_printf(m->arena, "$.process.capabilities:%s", buf_c(&text)));
}

void maker_warn_ambient(const struct maker *m, const struct oci_process *p)
{
    own_buf struct buf text = BUF_INIT(ERR_TEXT_MAX);
    const uint64_t *mask = p->caps.mask;
    uint64_t lost = mask[OCI_CAP_AMBIENT] & ~(mask[OCI_CAP_PERMITTED] & mask[OCI_CAP_INHERITABLE]);

    for (int cap = 0; p->caps.set && oci_cap_name(cap) != NULL; cap++)
        if ((lost >> cap & 1) != 0)
            buf_printf(&text, "%s %s", text.n > 0 ? "," : "", oci_cap_name(cap));
    if (text.n > 0)
        maker_warn(m, arena_printf(m->arena,
                                   "$.process.capabilities: can't raise ambient capability%s: not "
                                   "permitted and inheritable",
                                   buf_c(&text)));
}

void maker_warn_memlock(const struct maker *m, const struct oci_process *p)
{
    struct rlimit now;
    struct caps held;
    struct err ignored;

    for (size_t i = 0; i < p->rlimits_n; i++)
        if (p->rlimits[i].resource == RLIMIT_MEMLOCK && getrlimit(RLIMIT_MEMLOCK, &now) == 0 &&
            p->rlimits[i].hard > now.rlim_max && caps_get(&held, &ignored) == 0 &&
            (held.effective >> CAP_SYS_RESOURCE & 1) == 0)
            maker_warn(m, "$.process.rlimits: RLIMIT_MEMLOCK is above the limit of this runtime: "
                          "the process has that one");
}

struct idmaps maker_idmaps(const struct maker *m, const struct oci_idmaps *from)
{
    struct idmap *v = arena_array(m->arena, from->n + 1, sizeof *v);

    for (size_t i = 0; v != NULL && i < from->n; i++)
        v[i] = (struct idmap){from->v[i].container_id, from->v[i].host_id, from->v[i].size};
    return (struct idmaps){v, v == NULL ? 0 : from->n};
}

int maker_decide_ids(struct maker *m, struct err *err)
{
    const struct oci_linux *l = &m->config->linux_;

    m->uid_maps = l->uid_maps;
    m->gid_maps = l->gid_maps;
    if (l->ns[OCI_NS_USER].mode != OCI_NS_NEW || l->uid_maps.n > 0)
        return 0;
    maker_warn(m, "$.linux.uidMappings: there are none: root in the container is this user");
    if (oci_map_root(m->arena, geteuid(), &m->uid_maps, err) < 0)
        return -1;
    return oci_map_root(m->arena, getegid(), &m->gid_maps, err);
}

/* --- from outside ----------------------------------------------------------------------------- */

int maker_enter_cgroup(struct maker *m, struct err *err)
{
    if (m->cgroup.n == 0)
        return 0;
    return cgroup_enter(&m->cgroup, m->child.pid, init_enters(&m->init), err);
}

/* Lowering needs a privilege that even root may lack in a container of its own: what cannot be
 * lowered stays as it is for an unprivileged caller, as other runtimes have it. */
int maker_oom_score(struct maker *m, struct err *err)
{
    char path[64], text[16];
    own_fd int proc_fd = proc_open(err);

    if (proc_fd < 0)
        return -1;
    (void)snprintf(path, sizeof path, "%d/oom_score_adj", m->child.pid);
    (void)snprintf(text, sizeof text, "%d", (int)m->init.process->oom_score_adj.v);
    if (proc_write(proc_fd, path, text, err) == 0)
        return 0;
    return err->code == EACCES && (geteuid() != 0 || idmap_is_inside()) ? 0 : -1;
}

/* --- what the caller is told, and the end ----------------------------------------------------- */

int maker_publish(struct maker *m, struct err *err)
{
    own_fd int sock = -1;

    if (m->io->pid_file != NULL && pid_file_write(m->io->pid_file, m->child.pid, err) < 0)
        return err_wrap(err, "the pid file '%s'", m->io->pid_file);
    if (m->io->pidfd_socket == NULL)
        return 0;
    sock = fd_unix_connect(m->io->pidfd_socket, SOCK_STREAM, err);
    if (sock < 0 || fd_send(sock, STR("pidfd"), &m->child.pid_fd, 1, err) < 0)
        return err_wrap(err, "hand the pidfd to '%s'", m->io->pidfd_socket);
    return 0;
}

void maker_abort(struct maker *m)
{
    siginfo_t info;

    if (m->child.pid_fd >= 0) {
        (void)pidfd_send_signal(m->child.pid_fd, SIGKILL, NULL, 0);
        while (waitid(P_PIDFD, (id_t)m->child.pid_fd, &info, WEXITED | __WALL) < 0 &&
               errno == EINTR)
            continue;
    }
    fd_close(&m->child.pid_fd);
    fd_close(&m->child.console_fd);
    fd_close(&m->child.notify_fd);
}
