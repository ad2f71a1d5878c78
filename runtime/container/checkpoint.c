/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/container/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/child.h"
#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/base/jw.h"
#include "runtime/base/own.h"
#include "runtime/container/maker.h"
#include "runtime/container/state.h"
#include "runtime/kernel/cgroup.h"
#include "runtime/kernel/proc.h"
#include "runtime/spec/oci.h"

#define LOG_MAX_ (16U << 20)

/* --- arguments -------------------------------------------------------------------------------- */

static void add(struct checkpoint_args *out, const char *arg)
{
    if (out->n < CHECKPOINT_ARGS_MAX)
        out->v[out->n] = arg;
    out->n++;
}

static void add_two(struct checkpoint_args *out, const char *name, const char *value)
{
    add(out, name);
    add(out, value);
}

/* Options of ours that are options of criu. */
struct flag {
    bool on;
    const char *name;
};

static void add_flags(const struct flag *v, size_t n, struct checkpoint_args *out)
{
    for (size_t i = 0; i < n; i++)
        if (v[i].on)
            add(out, v[i].name);
}

static void add_common(struct arena *a, const struct container_checkpoint *c,
                       struct checkpoint_args *out)
{
    const struct flag flags[] = {
        {c->tcp_established, "--tcp-established"},
        {c->ext_unix_sk, "--ext-unix-sk"},
        {c->shell_job, "--shell-job"},
        {c->file_locks, "--file-locks"},
        {c->lazy_pages, "--lazy-pages"},
        {c->auto_dedup, "--auto-dedup"},
    };

    add_two(out, "--images-dir", c->image_path);
    add_two(out, "--work-dir", c->work_path != NULL ? c->work_path : c->image_path);
    add(out, "-v4");
    /* Bind mounts from outside are found again by what they show. */
    add_two(out, "--external", "mnt[]:m");
    add(out, arena_printf(a, "--manage-cgroups=%s",
                          c->manage_cgroups != NULL ? c->manage_cgroups : "soft"));
    add_flags(flags, ARRAY_N(flags), out);
    if (c->empty_net)
        add_two(out, "--empty-ns", "net");
    if (c->network_lock != NULL)
        add_two(out, "--network-lock", c->network_lock);
}

/* What only a dump has. */
static void add_dump(const struct container_checkpoint *c, struct checkpoint_args *out)
{
    const struct flag flags[] = {
        {c->leave_running && !c->pre_dump, "--leave-running"},
        {c->link_remap, "--link-remap"},
        {c->skip_in_flight, "--skip-in-flight"},
        /* What has changed since is known only where the memory was watched from the first on. */
        {c->pre_dump || c->parent_path != NULL, "--track-mem"},
    };

    add_flags(flags, ARRAY_N(flags), out);
    if (c->parent_path != NULL)
        add_two(out, "--prev-images-dir", c->parent_path);
    if (c->page_server != NULL) {
        if (!c->lazy_pages) /* a lazy dump serves its pages itself, there */
            add(out, "--page-server");
        add_two(out, "--address", c->page_server);
        add_two(out, "--port", c->page_server_port);
    }
    if (c->status_fd != NULL)
        add_two(out, "--status-fd", c->status_fd);
}

static int finish(const struct checkpoint_args *out, const struct arena *a, struct err *err)
{
    if (out->n > CHECKPOINT_ARGS_MAX)
        return err_set(err, E2BIG, "criu's arguments");
    return arena_failed(a) ? err_set(err, ENOMEM, "criu's arguments") : 0;
}

/* With the group criu has all its processes stand still at once, and finds them also if they stand
 * still already; afterwards they are as they were before. It would wait for ever for those of a
 * paused container without it. */
int checkpoint_dump_args(struct arena *a, const struct container_checkpoint *c,
                         const struct checkpoint_dump *d, struct checkpoint_args *out,
                         struct err *err)
{
    *out = (struct checkpoint_args){.n = 0};
    add(out, c->pre_dump ? "pre-dump" : "dump");
    add_two(out, "--tree", arena_printf(a, "%d", d->pid));
    add_common(a, c, out);
    add_two(out, "--log-file", CHECKPOINT_LOG);
    if (d->net_ino != 0)
        add_two(out, "--external",
                arena_printf(a, "net[%llu]:" CHECKPOINT_NET_KEY, (unsigned long long)d->net_ino));
    if (d->freezer != NULL)
        add_two(out, "--freeze-cgroup", d->freezer);
    add_dump(c, out);
    return finish(out, a, err);
}

