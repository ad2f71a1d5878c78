/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/stack/bundle.h"

#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"
#include "runtime/spec/oci.h"
#include "runtime/spec/stack.h"
#include "runtime/stack/layout.h"
#include "runtime/stack/profile.h"
#include "runtime/stack/svc.h"

#define MOUNTS_MAX 32
#define CPU_PERIOD 100000U

size_t bundle_fd_names(const struct stack_config *c, const struct svc *s,
                       const char *names[BUNDLE_FDS_MAX])
{
    size_t n = 0;

    for (int p = 0; p < STACK_PORTS; p++)
        for (size_t i = 0; s->ports[p] && i < c->listen[p].n && n < BUNDLE_FDS_MAX - 8; i++)
            names[n++] = stack_port_names[p];
    for (size_t i = 0; i < s->sockets_n; i++)
        names[n++] = s->sockets[i].name;
    names[n++] = "counters";
    if (s->dials)
        names[n++] = "dial";
    return n;
}

static struct oci_strings strings(struct arena *a, const char *const *v)
{
    struct oci_strings out = {0};

    while (v[out.n])
        out.n++;
    out.v = arena_array(a, out.n + 1, sizeof(char *));
    memcpy(out.v, v, out.n * sizeof(char *));
    return out;
}

/* --- process ------------------------------------------------------------------------------------
 */

static struct oci_strings environment(struct arena *a, const struct bundle_make *m)
{
    own_buf struct buf names = BUF_INIT(4096);
    const char *fds[BUNDLE_FDS_MAX];
    size_t n = bundle_fd_names(m->c, m->s, fds);
    const char *env[8] = {0};
    size_t k = 0;

    for (size_t i = 0; i < n; i++)
        buf_printf(&names, "%s%s", i ? ":" : "", fds[i]);
    env[k++] = arena_printf(a, "LISTEN_FDS=%zu", n);
    env[k++] = arena_printf(a, "LISTEN_FDNAMES=%s", buf_c(&names));
    env[k++] = "LISTEN_PID=1"; /* its pid in a namespace of its own */
    env[k++] = "NOTIFY_SOCKET=/run/mailstack/notify.sock";
    if (m->s->watchdog_s)
        env[k++] = arena_printf(a, "WATCHDOG_USEC=%u000000", m->s->watchdog_s);
    return strings(a, env);
}

static void fill_process(struct arena *a, const struct bundle_make *m, struct oci_process *p)
{
    struct stack_limits limits = svc_limits(m->s, m->c);
    const char *args[] = {m->program, "-c", arena_printf(a, "/etc/mailstack/%s.json", m->s->name),
                          NULL};
    struct oci_rlimit *r = arena_array(a, 2, sizeof(*r));

    p->set = true;
    p->user.uid = svc_uid(m->s, m->c);
    p->user.gid = p->user.uid;
    p->user.umask = (struct oci_u64){.set = true, .v = m->s->mail_group ? 0007 : 0077};
    if (m->s->mail_group && !svc_is_rootless()) {
        p->user.gids = arena_array(a, 1, sizeof(uint32_t));
        p->user.gids[0] = svc_mail_gid(m->c);
        p->user.gids_n = 1;
    }
    p->args = strings(a, args);
    p->env = environment(a, m);
    p->cwd = "/";
    p->caps.set = true; /* all five sets are empty */
    p->no_new_privs = true;
    r[0] = (struct oci_rlimit){RLIMIT_NOFILE, "RLIMIT_NOFILE", limits.nofile, limits.nofile};
    r[1] = (struct oci_rlimit){RLIMIT_CORE, "RLIMIT_CORE", 0, 0};
    p->rlimits = r;
    p->rlimits_n = 2;
}

/* --- mounts -------------------------------------------------------------------------------------
 */

struct mounts {
    struct arena *a;
    struct oci_mount *v;
    size_t n;
};

static struct oci_mount *add_mount(struct mounts *m, const char *at, const char *type,
                                   const char *source)
{
    struct oci_mount *out = &m->v[m->n];

    if (m->n < MOUNTS_MAX - 1)
        m->n++;
    *out = (struct oci_mount){.destination = at, .type = type, .source = source};
    return out;
}

