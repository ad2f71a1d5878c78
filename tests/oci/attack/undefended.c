/* SPDX-License-Identifier: Apache-2.0 */
/*
 * undefended - the runtime with single defences taken out, to show that the attacks bite: paths,
 * mounts, devices, /proc
 *
 * The linker puts __wrap_NAME in the place of every call of NAME from another file (--wrap, see
 * tests/build.mk), so that nothing of this is in the program that is shipped. Each wrapper is the
 * naive way to do the same, taken when the environment variable MR_OFF names the defence; several
 * are separated by commas.
 */
#include "tests/oci/attack/undefended.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/own.h"
#include "runtime/container/init.h"
#include "runtime/container/join.h"
#include "runtime/container/steps.h"
#include "runtime/kernel/device.h"
#include "runtime/kernel/dir.h"
#include "runtime/kernel/environ.h"
#include "runtime/kernel/lsm.h"
#include "runtime/kernel/mount.h"
#include "runtime/kernel/proc.h"
#include "runtime/kernel/root.h"
#include "runtime/kernel/self.h"
#include "runtime/kernel/sys.h"
#include "runtime/kernel/tty.h"
#include "runtime/spec/oci.h"

static char off[256]; /* $MR_OFF, which a process that enters a container has no more */

__attribute__((constructor)) static void read_off(void)
{
    const char *given = secure_getenv("MR_OFF");

    (void)snprintf(off, sizeof off, "%s", given != NULL ? given : "");
}

bool is_off(const char *name)
{
    struct str rest = str_of(off), one = STR_NONE;

    while (str_next(&rest, ',', &one))
        if (str_eq_c(one, name))
            return true;
    return false;
}

#define FD_PATH_MAX 32

static const char *fd_path(int fd, char out[FD_PATH_MAX])
{
    (void)snprintf(out, FD_PATH_MAX, "/proc/self/fd/%d", fd); /* fits: 14 and 11 bytes */
    return out;
}

/* --- the runtime's own file ------------------------------------------------------------------- */

int __real_self_protect(char *const *argv, struct err *err);
int __wrap_self_protect(char *const *argv, struct err *err);

int __wrap_self_protect(char *const *argv, struct err *err)
{
    return is_off("self") ? 0 : __real_self_protect(argv, err);
}

/* The mount that the program is executed from stays until the end, as cli/early.c leaves it. */
int __real_mount_clone(int dir_fd, const char *path, enum mount_reach reach, struct err *err);
int __wrap_mount_clone(int dir_fd, const char *path, enum mount_reach reach, struct err *err);

int __wrap_mount_clone(int dir_fd, const char *path, enum mount_reach reach, struct err *err)
{
    int fd = __real_mount_clone(dir_fd, path, reach, err);

    if (fd >= 0 && is_off("release") && strcmp(path, "/proc/self/exe") == 0)
        (void)fcntl(fd, F_SETFD, 0);
    return fd;
}

void __real_self_release(void);
void __wrap_self_release(void);

void __wrap_self_release(void)
{
    if (!is_off("release"))
        __real_self_release();
}

/* --- descriptors, working directory, what can be seen of the process before execve -------------
 */

int __real_close_range(unsigned first, unsigned last, int flags);
int __wrap_close_range(unsigned first, unsigned last, int flags);

int __wrap_close_range(unsigned first, unsigned last, int flags)
{
    return is_off("descriptors") ? 0 : __real_close_range(first, last, flags);
}

int __real_hooks_run(const struct oci_config *c, enum oci_hook_kind kind,
                     const struct hook_moment *m, struct err *err);
int __wrap_hooks_run(const struct oci_config *c, enum oci_hook_kind kind,
                     const struct hook_moment *m, struct err *err);

int __wrap_hooks_run(const struct oci_config *c, enum oci_hook_kind kind,
                     const struct hook_moment *m, struct err *err)
{
    struct hook_moment with_ours = *m;

    if (is_off("hookenv"))
        with_ours.env = NULL;
    if (is_off("umask"))
        (void)umask(0);
    return __real_hooks_run(c, kind, &with_ours, err);
}

int __real_step_cwd(struct init *in, size_t index, struct err *err);
int __wrap_step_cwd(struct init *in, size_t index, struct err *err);

int __wrap_step_cwd(struct init *in, size_t index, struct err *err)
{
    if (!is_off("cwd"))
        return __real_step_cwd(in, index, err);
    return chdir(in->process->cwd) < 0 ? err_set(err, errno, "chdir") : 0;
}

