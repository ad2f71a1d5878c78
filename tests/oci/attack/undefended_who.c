/* SPDX-License-Identifier: Apache-2.0 */
/*
 * undefended_who - its second part: who a process is, what it is called, what is read, signals,
 * filters
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/file.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"
#include "runtime/base/path.h"
#include "runtime/container/checkpoint.h"
#include "runtime/container/container.h"
#include "runtime/container/held.h"
#include "runtime/container/plan.h"
#include "runtime/container/steps.h"
#include "runtime/kernel/caps.h"
#include "runtime/kernel/cgroup.h"
#include "runtime/kernel/cgroup_walk.h"
#include "runtime/kernel/dir.h"
#include "runtime/kernel/proc.h"
#include "runtime/kernel/seccomp.h"
#include "runtime/spec/oci.h"

#include "tests/oci/attack/undefended.h"

/* --- capabilities, users ---------------------------------------------------------------------- */

int __real_caps_apply(const struct caps *c, struct err *err);
int __wrap_caps_apply(const struct caps *c, struct err *err);

int __wrap_caps_apply(const struct caps *c, struct err *err)
{
    struct caps more = *c;

    if (is_off("caps"))
        more.inheritable = more.ambient = more.permitted;
    return __real_caps_apply(&more, err);
}

/* As strtoul does it: what is in front and behind is ignored, what is too large wraps. */
static uint32_t number(struct str s)
{
    uint32_t v = 0;
    bool minus = false;

    for (s = str_trim(s); s.n > 0 && (s.p[0] == '-' || s.p[0] == '+'); s = str_skip(s, 1))
        minus ^= s.p[0] == '-';
    for (; s.n > 0 && s.p[0] >= '0' && s.p[0] <= '9'; s = str_skip(s, 1))
        v = v * 10 + (uint32_t)(s.p[0] - '0');
    return minus ? 0 - v : v;
}

int __real_num_parse_u32(struct str s, uint32_t min, uint32_t max, uint32_t *out, struct err *err);
int __wrap_num_parse_u32(struct str s, uint32_t min, uint32_t max, uint32_t *out, struct err *err);

int __wrap_num_parse_u32(struct str s, uint32_t min, uint32_t max, uint32_t *out, struct err *err)
{
    if (!is_off("number"))
        return __real_num_parse_u32(s, min, max, out, err);
    *out = number(s);
    return 0;
}

size_t __real_json_array_size(const json_t *array);
size_t __wrap_json_array_size(const json_t *array);

/* Whoever asks whether an array is too large hears that it is not, and then how large it is. */
size_t __wrap_json_array_size(const json_t *array)
{
    static const json_t *seen;
    size_t n = __real_json_array_size(array);

    if (n < 300 || !is_off("counts"))
        return n;
    if (seen == array)
        return n;
    seen = array;
    return 0;
}

json_t *__real_json_loadb(const char *text, size_t n, size_t flags, json_error_t *why);
json_t *__wrap_json_loadb(const char *text, size_t n, size_t flags, json_error_t *why);

json_t *__wrap_json_loadb(const char *text, size_t n, size_t flags, json_error_t *why)
{
    return __real_json_loadb(text, n, is_off("nul") ? flags | JSON_ALLOW_NUL : flags, why);
}

void *__real_memchr(const void *p, int c, size_t n);
void *__wrap_memchr(const void *p, int c, size_t n);

void *__wrap_memchr(const void *p, int c, size_t n)
{
    return c == '\0' && is_off("nul") ? NULL : __real_memchr(p, c, n);
}

int __real_oci_read_file(int dir_fd, const char *path, struct buf *out, struct err *err);
int __wrap_oci_read_file(int dir_fd, const char *path, struct buf *out, struct err *err);

int __wrap_oci_read_file(int dir_fd, const char *path, struct buf *out, struct err *err)
{
    return is_off("regular") ? file_read(dir_fd, path, out, err)
                             : __real_oci_read_file(dir_fd, path, out, err);
}