static void add_tmpfs(struct mounts *m, const char *at, const char *data, unsigned long flags,
                      const char *const *options)
{
    struct oci_mount *o = add_mount(m, at, "tmpfs", "tmpfs");

    o->ms_set = flags;
    o->data = data;
    o->options = strings(m->a, options);
}

static void add_bind(struct mounts *m, const char *source, const char *at, bool readonly)
{
    static const char *const rw[] = {"bind", "nosuid", "nodev", "noexec", NULL};
    static const char *const ro[] = {"bind", "ro", "nosuid", "nodev", "noexec", NULL};
    struct oci_mount *o = add_mount(m, at, "bind", source);

    o->ms_set = MS_BIND | MS_NOSUID | MS_NODEV | MS_NOEXEC | (readonly ? MS_RDONLY : 0);
    o->options = strings(m->a, readonly ? ro : rw);
}

static void add_system(struct mounts *m, const struct svc *s)
{
    static const char *const proc[] = {"nosuid", "noexec", "nodev", NULL};
    static const char *const dev[] = {"nosuid", "noexec", "mode=755", "size=64k", NULL};
    static const char *const run[] = {"nosuid", "noexec", "nodev", "mode=755", "size=64k", NULL};
    struct oci_mount *o = add_mount(m, "/proc", "proc", "proc");

    o->ms_set = MS_NOSUID | MS_NOEXEC | MS_NODEV;
    o->options = strings(m->a, proc);
    add_tmpfs(m, "/dev", "mode=755,size=64k", MS_NOSUID | MS_NOEXEC, dev);
    add_tmpfs(m, "/run", "mode=755,size=64k", MS_NOSUID | MS_NOEXEC | MS_NODEV, run);
    if (s->tmp) {
        const char *size = arena_printf(m->a, "size=%llu", (unsigned long long)s->tmp);
        const char *const tmp[] = {"nosuid", "noexec", "nodev", "mode=1777", size, NULL};

        add_tmpfs(m, "/tmp", arena_printf(m->a, "mode=1777,%s", size),
                  MS_NOSUID | MS_NOEXEC | MS_NODEV, tmp);
    }
}

static void add_sockets(struct mounts *m, const struct bundle_make *b)
{
    add_bind(m, layout_of(m->a, b->l, b->s->name, "notify.sock"), "/run/mailstack/notify.sock",
             false);
    for (size_t i = 0; i < b->s->talks.n; i++) {
        const char *file = b->s->talks.v[i];

        for (size_t k = 0; k < SVC_N; k++)
            for (size_t j = 0; j < b->t->v[k].sockets_n; j++)
                if (strcmp(b->t->v[k].sockets[j].file, file) == 0 && svc_wanted(&b->t->v[k], b->c))
                    add_bind(m, layout_of(m->a, b->l, "sock", file),
                             arena_printf(m->a, "/run/mailstack/%s", file), false);
    }
}

static void fill_mounts(struct arena *a, const struct bundle_make *b, struct oci_config *c)
{
    struct mounts m = {.a = a, .v = arena_array(a, MOUNTS_MAX, sizeof(struct oci_mount))};

    add_system(&m, b->s);
    add_bind(&m, layout_of(a, b->l, b->s->name, "conf"), "/etc/mailstack", true);
    add_sockets(&m, b);
    for (size_t i = 0; i < b->s->volumes_n; i++)
        add_bind(&m, arena_printf(a, "%s/%s", b->c->storage, b->s->volumes[i].from),
                 b->s->volumes[i].at, false);
    c->mounts = m.v;
    c->mounts_n = m.n;
}

/* --- linux --------------------------------------------------------------------------------------
 */

static struct oci_idmaps identity(struct arena *a, uint32_t setup, uint32_t own, uint32_t group)
{
    struct oci_idmaps out = {.v = arena_array(a, 3, sizeof(struct oci_idmap))};