bool __real_join_is_seen(const struct init *in);
bool __wrap_join_is_seen(const struct init *in);

bool __wrap_join_is_seen(const struct init *in)
{
    return !is_off("stage") && __real_join_is_seen(in);
}

int __real_close_all_else(const struct init *in, const int *kept, size_t n, struct err *err);
int __wrap_close_all_else(const struct init *in, const int *kept, size_t n, struct err *err);

int __wrap_close_all_else(const struct init *in, const int *kept, size_t n, struct err *err)
{
    return is_off("leaks") ? 0 : __real_close_all_else(in, kept, n, err);
}

int __real_environ_hide(struct environ_hidden *h, struct err *err);
int __wrap_environ_hide(struct environ_hidden *h, struct err *err);

int __wrap_environ_hide(struct environ_hidden *h, struct err *err)
{
    *h = (struct environ_hidden){.p = NULL};
    return is_off("environ") ? 0 : __real_environ_hide(h, err);
}

void __real_environ_forget(void);
void __wrap_environ_forget(void);

void __wrap_environ_forget(void)
{
    if (!is_off("environ"))
        __real_environ_forget();
}

bool __real_join_hides(const struct oci_config *c, const struct plan_facts *f);
bool __wrap_join_hides(const struct oci_config *c, const struct plan_facts *f);