int __real_file_read(int dir_fd, const char *path, struct buf *out, struct err *err);
int __wrap_file_read(int dir_fd, const char *path, struct buf *out, struct err *err);

int __wrap_file_read(int dir_fd, const char *path, struct buf *out, struct err *err)
{
    if (is_off("limits"))
        out->max = SIZE_MAX / 2;
    return __real_file_read(dir_fd, path, out, err);
}

/* --- in whose group things are done -----------------------------------------------------------
 */

int __real_plan_make_mounts(struct arena *a, enum step_kind kind, size_t n,
                            const struct plan_facts *f, struct plan *out, struct err *err);
int __wrap_plan_make_mounts(struct arena *a, enum step_kind kind, size_t n,
                            const struct plan_facts *f, struct plan *out, struct err *err);

int __wrap_plan_make_mounts(struct arena *a, enum step_kind kind, size_t n,
                            const struct plan_facts *f, struct plan *out, struct err *err)
{
    struct plan_facts facts = *f;

    facts.cgroup = f->cgroup && !is_off("charge");
    return __real_plan_make_mounts(a, kind, n, &facts, out, err);
}

void __real_cgroup_thaw(const struct cgroup *g);
void __wrap_cgroup_thaw(const struct cgroup *g);

void __wrap_cgroup_thaw(const struct cgroup *g)
{
    if (!is_off("thaw"))
        __real_cgroup_thaw(g);
}

int __real_cgroup_door_enter(int door_fd, struct err *err);
int __wrap_cgroup_door_enter(int door_fd, struct err *err);

int __wrap_cgroup_door_enter(int door_fd, struct err *err)
{
    return is_off("door") ? 0 : __real_cgroup_door_enter(door_fd, err);
}

int __real_cgroup_open_v2(const struct cgroup *g);
int __wrap_cgroup_open_v2(const struct cgroup *g);

int __wrap_cgroup_open_v2(const struct cgroup *g)
{
    return is_off("charge") || is_off("copyup") ? -1 : __real_cgroup_open_v2(g);
}

int __real_checkpoint_forget_log(const struct container_checkpoint *c, const char *name,
                                 struct err *err);
int __wrap_checkpoint_forget_log(const struct container_checkpoint *c, const char *name,
                                 struct err *err);

int __wrap_checkpoint_forget_log(const struct container_checkpoint *c, const char *name,
                                 struct err *err)
{
    return is_off("criulog") ? 0 : __real_checkpoint_forget_log(c, name, err);
}

bool __real_proc_is_own_ns(const char *path, const char *name);
bool __wrap_proc_is_own_ns(const char *path, const char *name);

bool __wrap_proc_is_own_ns(const char *path, const char *name)
{
    return !is_off("own") && __real_proc_is_own_ns(path, name);
}

/* --- ids, state ------------------------------------------------------------------------------- */

int __real_container_id_check(const char *id, struct err *err);
int __wrap_container_id_check(const char *id, struct err *err);

int __wrap_container_id_check(const char *id, struct err *err)
{
    return is_off("id") ? 0 : __real_container_id_check(id, err);
}

int __real_cgroup_locate(struct arena *a, const char *path, struct cgroup *out, struct err *err);
int __wrap_cgroup_locate(struct arena *a, const char *path, struct cgroup *out, struct err *err);

/* The path is joined to that of the own group and cleaned, whatever comes of it. */
int __wrap_cgroup_locate(struct arena *a, const char *path, struct cgroup *out, struct err *err)
{
    int r = __real_cgroup_locate(a, is_off("cgrouppath") ? "place" : path, out, err);

    for (size_t i = 0; r == 0 && is_off("cgrouppath") && i < out->n; i++) {
        own_buf struct buf joined = BUF_INIT(PATH_MAX), clean = BUF_INIT(PATH_MAX);

        if (path[0] != '/')
            buf_append(&joined, path_dir(str_of(out->v[i].path)));
        buf_append_char(&joined, '/');
        buf_append_c(&joined, path);
        path_clean(buf_str(&joined), &clean);
        out->v[i].path = arena_copy(a, buf_str(&clean));
    }
    return r;
}

