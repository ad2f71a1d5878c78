/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/container/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/file.h"
#include "runtime/base/jv.h"
#include "runtime/base/jw.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"
#include "runtime/kernel/dir.h"
#include "runtime/kernel/proc.h"
#include "runtime/spec/oci.h"

#define STATE_MAX      (8U << 20)
#define CONTAINERS_MAX 1000000

const char *const container_status_names[] = {
    [CONTAINER_CREATING] = "creating", [CONTAINER_CREATED] = "created",
    [CONTAINER_RUNNING] = "running",   [CONTAINER_PAUSED] = "paused",
    [CONTAINER_STOPPED] = "stopped",   NULL,
};

/* The sentence says it all: the code is for the caller, not for the text. */
static int fail_plainly(struct err *err, int code, const char *what, const char *id)
{
    (void)err_set(err, 0, "container '%s' %s", id, what);
    err->code = code;
    return -1;
}

const char *state_path(struct arena *a, const struct container_env *env, const char *id)
{
    return arena_printf(a, "%s/%s", env->root, id);
}

/* Who could write there could put a container of their own making before us: a process to be
 * killed, a configuration to be executed. */
static int check_private(int fd, const char *root, const char *id, struct err *err)
{
    if (dir_is_private(fd))
        return 0;
    return err_set(err, EPERM, "'%s/%s' belongs to somebody else or may be written by others", root,
                   id);
}

/* XDG_RUNTIME_DIR may be anything, of another user after su(1) for example. */
static int check_session(const struct container_env *env, struct err *err)
{
    own_fd int fd = -1;

    if (env->session == NULL)
        return 0;
    fd = open(env->session, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, errno, "open '%s', for want of another XDG_RUNTIME_DIR or --root",
                       env->session);
    if (dir_is_private(fd))
        return 0;
    return err_set(err, EPERM,
                   "XDG_RUNTIME_DIR: '%s' belongs to somebody else or may be written by others",
                   env->session);
}