bool __wrap_join_hides(const struct oci_config *c, const struct plan_facts *f)
{
    return !is_off("stage") && __real_join_hides(c, f);
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

int __real_step_home(struct init *in, size_t index, struct err *err);
int __wrap_step_home(struct init *in, size_t index, struct err *err);

int __wrap_step_home(struct init *in, size_t index, struct err *err)
{
    int fd =
        is_off("passwd") ? dir_try_beneath(in->root_fd, "etc/passwd", O_RDONLY | O_NONBLOCK) : -1;
    int r = __real_step_home(in, index, err);

    if (fd >= 0)
        (void)close(fd);
    return r;
}

int __real_step_keyring(struct init *in, size_t index, struct err *err);
int __wrap_step_keyring(struct init *in, size_t index, struct err *err);

int __wrap_step_keyring(struct init *in, size_t index, struct err *err)
{
    char name[64];

    if (!is_off("keyring"))
        return __real_step_keyring(in, index, err);
    (void)snprintf(name, sizeof name, "_ses.%.56s", in->id);
    return sys_keyctl(KEYCTL_JOIN_SESSION_KEYRING, name) < 0 ? err_set(err, errno, "keyctl") : 0;
}

/* --- devices, console, masks ------------------------------------------------------------------ */

int __real_device_make(int root_fd, const struct device *d, struct err *err);
int __wrap_device_make(int root_fd, const struct device *d, struct err *err);

int __wrap_device_make(int root_fd, const struct device *d, struct err *err)
{
    int r = __real_device_make(root_fd, d, err);

    return r < 0 && err->code == EEXIST && is_off("device") ? 0 : r;
}

int __real_device_make_in(int dir_fd, const struct device *d, struct err *err);
int __wrap_device_make_in(int dir_fd, const struct device *d, struct err *err);

int __wrap_device_make_in(int dir_fd, const struct device *d, struct err *err)
{
    int r = __real_device_make_in(dir_fd, d, err);

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

int __real_device_open_null(int root_fd);
int __wrap_device_open_null(int root_fd);

/* After the pivot, by its name, and taken for what it is called. */
int __wrap_device_open_null(int root_fd)
{
    return is_off("null") ? open("/dev/null", O_RDWR | O_CLOEXEC)
                          : __real_device_open_null(root_fd);
}

const char *through(const char *root, const char *inside, char out[PATH_MAX])
{
    (void)snprintf(out, PATH_MAX, "%s/%s", root, inside);
    return out;
}

int __real_step_check_dev(struct init *in, size_t index, struct err *err);
int __wrap_step_check_dev(struct init *in, size_t index, struct err *err);

int __wrap_step_check_dev(struct init *in, size_t index, struct err *err)
{
    return is_off("dev") ? 0 : __real_step_check_dev(in, index, err);
}

int __real_device_link(int root_fd, const char *path, const char *target, struct err *err);
int __wrap_device_link(int root_fd, const char *path, const char *target, struct err *err);

int __wrap_device_link(int root_fd, const char *path, const char *target, struct err *err)
{
    char root[FD_PATH_MAX], at[PATH_MAX];

    if (!is_off("dev"))
        return __real_device_link(root_fd, path, target, err);
    (void)unlink(through(fd_path(root_fd, root), path, at));
    return symlink(target, at) < 0 && errno != EEXIST ? err_set(err, errno, "link '%s'", at) : 0;
}

/* Of the host, and its other side by name within the root, where the image says what that is. */
int __real_tty_open(int root_fd, struct tty *out, struct err *err);
int __wrap_tty_open(int root_fd, struct tty *out, struct err *err);

int __wrap_tty_open(int root_fd, struct tty *out, struct err *err)
{
    char name[64];
    int n = 0, unlock = 0;

    if (!is_off("pts"))
        return __real_tty_open(root_fd, out, err);
    out->master_fd = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (out->master_fd < 0 || ioctl(out->master_fd, TIOCSPTLCK, &unlock) < 0 ||
        ioctl(out->master_fd, TIOCGPTN, &n) < 0)
        return err_set(err, errno, "open '/dev/ptmx'");
    (void)snprintf(name, sizeof name, "dev/pts/%d", n);
    out->slave_fd = sys_openat2(root_fd, name, O_RDWR | O_NOCTTY | O_CLOEXEC, 0, RESOLVE_IN_ROOT);
    return out->slave_fd < 0 ? err_set(err, errno, "open '%s'", name) : 0;
}

int __real_tty_keep_lines(int fd, struct err *err);
int __wrap_tty_keep_lines(int fd, struct err *err);

int __wrap_tty_keep_lines(int fd, struct err *err)
{
    return is_off("pts") ? 0 : __real_tty_keep_lines(fd, err);
}

int __real_tty_adopt(int slave_fd, struct err *err);
int __wrap_tty_adopt(int slave_fd, struct err *err);

int __wrap_tty_adopt(int slave_fd, struct err *err)
{
    return is_off("pts") ? 0 : __real_tty_adopt(slave_fd, err);
}

int __real_tty_bind_console(int root_fd, int slave_fd, struct err *err);
int __wrap_tty_bind_console(int root_fd, int slave_fd, struct err *err);

int __wrap_tty_bind_console(int root_fd, int slave_fd, struct err *err)
{
    char from[FD_PATH_MAX], root[FD_PATH_MAX], to[PATH_MAX];
    own_fd int made_fd = -1;

    if (!is_off("console"))
        return __real_tty_bind_console(root_fd, slave_fd, err);
    (void)through(fd_path(root_fd, root), "dev/console", to);
    made_fd = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (made_fd < 0)
        return err_set(err, errno, "make the console");
    if (mount(fd_path(slave_fd, from), to, NULL, MS_BIND, NULL) < 0)
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
    (void)usleep(200); /* between the look and the mount */
    if (mount("/dev/null", path, NULL, MS_BIND, NULL) < 0 && errno == ENOTDIR)
        (void)mount("tmpfs", path, "tmpfs", MS_RDONLY, NULL);
    return 0;
}

/* --- paths beneath the root: looked up first, used later by name -------------------------------
 */

/* The text of what the path is now, links resolved; what does not exist yet is appended. */
static int resolve(int root_fd, const char *path, char out[PATH_MAX], struct err *err)
{
    char head[PATH_MAX], name[FD_PATH_MAX], *cut = NULL;
    ssize_t n = 0;

    (void)snprintf(head, sizeof head, "%s", path);
    for (;;) {
        own_fd int fd = dir_try_beneath(root_fd, head[0] == '\0' ? "." : head, O_PATH);

        if (fd < 0) {
            cut = strrchr(head, '/');
            *(cut == NULL ? head : cut) = '\0';
            continue;
        }
        n = readlink(fd_path(fd, name), out, PATH_MAX);
        break;
    }
    if (n < 0 || (size_t)n + strlen(path + strlen(head)) + 2 > PATH_MAX)
        return err_set(err, errno, "readlink");
    (void)snprintf(out + n, PATH_MAX - (size_t)n, "/%s", path + strlen(head));
    return 0;
}

/* Every directory of the path, made by name. */
static void make_all(char path[PATH_MAX])
{
    for (char *p = strchr(path + 1, '/'); p != NULL; p = strchr(p + 1, '/')) {
        *p = '\0';
        (void)mkdir(path, 0755);
        *p = '/';
    }
}

static int make_by_name(int root_fd, const char *path, enum dir_kind last, struct err *err)
{
    char text[PATH_MAX];
    int fd = -1;

    if (resolve(root_fd, path, text, err) < 0)
        return -1;
    (void)usleep(200);
    make_all(text);
    if (last == DIR_DIRECTORY)
        (void)mkdir(text, 0755);
    else
        fd = open(text, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    own_close_fd(&fd);
    fd = open(text, O_PATH | O_CLOEXEC);
    return fd >= 0 ? fd : err_set(err, errno, "open '%s'", text);
}

int __real_dir_make_beneath(int root_fd, const char *path, enum dir_kind last, struct err *err);
int __wrap_dir_make_beneath(int root_fd, const char *path, enum dir_kind last, struct err *err);

int __wrap_dir_make_beneath(int root_fd, const char *path, enum dir_kind last, struct err *err)
{
    return is_off("beneath") ? make_by_name(root_fd, path, last, err)
                             : __real_dir_make_beneath(root_fd, path, last, err);
}

int __real_dir_open_parent(int root_fd, const char *path, char *name, size_t name_max,
                           struct err *err);
int __wrap_dir_open_parent(int root_fd, const char *path, char *name, size_t name_max,
                           struct err *err);

int __wrap_dir_open_parent(int root_fd, const char *path, char *name, size_t name_max,
                           struct err *err)
{
    char parent[PATH_MAX];
    int fd = __real_dir_open_parent(root_fd, path, name, name_max, err);

    if (fd < 0 || !is_off("beneath"))
        return fd;
    (void)close(fd);
    (void)snprintf(parent, sizeof parent, "%.*s", (int)(strlen(path) - strlen(name)), path);
    return make_by_name(root_fd, parent, DIR_DIRECTORY, err);
}

/* --- the root ----------------------------------------------------------------------------------
 */

int __real_root_of_namespace(struct err *err);
int __wrap_root_of_namespace(struct err *err);

int __wrap_root_of_namespace(struct err *err)
{
    return is_off("root") ? 0 : __real_root_of_namespace(err);
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

    if (!is_off("proc") || (strcmp(m->type, "proc") != 0 && strcmp(m->type, "sysfs") != 0))
        return __real_step_mount(in, index, err);
    (void)through(in->rootfs, m->destination, path);
    if (mount(m->source, path, m->type, m->ms_set, m->data) < 0)
        return err_set(err, errno, "mount");
    return 0;
}

int __real_proc_open(struct err *err);
int __wrap_proc_open(struct err *err);

int __wrap_proc_open(struct err *err)
{
    int fd = is_off("procfs") ? open("/proc", O_PATH | O_CLOEXEC) : __real_proc_open(err);

    return fd < 0 && is_off("procfs") ? err_set(err, errno, "open '/proc'") : fd;
}

int __real_proc_sysctl(int proc_fd, const char *key, const char *value, struct err *err);
int __wrap_proc_sysctl(int proc_fd, const char *key, const char *value, struct err *err);

int __wrap_proc_sysctl(int proc_fd, const char *key, const char *value, struct err *err)
{
    char path[PATH_MAX];
    own_fd int fd = -1;

    if (!is_off("cross"))
        return __real_proc_sysctl(proc_fd, key, value, err);
    (void)snprintf(path, sizeof path, "sys/%s", key);
    for (char *p = path; strchr(key, '/') == NULL && *p != '\0'; p++)
        *p = *p == '.' ? '/' : *p;
    fd = openat(proc_fd, path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, value, strlen(value)) < 0)
        return err_set(err, errno, "write '%s'", path);
    return 0;
}

bool __real_lsm_is_on(enum lsm kind);
bool __wrap_lsm_is_on(enum lsm kind);

/* Not a defence: a kernel that has AppArmor. */
bool __wrap_lsm_is_on(enum lsm kind)
{
    return (is_off("apparmor") && kind == LSM_APPARMOR) || __real_lsm_is_on(kind);
}

int __real_lsm_set_exec(int proc_fd, enum lsm kind, const char *label, struct err *err);
int __wrap_lsm_set_exec(int proc_fd, enum lsm kind, const char *label, struct err *err);

int __wrap_lsm_set_exec(int proc_fd, enum lsm kind, const char *label, struct err *err)
{
    own_fd int fd = -1;

    if (!is_off("label"))
        return __real_lsm_set_exec(proc_fd, kind, label, err);
    fd = open("/proc/thread-self/attr/exec", O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, label, strlen(label)) < 0)
        return err_set(err, errno, "write the label");
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
    char to[FD_PATH_MAX];

    if (!is_off("cgroup"))
        return __real_mount_cgroup(in, index, target_fd, err);
    if (mount("/sys/fs/cgroup", fd_path(target_fd, to), NULL, MS_BIND | MS_REC, NULL) < 0)
        return err_set(err, errno, "bind");
    return 0;
}