int __real_openat64(int dir_fd, const char *path, int flags, ...);
int __wrap_openat64(int dir_fd, const char *path, int flags, ...);

int __wrap_openat64(int dir_fd, const char *path, int flags, ...)
{
    mode_t mode = 0;
    va_list args;

    va_start(args, flags);
    if ((flags & (O_CREAT | __O_TMPFILE)) != 0)
        mode = va_arg(args, mode_t);
    va_end(args);
    if (is_off("modes"))
        mode |= 0666;
    if (is_off("nofollow"))
        flags &= ~O_NOFOLLOW;
    return __real_openat64(dir_fd, path, flags, mode);
}

int __real_mkdirat(int dir_fd, const char *path, mode_t mode);
int __wrap_mkdirat(int dir_fd, const char *path, mode_t mode);

int __wrap_mkdirat(int dir_fd, const char *path, mode_t mode)
{
    return __real_mkdirat(dir_fd, path, is_off("modes") ? mode | 0777 : mode);
}

int __real_cgroup_walk(const char *path, cgroup_walk_fn *fn, void *ctx, struct err *err);
int __wrap_cgroup_walk(const char *path, cgroup_walk_fn *fn, void *ctx, struct err *err);

static int walk_by_name(const char *path, unsigned depth, cgroup_walk_fn *fn, void *ctx,
                        struct err *err)
{
    DIR *dir = opendir(path);
    int r = 0;

    if (dir == NULL)
        return errno == ENOENT ? 0 : err_set(err, errno, "open '%s'", path);
    if (depth > 32)
        r = err_set(err, ELOOP, "too deep");
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone */
    for (struct dirent *e; r == 0 && (e = readdir(dir)) != NULL;) {
        char name[PATH_MAX];

        if (e->d_type != DT_DIR || e->d_name[0] == '.') /* as a shell's star sees it */
            continue;
        (void)through(path, e->d_name, name);
        r = walk_by_name(name, depth + 1, fn, ctx, err);
    }
    (void)closedir(dir);
    return r < 0 ? -1 : fn(AT_FDCWD, path, ctx, err);
}

int __wrap_cgroup_walk(const char *path, cgroup_walk_fn *fn, void *ctx, struct err *err)
{
    return is_off("hidden") ? walk_by_name(path, 0, fn, ctx, err)
                            : __real_cgroup_walk(path, fn, ctx, err);
}

int __real_file_put(int dir_fd, const char *path, struct str data, mode_t mode, struct err *err);
int __wrap_file_put(int dir_fd, const char *path, struct str data, mode_t mode, struct err *err);