int state_reserve(const struct container_env *env, const char *id, struct err *err)
{
    own_fd int root_fd = -1, dir_fd = -1;

    if (container_id_check(id, err) < 0 || check_session(env, err) < 0)
        return -1;
    root_fd = open(env->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root_fd < 0 && errno == ENOENT) {
        if (file_mkdir_p(AT_FDCWD, env->root, 0700, err) < 0)
            return -1;
        root_fd = open(env->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
    if (root_fd < 0)
        return err_set(err, errno, "open '%s'", env->root);
    if (check_private(root_fd, env->root, "", err) < 0)
        return -1;
    if (mkdirat(root_fd, id, 0700) < 0)
        return errno == EEXIST ? fail_plainly(err, EEXIST, "exists already", id)
                               : err_set(err, errno, "make '%s/%s'", env->root, id);
    dir_fd = openat(root_fd, id, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir_fd >= 0)
        return take_fd(&dir_fd);
    (void)err_set(err, errno, "open '%s/%s'", env->root, id);
    (void)unlinkat(root_fd, id, AT_REMOVEDIR); /* on the way out of another failure */
    return -1;
}

/* What as a rule is all. */
static void remove_own_files(int root_fd, const char *id)
{
    static const char *const names[] = {STATE_FILE, STATE_GROUPS, STATE_CONFIG};
    own_fd int dir_fd = openat(root_fd, id, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    for (size_t i = 0; dir_fd >= 0 && i < ARRAY_N(names); i++)
        if (unlinkat(dir_fd, names[i], 0) < 0 && errno != ENOENT)
            return;
}

int state_remove(const struct container_env *env, const char *id, struct err *err)
{
    own_fd int root_fd = open(env->root, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (root_fd < 0)
        return err_set(err, errno, "open '%s'", env->root);
    remove_own_files(root_fd, id);
    return unlinkat(root_fd, id, AT_REMOVEDIR) == 0 ? 0 : file_remove_tree(root_fd, id, err);
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void format_network(const struct usernet *n, struct jw *w)
{
    jw_object(w, "network");
    jw_int(w, "minder", n->minder.pid);
    jw_uint(w, "minderStart", n->minder.start);
    jw_int(w, "helper", n->helper.pid);
    jw_uint(w, "helperStart", n->helper.start);
    jw_end(w);
}

void state_format(const struct state *s, struct buf *out)
{
    const struct container_state *p = &s->public;
    own_buf struct buf groups = BUF_INIT(STATE_MAX);
    struct jw w = jw_start(out, JW_ONE_LINE);

    cgroup_describe(&s->cgroup, &groups);
    jw_object(&w, NULL);
    jw_c(&w, "id", p->id);
    jw_c(&w, "bundle", p->bundle);
    jw_c(&w, "rootfs", p->rootfs);
    jw_c(&w, "cgroup", p->cgroup);
    jw_c(&w, "created", p->created);
    jw_uint(&w, "owner", p->owner);
    jw_int(&w, "pid", p->pid);
    jw_uint(&w, "pidStartTicks", p->pid_start);
    jw_bool(&w, "ownPidNs", p->own_pid_ns);
    jw_int(&w, "nsFlags", s->ns_flags);
    jw_bool(&w, "noNewKeyring", s->no_new_keyring);
    if (s->root_moved)
        jw_bool(&w, "rootMoved", true);
    jw_uint(&w, "needsConfig", s->needs_config);
    jw_c(&w, "scope", s->scope != NULL ? s->scope : "");
    jw_str(&w, "cgroups", buf_str(&groups));
    if (s->net.minder.pid > 0)
        format_network(&s->net, &w);
    jw_object(&w, "annotations");
    for (size_t i = 0; i < p->annotations_n; i++)
        jw_c(&w, p->annotations[i].key, p->annotations[i].value);
    jw_end(&w);
    jw_end(&w);
}

static int get_text(const struct jv *at, struct arena *a, const char *key, const char **out,
                    struct err *err)
{
    struct str s;

    if (jv_str(at, key, &s, err) < 0)
        return -1;
    *out = arena_copy(a, s);
    return *out == NULL ? err_set(err, ENOMEM, "'%s'", key) : 0;
}

static int get_annotations(const struct jv *at, struct arena *a, struct container_state *out,
                           struct err *err)
{
    struct jv all, one;
    void *it = NULL;
    size_t k = 0;

    if (jv_object(at, "annotations", &all, err) < 0)
        return -1;
    out->annotations = arena_array(a, jv_n(&all) + 1, sizeof *out->annotations);
    if (out->annotations == NULL)
        return err_set(err, ENOMEM, "annotations");
    while (jv_next(&all, &it, &one)) {
        struct str value;

        if (jv_as_str(&one, &value, err) < 0)
            return -1;
        out->annotations[k].key = arena_copy(a, str_of(one.key));
        out->annotations[k++].value = arena_copy(a, value);
    }
    out->annotations_n = k;
    return 0;
}

static int get_numbers(const struct jv *at, struct state *out, struct err *err)
{
    int64_t owner = 0, pid = 0, start = 0, flags = 0, needs = 0;

    if (jv_int(at, "owner", (struct jv_range){0, UINT32_MAX}, &owner, err) < 0 ||
        jv_int(at, "pid", (struct jv_range){0, INT32_MAX}, &pid, err) < 0 ||
        jv_int(at, "pidStartTicks", (struct jv_range){0, INT64_MAX}, &start, err) < 0 ||
        jv_int(at, "nsFlags", (struct jv_range){0, INT32_MAX}, &flags, err) < 0 ||
        jv_bool(at, "ownPidNs", &out->public.own_pid_ns, err) < 0 ||
        jv_bool(at, "noNewKeyring", &out->no_new_keyring, err) < 0 ||
        jv_opt_bool(at, "rootMoved", false, &out->root_moved, err) < 0 ||
        jv_int(at, "needsConfig", (struct jv_range){0, STATE_NEEDS_ALL}, &needs, err) < 0)
        return -1;
    out->needs_config = (unsigned)needs;
    out->public.owner = (uid_t)owner;
    out->public.pid = (pid_t)pid;
    out->public.pid_start = (uint64_t)start;
    out->ns_flags = (int)flags;
    return 0;
}

static int get_network(const struct jv *at, struct usernet *out, struct err *err)
{
    int64_t minder = 0, minder_start = 0, helper = 0, helper_start = 0;
    struct jv net;

    if (jv_opt_object(at, "network", &net, err) < 0)
        return -1;
    if (net.v == NULL)
        return 0;
    if (jv_int(&net, "minder", (struct jv_range){0, INT32_MAX}, &minder, err) < 0 ||
        jv_int(&net, "minderStart", (struct jv_range){0, INT64_MAX}, &minder_start, err) < 0 ||
        jv_int(&net, "helper", (struct jv_range){0, INT32_MAX}, &helper, err) < 0 ||
        jv_int(&net, "helperStart", (struct jv_range){0, INT64_MAX}, &helper_start, err) < 0)
        return -1;
    out->minder = (struct usernet_process){(pid_t)minder, (uint64_t)minder_start};
    out->helper = (struct usernet_process){(pid_t)helper, (uint64_t)helper_start};
    return 0;
}

int state_parse(struct arena *a, struct str text, struct state *out, struct err *err)
{
    own_json json_t *doc = jv_load_str(text, STATE_FILE, err);
    struct jv at = jv_root(doc);
    struct container_state *p = &out->public;
    struct str groups;

    if (doc == NULL || get_text(&at, a, "id", &p->id, err) < 0 ||
        get_text(&at, a, "bundle", &p->bundle, err) < 0 ||
        get_text(&at, a, "rootfs", &p->rootfs, err) < 0 ||
        get_text(&at, a, "cgroup", &p->cgroup, err) < 0 ||
        get_text(&at, a, "scope", &out->scope, err) < 0 ||
        get_text(&at, a, "created", &p->created, err) < 0 || get_numbers(&at, out, err) < 0 ||
        get_network(&at, &out->net, err) < 0 || jv_str(&at, "cgroups", &groups, err) < 0 ||
        get_annotations(&at, a, p, err) < 0)
        return -1;
    return cgroup_recall(a, groups, &out->cgroup, err);
}

int state_write(int dir_fd, const struct state *s, struct err *err)
{
    own_buf struct buf text = BUF_INIT(STATE_MAX);

    state_format(s, &text);
    if (buf_check(&text, "the state", err) < 0)
        return -1;
    return file_put(dir_fd, STATE_FILE, buf_str(&text), 0600, err);
}

/* --- groups before there is a state ----------------------------------------------------------- */

/* A line for the unit, one for resctrl, which may be empty; then the groups. */
int state_write_groups(const struct state *s, bool rdt, struct err *err)
{
    own_buf struct buf text = BUF_INIT(STATE_MAX);
    own_fd int fd = openat(s->dir_fd, STATE_GROUPS,
                           O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        return err_set(err, errno, "make '" STATE_GROUPS "' of the state");
    buf_printf(&text, "%s\n%s\n", s->scope != NULL ? s->scope : "", rdt ? "resctrl" : "");
    cgroup_describe(&s->cgroup, &text);
    if (buf_check(&text, "the groups", err) < 0 || fd_write_all(fd, buf_str(&text), err) < 0)
        return err_wrap(err, "'" STATE_GROUPS "' of the state");
    return 0;
}

int state_load_groups(struct arena *a, struct state *s, struct err *err)
{
    own_buf struct buf text = BUF_INIT(STATE_MAX);
    struct str rest, scope, rdt;

    if (file_read(s->dir_fd, STATE_GROUPS, &text, err) < 0)
        return -1;
    rest = buf_str(&text);
    /* Cut off before they were all written: nothing was told to enter them. */
    if (!str_next(&rest, '\n', &scope) || !str_next(&rest, '\n', &rdt) ||
        !str_ends(buf_str(&text), STR("\n")))
        return err_set(err, ENOENT, "'" STATE_GROUPS "' of the state is cut short");
    s->scope = arena_copy(a, scope);
    s->needs_config |= rdt.n > 0 ? STATE_FOR_DELETE : 0U;
    if (s->scope == NULL)
        return err_set(err, ENOMEM, "the groups");
    if (cgroup_recall(a, rest, &s->cgroup, err) == 0)
        return 0;
    s->cgroup.n = 0;
    return -1;
}

/* --- loading ---------------------------------------------------------------------------------- */

/* What cannot be found out is an error: a container taken for stopped would be deleted. */
static int judge(const struct state *s, enum container_status *out, struct err *err)
{
    struct stat st;
    bool alive = false;

    if (proc_alive(s->public.pid, s->public.pid_start, &alive, err) < 0)
        return -1;
    if (!alive)
        *out = CONTAINER_STOPPED;
    else if (fstatat(s->dir_fd, STATE_SOCKET, &st, AT_SYMLINK_NOFOLLOW) == 0)
        *out = CONTAINER_CREATED;
    else if (errno != ENOENT)
        return err_set(err, errno, "look for '" STATE_SOCKET "' of the state");
    else
        *out =
            s->cgroup.n > 0 && cgroup_is_frozen(&s->cgroup) ? CONTAINER_PAUSED : CONTAINER_RUNNING;
    return 0;
}

int state_open(const struct container_env *env, const char *id, struct err *err)
{
    own_fd int root_fd = -1, dir_fd = -1;

    if (container_id_check(id, err) < 0)
        return -1;
    root_fd = open(env->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root_fd >= 0)
        dir_fd = openat(root_fd, id, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir_fd < 0 && errno == ENOENT)
        return fail_plainly(err, ENOENT, "does not exist", id);
    if (dir_fd < 0)
        return err_set(err, errno, "open '%s/%s'", env->root, id);
    if (check_private(root_fd, env->root, "", err) < 0 ||
        check_private(dir_fd, env->root, id, err) < 0)
        return -1;
    return take_fd(&dir_fd);
}

int state_load(const struct container_env *env, const char *id, struct arena *a, struct state *out,
               struct err *err)
{
    own_buf struct buf text = BUF_INIT(STATE_MAX);
    own_fd int dir_fd = state_open(env, id, err);

    *out = (struct state){.dir_fd = -1};
    if (dir_fd < 0)
        return -1;
    if (file_read(dir_fd, STATE_FILE, &text, err) < 0) {
        if (err->code != ENOENT)
            return -1;
        err_reset(err);
        out->public = (struct container_state){.id = arena_copy(a, str_of(id)),
                                               .bundle = "",
                                               .rootfs = "",
                                               .cgroup = "",
                                               .created = "",
                                               .status = CONTAINER_CREATING};
        out->dir_fd = take_fd(&dir_fd);
        return 0;
    }
    if (state_parse(a, buf_str(&text), out, err) < 0) {
        err->code = EBADMSG;
        return err_wrap(err, "'%s/%s/" STATE_FILE "' is damaged (delete --force removes it)",
                        env->root, id);
    }
    out->dir_fd = dir_fd;
    if (judge(out, &out->public.status, err) < 0) {
        out->dir_fd = -1;
        return -1;
    }
    (void)take_fd(&dir_fd);
    if (out->public.status == CONTAINER_STOPPED)
        out->public.pid = 0;
    return 0;
}

int state_load_config(const struct state *s, struct arena *a, struct oci_config **out,
                      struct err *err)
{
    return oci_load_file(a, s->dir_fd, STATE_CONFIG, out, err);
}

#define PAUSE_MS 4

int state_load_settled(const struct container_env *env, const char *id, unsigned wait_ms,
                       struct arena *a, struct state *out, struct err *err)
{
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
    unsigned waited = 0;
    int r = state_load(env, id, a, out, err);

    while (r == 0 && out->public.status == CONTAINER_CREATING && waited < wait_ms) {
        (void)close(out->dir_fd);
        (void)nanosleep(&pause, NULL); /* an interrupted wait is just shorter */
        waited += PAUSE_MS;
        r = state_load(env, id, a, out, err);
    }
    return r;
}

int container_state(const struct container_env *env, const char *id, struct arena *a,
                    struct container_state *out, struct err *err)
{
    return container_state_settled(env, id, 0, a, out, err);
}

int container_state_settled(const struct container_env *env, const char *id, unsigned wait_ms,
                            struct arena *a, struct container_state *out, struct err *err)
{
    struct state s;

    if (state_load_settled(env, id, wait_ms, a, &s, err) < 0)
        return -1;
    (void)close(s.dir_fd);
    *out = s.public;
    return 0;
}

void container_state_members(struct jw *w, const struct container_state *s)
{
    jw_c(w, "ociVersion", OCI_VERSION);
    jw_c(w, "id", s->id);
    jw_int(w, "pid", s->pid);
    jw_c(w, "status", container_status_names[s->status]);
    jw_c(w, "bundle", s->bundle);
    jw_c(w, "rootfs", s->rootfs);
    jw_c(w, "created", s->created);
    if (s->annotations_n == 0)
        return;
    jw_object(w, "annotations");
    for (size_t i = 0; i < s->annotations_n; i++)
        jw_c(w, s->annotations[i].key, s->annotations[i].value);
    jw_end(w);
}

void container_state_format(const struct container_state *s, struct buf *out)
{
    struct jw w = jw_start(out, JW_INDENT_TWO);

    jw_object(&w, NULL);
    container_state_members(&w, s);
    jw_c(&w, "owner", s->owner == 0 ? "root" : "");
    jw_end(&w);
}

/* --- list ------------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void close_dir(DIR **dir)
{
    if (*dir != NULL)
        (void)closedir(*dir);
}

int container_list(const struct container_env *env, struct arena *a, const char ***ids, size_t *n,
                   struct err *err)
{
    DIR *dir __attribute__((cleanup(close_dir))) = opendir(env->root);
    own_free const char **found = NULL;
    size_t k = 0, room = 0;
    struct err ignored;

    *ids = NULL;
    *n = 0;
    if (dir == NULL)
        return errno == ENOENT ? 0 : err_set(err, errno, "open '%s'", env->root);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone */
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] == '.' || (e->d_type != DT_DIR && e->d_type != DT_UNKNOWN) ||
            container_id_check(e->d_name, &ignored) < 0)
            continue;
        if (k >= CONTAINERS_MAX)
            return err_set(err, E2BIG, "more than %d containers", CONTAINERS_MAX);
        if (k == room) {
            room = room == 0 ? 64 : room * 2;
            found = mem_grow(found, room, sizeof *found);
        }
        found[k++] = arena_copy(a, str_of(e->d_name));
    }
    *ids = arena_array(a, k + 1, sizeof **ids);
    if (*ids == NULL)
        return err_set(err, ENOMEM, "list the containers");
    if (k > 0)
        memcpy(*ids, found, k * sizeof *found);
    qsort(*ids, k, sizeof **ids, compare);
    *n = k;
    return 0;
}
