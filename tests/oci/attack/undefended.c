/* SPDX-License-Identifier: Apache-2.0 */
/*
 * undefended - the runtime with single defences taken out, to show that the attacks bite
 *
 * The linker puts __wrap_NAME in the place of every call of NAME from another file (--wrap, see
 * tests/build.mk), so that nothing of this is in the program that is shipped. Each wrapper is the
 * naive way to do the same, taken when the environment variable MR_OFF names the defence; several
 * are separated by commas.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"
#include "runtime/container/container.h"
#include "runtime/container/init.h"
#include "runtime/container/steps.h"
#include "runtime/kernel/caps.h"
#include "runtime/kernel/device.h"
#include "runtime/kernel/dir.h"
#include "runtime/kernel/proc.h"
#include "runtime/kernel/root.h"
#include "runtime/kernel/self.h"
#include "runtime/kernel/tty.h"

static bool is_off(const char *name)
{
    struct str rest = str_of(secure_getenv("MR_OFF")), one = STR_NONE;

    while (str_next(&rest, ',', &one))
        if (str_eq_c(one, name))
            return true;
    return false;
}

/* --- the runtime's own file ------------------------------------------------------------------- */

int __real_self_protect(char *const *argv, struct err *err);
int __wrap_self_protect(char *const *argv, struct err *err);

int __wrap_self_protect(char *const *argv, struct err *err)
{
    return is_off("self") ? 0 : __real_self_protect(argv, err);
}

/* --- descriptors, working directory, what can be seen of the process before execve -------------
 */

int __real_close_range(unsigned first, unsigned last, int flags);
int __wrap_close_range(unsigned first, unsigned last, int flags);

int __wrap_close_range(unsigned first, unsigned last, int flags)
{
    return is_off("descriptors") ? 0 : __real_close_range(first, last, flags);
}

int __real_step_cwd(struct init *in, size_t index, struct err *err);
int __wrap_step_cwd(struct init *in, size_t index, struct err *err);

int __wrap_step_cwd(struct init *in, size_t index, struct err *err)
{
    if (!is_off("cwd"))
        return __real_step_cwd(in, index, err);
    return chdir(in->process->cwd) < 0 ? err_set(err, errno, "chdir") : 0;
}

int __real_prctl(int op, ...);
int __wrap_prctl(int op, ...);

int __wrap_prctl(int op, ...)
{
    unsigned long a[4];
    va_list args;

    va_start(args, op);
    for (size_t i = 0; i < ARRAY_N(a); i++)
        a[i] = va_arg(args, unsigned long);
    va_end(args);
    if (op == PR_SET_DUMPABLE && is_off("dumpable"))
        a[0] = 1;
    return __real_prctl(op, a[0], a[1], a[2], a[3]);
}

/* --- devices, console, masks ------------------------------------------------------------------ */

int __real_device_make(int root_fd, const struct device *d, struct err *err);
int __wrap_device_make(int root_fd, const struct device *d, struct err *err);

int __wrap_device_make(int root_fd, const struct device *d, struct err *err)
{
    int r = __real_device_make(root_fd, d, err);

    return r < 0 && err->code == EEXIST && is_off("device") ? 0 : r;
}

bool __real_device_is_null(int fd);
bool __wrap_device_is_null(int fd);

bool __wrap_device_is_null(int fd)
{
    struct stat st;

    /* A file of the image passes for it; what the caller gave as standard output does not. */
    return __real_device_is_null(fd) ||
           (is_off("device") && fstat(fd, &st) == 0 && S_ISREG(st.st_mode));
}

/* A path of the container as the host sees it, for a process that is not in it yet. */
static const char *through(const char *root, const char *inside, char out[PATH_MAX])
{
    (void)snprintf(out, PATH_MAX, "%s/%s", root, inside);
    return out;
}

int __real_tty_bind_console(int root_fd, int slave_fd, struct err *err);
int __wrap_tty_bind_console(int root_fd, int slave_fd, struct err *err);

int __wrap_tty_bind_console(int root_fd, int slave_fd, struct err *err)
{
    char from[DIR_PROC_MAX], root[DIR_PROC_MAX], to[PATH_MAX];

    if (!is_off("console"))
        return __real_tty_bind_console(root_fd, slave_fd, err);
    (void)through(dir_fd_path(root_fd, root), "dev/console", to);
    if (mount(dir_fd_path(slave_fd, from), to, NULL, MS_BIND, NULL) < 0)
        return err_set(err, errno, "bind the console");
    return 0;
}

int __real_step_mask(struct init *in, size_t index, struct err *err);
int __wrap_step_mask(struct init *in, size_t index, struct err *err);

int __wrap_step_mask(struct init *in, size_t index, struct err *err)
{
    const char *path = in->config->linux_.masked_paths.v[index];

    if (!is_off("mask"))
        return __real_step_mask(in, index, err);
    if (mount("/dev/null", path, NULL, MS_BIND, NULL) < 0 && errno == ENOTDIR)
        (void)mount("tmpfs", path, "tmpfs", MS_RDONLY, NULL);
    return 0;
}

/* --- paths beneath the root: looked up first, used later by name -------------------------------
 */

/* What the path was when it was looked at, opened again some time later. */
static int open_again(int fd, struct err *err)
{
    char name[DIR_PROC_MAX], text[PATH_MAX];
    ssize_t n = fd < 0 ? -1 : readlink(dir_fd_path(fd, name), text, sizeof text - 1);
    int again = -1;

    if (fd < 0)
        return -1;
    (void)close(fd);
    if (n < 0)
        return err_set(err, errno, "readlink");
    text[n] = '\0';
    (void)usleep(200);
    again = open(text, O_PATH | O_CLOEXEC);
    return again >= 0 ? again : err_set(err, errno, "open '%s'", text);
}