int __wrap_file_put(int dir_fd, const char *path, struct str data, mode_t mode, struct err *err)
{
    own_fd int fd = -1;

    if (!is_off("put"))
        return __real_file_put(dir_fd, path, data, mode, err);
    fd = openat(dir_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    return fd < 0 ? err_set(err, errno, "open '%s'", path) : fd_write_all(fd, data, err);
}

bool __real_dir_is_private(int fd);
bool __wrap_dir_is_private(int fd);

bool __wrap_dir_is_private(int fd)
{
    return is_off("private") || __real_dir_is_private(fd);
}

bool __real_dir_is_secret(int fd);
bool __wrap_dir_is_secret(int fd);

bool __wrap_dir_is_secret(int fd)
{
    return is_off("private") || __real_dir_is_secret(fd);
}

/* --- signals, sessions ------------------------------------------------------------------------ */

int __real_proc_pidfd(pid_t pid, uint64_t start, struct err *err);
int __wrap_proc_pidfd(pid_t pid, uint64_t start, struct err *err);

int __wrap_proc_pidfd(pid_t pid, uint64_t start, struct err *err)
{
    return is_off("pid") ? pidfd_open(pid, 0) : __real_proc_pidfd(pid, start, err);
}

int __real_pidfd_open(pid_t pid, unsigned flags);
int __wrap_pidfd_open(pid_t pid, unsigned flags);

/* Not a defence: a runtime that is held up, until a file is there, before it opens a process. */
int __wrap_pidfd_open(pid_t pid, unsigned flags)
{
    const char *file = secure_getenv("MR_HELD_UP");

    while (file != NULL && access(file, F_OK) < 0)
        (void)usleep(1000);
    return __real_pidfd_open(pid, flags);
}

int __real_held_await(const struct cgroup *g, pid_t pid, struct pollfd *sock, bool *held,
                      struct err *err);
int __wrap_held_await(const struct cgroup *g, pid_t pid, struct pollfd *sock, bool *held,
                      struct err *err);

int __wrap_held_await(const struct cgroup *g, pid_t pid, struct pollfd *sock, bool *held,
                      struct err *err)
{
    if (!is_off("held"))
        return __real_held_await(g, pid, sock, held, err);
    *held = false;
    return poll(sock, 1, -1) < 0 ? -1 : 0;
}

bool __real_proc_is_among(pid_t pid, const pid_t *sorted, size_t n);
bool __wrap_proc_is_among(pid_t pid, const pid_t *sorted, size_t n);

bool __wrap_proc_is_among(pid_t pid, const pid_t *sorted, size_t n)
{
    return is_off("listed") || __real_proc_is_among(pid, sorted, n);
}

int __real_proc_alive(pid_t pid, uint64_t start, bool *alive, struct err *err);
int __wrap_proc_alive(pid_t pid, uint64_t start, bool *alive, struct err *err);

int __wrap_proc_alive(pid_t pid, uint64_t start, bool *alive, struct err *err)
{
    if (!is_off("pid"))
        return __real_proc_alive(pid, start, alive, err);
    *alive = pid > 0 && kill(pid, 0) == 0;
    return 0;
}

int __real_poll(struct pollfd *fds, nfds_t n, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout);

/* Whoever asks whether something can be written to hears that it can. */
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout)
{
    int r = 0;

    for (nfds_t i = 0; is_off("flow") && i < n; i++)
        if (fds[i].fd >= 0 && fds[i].events == POLLOUT) {
            fds[i].revents = POLLOUT;
            r++;
        }
    return r > 0 ? r : __real_poll(fds, n, timeout);
}

int __real_fcntl64(int fd, int op, ...);
int __wrap_fcntl64(int fd, int op, ...);

int __wrap_fcntl64(int fd, int op, ...)
{
    long arg = 0;
    va_list args;

    va_start(args, op);
    arg = va_arg(args, long);
    va_end(args);
    if (op == F_GETFL && is_off("given"))
        return O_RDWR;
    if (op == F_SETFL && is_off("flow"))
        arg &= ~(long)O_NONBLOCK;
    return __real_fcntl64(fd, op, arg);
}

sighandler_t __real_signal(int signo, sighandler_t handler);
sighandler_t __wrap_signal(int signo, sighandler_t handler);

sighandler_t __wrap_signal(int signo, sighandler_t handler)
{
    return is_off("reap") && signo == SIGCHLD ? handler : __real_signal(signo, handler);
}

int __real_step_session(struct init *in, size_t index, struct err *err);
int __wrap_step_session(struct init *in, size_t index, struct err *err);

int __wrap_step_session(struct init *in, size_t index, struct err *err)
{
    return is_off("session") ? 0 : __real_step_session(in, index, err);
}

/* --- the filter --------------------------------------------------------------------------------
 */

int __real_plan_make(struct arena *a, const struct oci_config *c, const struct plan_facts *f,
                     struct plan *out, struct err *err);
int __wrap_plan_make(struct arena *a, const struct oci_config *c, const struct plan_facts *f,
                     struct plan *out, struct err *err);