int checkpoint_restore_args(struct arena *a, const struct container_checkpoint *c,
                            const struct checkpoint_restore *r, struct checkpoint_args *out,
                            struct err *err)
{
    *out = (struct checkpoint_args){.n = 0};
    add(out, "restore");
    add_common(a, c, out);
    if (c->tcp_close)
        add(out, "--tcp-close");
    if (c->lsm_profile != NULL)
        add_two(out, "--lsm-profile", c->lsm_profile);
    if (c->lsm_mount_context != NULL)
        add_two(out, "--lsm-mount-context", c->lsm_mount_context);
    add_two(out, "--log-file", CHECKPOINT_LOG_AGAIN);
    add_two(out, "--root", r->root);
    add_two(out, "--pidfile", r->pid_file);
    add(out, "--restore-detached");
    add(out, "--restore-sibling");
    if (r->net_fd >= 0)
        add_two(out, "--inherit-fd", arena_printf(a, "fd[%d]:" CHECKPOINT_NET_KEY, r->net_fd));
    for (int i = 0; i < 3; i++)
        if (r->pipes[i] != NULL)
            add_two(out, "--inherit-fd", arena_printf(a, "fd[%d]:%s", i, r->pipes[i]));
    return finish(out, a, err);
}

/* --- calling ---------------------------------------------------------------------------------- */

/* "(00.012) Error (criu/x.c:5): text": the last such line. */
static void last_error(const char *path, struct str *out, struct buf *text)
{
    struct err ignored;
    struct str rest, line;

    *out = STR_NONE;
    if (path == NULL || file_read(AT_FDCWD, path, text, &ignored) < 0)
        return;
    rest = buf_str(text);
    while (str_next(&rest, '\n', &line))
        if (str_find_str(line, STR("Error (")) >= 0)
            *out = str_skip(line, (size_t)str_find_str(line, STR("Error (")));
}

int checkpoint_forget_log(const struct container_checkpoint *c, const char *name, struct err *err)
{
    const char *dir = c->work_path != NULL ? c->work_path : c->image_path;
    own_fd int dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (dir_fd < 0)
        return err_set(err, errno, "open '%s'", dir);
    if (unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT)
        return err_set(err, errno, "remove the log of before, '%s/%s'", dir, name);
    return 0;
}

static no_return void become(const struct checkpoint_call *c, const char *const *argv)
{
    struct err err;
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    union {
        const char *const *given;
        char *const *taken; /* execvp changes neither pointers nor text */
    } a = {.given = argv};

    if (c->prepare != NULL && c->prepare(c->ctx, &err) < 0) {
        dprintf(2, "%s\n", err.text);
        _exit(126);
    }
    /* It writes to its log: ours is for what a restore hands on to the restored process. */
    if (c->prepare == NULL && null_fd >= 0 &&
        (dup2(null_fd, 0) < 0 || dup2(null_fd, 1) < 0 || dup2(null_fd, 2) < 0))
        _exit(126);
    (void)execvp(argv[0], a.taken);
    _exit(errno == ENOENT ? 127 : 126);
}

static int judge(const struct checkpoint_call *c, const char *what, int status, struct err *err)
{
    own_buf struct buf text = BUF_INIT(LOG_MAX_);
    char how[CHILD_TEXT_MAX];
    struct str said;

    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return err_set(err, 0, "criu, which checkpoint and restore need, is not installed");
    last_error(c->log, &said, &text);
    child_describe(status, how);
    if (said.n > 0)
        return err_set(err, 0, "criu %s %s: %.*s", what, how, STR_ARG(str_head(said, 512)));
    return err_set(err, 0, "criu %s %s", what, how);
}

int checkpoint_run(const struct checkpoint_call *c, struct err *err)
{
    const char *argv[CHECKPOINT_ARGS_MAX + 2] = {c->criu != NULL ? c->criu : "criu"};
    int status = 0;
    pid_t pid = 0;

    memcpy(argv + 1, c->args->v, c->args->n * sizeof *argv);
    pid = fork();
    if (pid == 0)
        become(c, argv);
    if (pid < 0)
        return err_set(err, errno, "fork");
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_set(err, errno, "wait for criu");
    return judge(c, c->args->v[0], status, err);
}

int checkpoint_check(const char *criu, struct err *err)
{
    struct checkpoint_args args = {.v = {"check"}, .n = 1};
    struct checkpoint_call call = {.criu = criu, .args = &args};

    if (checkpoint_run(&call, err) == 0)
        return 0;
    if (strstr(err->text, "not installed") != NULL)
        return -1;
    return err_set(err, 0, "criu is not able to work with this kernel ('criu check' tells more)");
}

/* --- checkpoint ------------------------------------------------------------------------------- */