    out.v[out.n++] = (struct oci_idmap){.container_id = 0, .host_id = setup, .size = 1};
    out.v[out.n++] = (struct oci_idmap){.container_id = own, .host_id = own, .size = 1};
    if (group)
        out.v[out.n++] = (struct oci_idmap){.container_id = group, .host_id = group, .size = 1};
    return out;
}

/* All that an ordinary user can map without help: one id, his own. */
static struct oci_idmaps single(struct arena *a, uint32_t inside, uint32_t outside)
{
    struct oci_idmaps out = {.v = arena_array(a, 1, sizeof(struct oci_idmap)), .n = 1};

    out.v[0] = (struct oci_idmap){.container_id = inside, .host_id = outside, .size = 1};
    return out;
}

static void fill_ids(struct arena *a, const struct bundle_make *m, struct oci_linux *l)
{
    uint32_t uid = svc_uid(m->s, m->c);

    if (svc_is_rootless()) {
        l->uid_maps = single(a, uid, svc_host_uid(m->s, m->c));
        l->gid_maps = single(a, uid, svc_host_gid(m->s, m->c));
        return;
    }
    l->uid_maps = identity(a, svc_setup_id(m->c), uid, 0);
    l->gid_maps = identity(a, svc_setup_id(m->c), uid, m->s->mail_group ? svc_mail_gid(m->c) : 0);
}

static void fill_resources(const struct bundle_make *m, struct oci_resources *r)
{
    struct stack_limits limits = svc_limits(m->s, m->c);

    if (limits.memory)
        r->memory.limit = (struct oci_i64){.set = true, .v = (int64_t)limits.memory};
    if (limits.pids)
        r->pids_limit = (struct oci_i64){.set = true, .v = limits.pids};
    if (limits.cpu_milli) {
        r->cpu.period = (struct oci_u64){.set = true, .v = CPU_PERIOD};
        r->cpu.quota =
            (struct oci_i64){.set = true, .v = (int64_t)limits.cpu_milli * (CPU_PERIOD / 1000)};
    }
}

static void fill_devices(struct arena *a, struct oci_resources *r)
{
    r->devices = arena_array(a, 1, sizeof(*r->devices));
    r->devices[0] =
        (struct oci_device_rule){.allow = false,
                                 .type = 'a',
                                 .major = -1,
                                 .minor = -1,
                                 .access = OCI_DEV_READ | OCI_DEV_WRITE | OCI_DEV_MKNOD};
    r->devices_n = 1;
}

static int fill_linux(struct arena *a, const struct bundle_make *m, struct oci_linux *l,
                      struct err *err)
{
    static const char *const masked[] = {
        "/proc/acpi",          "/proc/asound",     "/proc/kcore",         "/proc/keys",
        "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",   "/proc/sched_debug",
        "/proc/scsi",          "/proc/interrupts", "/proc/sysrq-trigger", NULL};
    static const char *const readonly[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", NULL};

    for (int i = 0; i < OCI_NS_KINDS; i++)
        l->ns[i].mode = OCI_NS_NEW;
    if (m->host_network && m->s->dns_network)
        l->ns[OCI_NS_NETWORK].mode = OCI_NS_HOST;
    fill_ids(a, m, l);
    if (m->l->cgroup) {
        l->cgroups_path =
            arena_printf(a, "%smailbox-run.%s.%s", m->l->cgroup, m->l->id, m->s->name);
        fill_resources(m, &l->resources);
    }
    if (!svc_is_rootless())
        fill_devices(a, &l->resources);
    l->masked_paths = strings(a, masked);
    l->readonly_paths = strings(a, readonly);
    return profile_merge(a, m->s->index, &l->seccomp, err);
}

int bundle_config(struct arena *a, const struct bundle_make *m, struct oci_config **out,
                  struct err *err)
{
    struct oci_config *c = arena_alloc(a, sizeof(*c));

    c->version = OCI_VERSION;
    c->root = (struct oci_root){.path = m->rootfs, .readonly = true};
    c->hostname = m->s->name;
    fill_process(a, m, &c->process);
    fill_mounts(a, m, c);
    if (fill_linux(a, m, &c->linux_, err) < 0)
        return -1;
    *out = c;
    return 0;
}