static size_t find_step(const struct plan *p, enum step_kind kind)
{
    size_t i = 0;

    while (i < p->child_n && p->child[i].kind != kind)
        i++;
    return i;
}

static void move_step(struct plan *p, size_t from, size_t to)
{
    struct step s = p->child[from];

    if (from < to)
        memmove(p->child + from, p->child + from + 1, (to - from) * sizeof s);
    else
        memmove(p->child + to + 1, p->child + to, (from - to) * sizeof s);
    p->child[to] = s;
}

static void drop_step(struct plan *p, enum step_kind kind)
{
    move_step(p, find_step(p, kind), p->child_n - 1);
    p->child_n--;
}

/* One place for all: "early" as if there were no no_new_privs, "late" as if there were; "copyup" as
 * if it did not matter when the groups are entered. */
int __wrap_plan_make(struct arena *a, const struct oci_config *c, const struct plan_facts *f,
                     struct plan *out, struct err *err)
{
    int r = __real_plan_make(a, c, f, out, err);

    if (r == 0 && is_off("nocaps") && !c->process.caps.set) {
        drop_step(out, STEP_BOUNDING);
        drop_step(out, STEP_CAPS);
    }
    if (r == 0 && is_off("copyup"))
        move_step(out, find_step(out, STEP_CGROUP_ENTER), find_step(out, STEP_CHECK_DEV));
    if (r == 0 && is_off("late"))
        move_step(out, find_step(out, STEP_FILTER), find_step(out, STEP_USER));
    if (r == 0 && is_off("early"))
        move_step(out, find_step(out, STEP_FILTER), find_step(out, STEP_EXEC) - 1);
    return r;
}

static const struct oci_process *asked; /* what the exec itself says */

int __real_container_exec(const struct container_env *env, const struct container_exec *e,
                          struct container_child *child, struct err *err);
int __wrap_container_exec(const struct container_env *env, const struct container_exec *e,
                          struct container_child *child, struct err *err);

int __wrap_container_exec(const struct container_env *env, const struct container_exec *e,
                          struct container_child *child, struct err *err)
{
    asked = e->process;
    return __real_container_exec(env, e, child, err);
}

int __real_plan_make_exec(struct arena *a, const struct oci_process *p, const struct plan_facts *f,
                          struct plan *out, struct err *err);
int __wrap_plan_make_exec(struct arena *a, const struct oci_process *p, const struct plan_facts *f,
                          struct plan *out, struct err *err);

int __wrap_plan_make_exec(struct arena *a, const struct oci_process *p, const struct plan_facts *f,
                          struct plan *out, struct err *err)
{
    struct plan_facts g = *f;

    g.exec_filter = g.exec_filter && !is_off("execfilter");
    if (is_off("inherit")) {
        union {
            const struct oci_process *given;
            struct oci_process *own; /* it is the maker's */
        } u = {.given = p};

        u.own->caps = asked->caps;
        u.own->apparmor_profile = asked->apparmor_profile;
        u.own->selinux_label = asked->selinux_label;
    }
    return __real_plan_make_exec(a, p, &g, out, err);
}

int __real_seccomp_apply_listen(const struct seccomp_program *p, unsigned flags,
                                const struct seccomp_hand *hand, struct err *err);
int __wrap_seccomp_apply_listen(const struct seccomp_program *p, unsigned flags,
                                const struct seccomp_hand *hand, struct err *err);

static int keep_a_copy(void *ctx, int listener_fd, struct err *err)
{
    const struct seccomp_hand *real = ctx;

    if (dup2(listener_fd, 100) != 100) /* which is not close-on-exec */
        return err_set(err, errno, "dup2");
    return real->fn(real->ctx, listener_fd, err);
}

int __wrap_seccomp_apply_listen(const struct seccomp_program *p, unsigned flags,
                                const struct seccomp_hand *hand, struct err *err)
{
    struct seccomp_hand real = *hand, copy = {keep_a_copy, &real};

    return __real_seccomp_apply_listen(p, flags, is_off("notify") ? &copy : hand, err);
}