/* What 0, 1 and 2 of the init are, as links of its procfs: pipes are given to the restored one. */
static int write_stdio(struct arena *a, const struct container_checkpoint *c, pid_t pid,
                       struct err *err)
{
    own_buf struct buf text = BUF_INIT(65536);
    struct jw w = jw_start(&text, JW_ONE_LINE);
    own_fd int dir_fd = open(c->image_path, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (dir_fd < 0)
        return err_set(err, errno, "open '%s'", c->image_path);
    jw_array(&w, NULL);
    for (int i = 0; i < 3; i++) {
        char link[PATH_MAX];
        const char *path = arena_printf(a, "/proc/%d/fd/%d", pid, i);
        ssize_t n = path == NULL ? -1 : readlink(path, link, sizeof link - 1);

        jw_str(&w, NULL, (struct str){link, n < 0 ? 0 : (size_t)n});
    }
    jw_end(&w);
    return file_put(dir_fd, CHECKPOINT_STDIO, buf_str(&text), 0600, err);
}

static int check_able(const struct oci_config *c, struct err *err)
{
    if (c->process.terminal)
        return err_set(err, ENOTSUP, "a container with a terminal cannot be checkpointed");
    if (c->linux_.ns[OCI_NS_MOUNT].mode == OCI_NS_HOST)
        return err_set(err, ENOTSUP,
                       "a container without a mount namespace cannot be checkpointed");
    for (int i = 0; i < OCI_NS_KINDS; i++)
        if (c->linux_.ns[i].mode == OCI_NS_JOIN && i != OCI_NS_NETWORK)
            return err_set(err, ENOTSUP,
                           "a container that joins a %s namespace cannot be checkpointed",
                           oci_ns_names[i]);
    return 0;
}

static int net_inode(const struct oci_config *c, pid_t pid, ino_t *out, struct err *err)
{
    struct stat st;
    own_fd int fd = -1;

    *out = 0;
    if (c->linux_.ns[OCI_NS_NETWORK].mode == OCI_NS_NEW)
        return 0;
    fd = proc_open_ns(pid, "net", err);
    if (fd < 0 || fstat(fd, &st) < 0)
        return fd < 0 ? -1 : err_set(err, errno, "look at the network namespace");
    *out = st.st_ino;
    return 0;
}

static int find_freezer(struct arena *a, const struct cgroup *g, const char **out, struct err *err)
{
    const struct cgroup_hier *h = cgroup_find(g, "freezer");
    char path[PATH_MAX];

    *out = NULL;
    if (h == NULL)
        return 0;
    if (cgroup_hier_path(h, "", path, err) < 0)
        return -1;
    *out = arena_copy(a, str_of(path));
    return *out == NULL ? err_set(err, ENOMEM, "the path of the cgroup") : 0;
}

static bool can_be_dumped(const struct state *s)
{
    return s->public.status == CONTAINER_RUNNING || s->public.status == CONTAINER_PAUSED;
}

static int dump(struct arena *a, const struct container_env *env, const char *id,
                const struct container_checkpoint *c, struct err *err)
{
    struct oci_config *config = NULL;
    struct checkpoint_args args;
    struct checkpoint_call call = {.criu = c->criu, .args = &args};
    struct checkpoint_dump d;
    struct state s;

    if (state_load(env, id, a, &s, err) < 0)
        return -1;
    if (state_load_config(&s, a, &config, err) < 0) {
        (void)close(s.dir_fd);
        return -1;
    }
    (void)close(s.dir_fd);
    if (!can_be_dumped(&s))
        return err_set(err, 0, "the container is %s, not running",
                       container_status_names[s.public.status]);
    if (s.net.minder.pid > 0)
        return err_set(err, ENOTSUP,
                       "a container with a network by pasta or slirp4netns cannot be checkpointed");
    if (check_able(config, err) < 0 || checkpoint_check(c->criu, err) < 0)
        return -1;
    d.pid = s.public.pid;
    if (file_mkdir_p(AT_FDCWD, c->image_path, 0700, err) < 0 ||
        (c->work_path != NULL && file_mkdir_p(AT_FDCWD, c->work_path, 0700, err) < 0) ||
        net_inode(config, d.pid, &d.net_ino, err) < 0 ||
        find_freezer(a, &s.cgroup, &d.freezer, err) < 0 ||
        checkpoint_forget_log(c, CHECKPOINT_LOG, err) < 0 || write_stdio(a, c, d.pid, err) < 0 ||
        checkpoint_dump_args(a, c, &d, &args, err) < 0)
        return -1;
    call.log =
        arena_printf(a, "%s/" CHECKPOINT_LOG, c->work_path != NULL ? c->work_path : c->image_path);
    return checkpoint_run(&call, err);
}

int container_checkpoint(const struct container_env *env, const char *id,
                         const struct container_checkpoint *c, struct err *err)
{
    struct arena *a = arena_new(MAKER_ARENA_MAX);
    int r = dump(a, env, id, c, err);

    arena_free(a);
    if (r < 0 || c->leave_running || c->pre_dump)
        return r;
    return container_delete(env, id, CONTAINER_FORCE, err);
}