int __real_dir_make_beneath(int root_fd, const char *path, enum dir_kind last, mode_t mode,
                            struct err *err);
int __wrap_dir_make_beneath(int root_fd, const char *path, enum dir_kind last, mode_t mode,
                            struct err *err);

int __wrap_dir_make_beneath(int root_fd, const char *path, enum dir_kind last, mode_t mode,
                            struct err *err)
{
    int fd = __real_dir_make_beneath(root_fd, path, last, mode, err);

    return is_off("beneath") ? open_again(fd, err) : fd;
}

int __real_dir_open_parent(int root_fd, const char *path, mode_t mode, char *name, size_t name_max,
                           struct err *err);
int __wrap_dir_open_parent(int root_fd, const char *path, mode_t mode, char *name, size_t name_max,
                           struct err *err);

int __wrap_dir_open_parent(int root_fd, const char *path, mode_t mode, char *name, size_t name_max,
                           struct err *err)
{
    int fd = __real_dir_open_parent(root_fd, path, mode, name, name_max, err);

    return is_off("beneath") ? open_again(fd, err) : fd;
}

/* --- the root ----------------------------------------------------------------------------------
 */

int __real_root_of_namespace(int proc_fd, struct err *err);
int __wrap_root_of_namespace(int proc_fd, struct err *err);

int __wrap_root_of_namespace(int proc_fd, struct err *err)
{
    return is_off("root") ? 0 : __real_root_of_namespace(proc_fd, err);
}

int __real_root_pivot(int root_fd, struct err *err);
int __wrap_root_pivot(int root_fd, struct err *err);

/* Not a defence: a host whose root cannot be left, as an initramfs is. */
int __wrap_root_pivot(int root_fd, struct err *err)
{
    return is_off("pivot") ? err_set(err, EINVAL, "pivot_root") : __real_root_pivot(root_fd, err);
}

bool __real_init_may_unmount(const struct init *in);
bool __wrap_init_may_unmount(const struct init *in);

bool __wrap_init_may_unmount(const struct init *in)
{
    return !is_off("uncover") && __real_init_may_unmount(in);
}

/* --- /proc and /sys --------------------------------------------------------------------------- */

int __real_step_mount(struct init *in, size_t index, struct err *err);
int __wrap_step_mount(struct init *in, size_t index, struct err *err);

int __wrap_step_mount(struct init *in, size_t index, struct err *err)
{
    const struct oci_mount *m = &in->config->mounts[index];
    char path[PATH_MAX];

    if (!is_off("proc") || strcmp(m->type, "proc") != 0)
        return __real_step_mount(in, index, err);
    (void)through(in->rootfs, m->destination, path);
    if (mount(m->source, path, m->type, m->ms_set, m->data) < 0)
        return err_set(err, errno, "mount");
    return 0;
}

int __real_step_sysctl(struct init *in, size_t index, struct err *err);
int __wrap_step_sysctl(struct init *in, size_t index, struct err *err);

int __wrap_step_sysctl(struct init *in, size_t index, struct err *err)
{
    const struct oci_pair *p = &in->config->linux_.sysctl.v[index];
    char name[PATH_MAX / 2], path[PATH_MAX];
    own_fd int fd = -1;

    if (!is_off("sysctl"))
        return __real_step_sysctl(in, index, err);
    (void)snprintf(name, sizeof name, "proc/sys/%s", p->key);
    for (char *dot = strchr(name, '.'); dot != NULL; dot = strchr(dot, '.'))
        *dot = '/';
    fd = open(through(in->rootfs, name, path), O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, p->value, strlen(p->value)) < 0)
        return err_set(err, errno, "write '%s'", name);
    return 0;
}

int __real_mount_cgroup(struct init *in, size_t index, int target_fd, struct err *err);
int __wrap_mount_cgroup(struct init *in, size_t index, int target_fd, struct err *err);

int __wrap_mount_cgroup(struct init *in, size_t index, int target_fd, struct err *err)
{
    char to[DIR_PROC_MAX];

    if (!is_off("cgroup"))
        return __real_mount_cgroup(in, index, target_fd, err);
    if (mount("/sys/fs/cgroup", dir_fd_path(target_fd, to), NULL, MS_BIND | MS_REC, NULL) < 0)
        return err_set(err, errno, "bind");
    return 0;
}

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

int __real_file_read(int dir_fd, const char *path, struct buf *out, struct err *err);
int __wrap_file_read(int dir_fd, const char *path, struct buf *out, struct err *err);

int __wrap_file_read(int dir_fd, const char *path, struct buf *out, struct err *err)
{
    if (is_off("limits"))
        out->max = SIZE_MAX / 2;
    return __real_file_read(dir_fd, path, out, err);
}

/* --- ids, state ------------------------------------------------------------------------------- */

int __real_container_id_check(const char *id, struct err *err);
int __wrap_container_id_check(const char *id, struct err *err);

int __wrap_container_id_check(const char *id, struct err *err)
{
    return is_off("id") ? 0 : __real_container_id_check(id, err);
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

bool __real_proc_is_alive(pid_t pid, uint64_t start);
bool __wrap_proc_is_alive(pid_t pid, uint64_t start);

bool __wrap_proc_is_alive(pid_t pid, uint64_t start)
{
    return is_off("pid") ? pid > 0 && kill(pid, 0) == 0 : __real_proc_is_alive(pid, start);
}

int __real_step_session(struct init *in, size_t index, struct err *err);
int __wrap_step_session(struct init *in, size_t index, struct err *err);

int __wrap_step_session(struct init *in, size_t index, struct err *err)
{
    return is_off("session") ? 0 : __real_step_session(in, index, err);
}
