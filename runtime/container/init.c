/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/container/init.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/sig.h"
#include "runtime/base/str.h"
#include "runtime/container/sync.h"
#include "runtime/kernel/program.h"
#include "runtime/kernel/self.h"

#define STEP_TEXT_MAX 256

/* Behind the text, as far as there is room. */
static void append(struct err *err, const char *text)
{
    size_t n = strlen(err->text);

    (void)snprintf(err->text + n, sizeof err->text - n, "%s", text);
}

/* In a user namespace the file system asks for ids that can be written down. */
static void explain(const struct init *in, struct err *err)
{
    if (err->code == EOVERFLOW && in->config != NULL &&
        in->config->linux_.ns[OCI_NS_USER].mode == OCI_NS_NEW)
        append(err, ": the ids 0, by which a container is made, are not in $.linux.uidMappings and "
                    "$.linux.gidMappings");
}

/* In front of a failure stands which step it was, and of what. The buffer allocates, which nothing
 * else does here: all is lost by now, but for the message. */
static void wrap_step(const struct init *in, const struct step *s, struct err *err)
{
    struct buf text = BUF_INIT(STEP_TEXT_MAX);

    explain(in, err);
    plan_print_step(in->config, in->process, s, &text);
    (void)err_wrap(err, "%s", buf_c(&text));
    buf_done(&text);
}

static int walk(struct init *in, struct err *err)
{
    for (size_t i = 0; i < in->plan->child_n; i++) {
        const struct step *s = &in->plan->child[i];

        if (init_steps[s->kind](in, s->index, err) < 0) {
            wrap_step(in, s, err);
            return -1;
        }
    }
    return err_set(err, 0, "the plan has no end");
}

static void end_by(int signo)
{
    _exit(128 + signo);
}

/* Handlers are gone after execve, but ignored and blocked signals stay: the container's process
 * begins with none of either. The kernel keeps from the first process of a namespace what it has
 * no handler for: a container that was created and not started could not be told to end. */
static void reset_signals(void)
{
    const bool is_first = getpid() == 1;
    sigset_t none;

    /* SIGKILL and SIGSTOP refuse, which is fine. */
    for (int signo = 1; signo < SIGRTMIN; signo++)
        (void)signal(signo, is_first && sig_asks_for_the_end(signo) ? end_by : SIG_DFL);
    (void)sigemptyset(&none);
    (void)pthread_sigmask(SIG_SETMASK, &none, NULL);
}

static int begin(struct init *in, struct err *err)
{
    int number = (int)in->groups;

    /* Side by side there is nothing to wait for yet. */
    if (!in->plan->side_by_side && sync_wait_go(in->sync_fd, &number, err) < 0)
        return -1;
    in->groups = (enum init_groups)number;
    /* Until execve this process has the runtime's memory, file and descriptors: nobody may look. */
    if (prctl(PR_SET_DUMPABLE, 0UL, 0UL, 0UL, 0UL) < 0)
        return err_set(err, errno, "become undumpable");
    in->callers_umask = umask(0);
    reset_signals();
    self_release();
    return 0;
}

no_return void init_main(struct init *in)
{
    struct err err;

    err_reset(&err);
    if (begin(in, &err) == 0)
        (void)walk(in, &err);
    sync_send_error(in->sync_fd, &err);
    _exit(1);
}

/* --- what is asked about it ------------------------------------------------------------------- */

enum cgroup_enter init_enters(const struct init *in)
{
    return in->in_v2 ? CGROUP_ENTER_V1 : CGROUP_ENTER_ALL;
}

/* A user namespace changes nothing: the container's mounts are made in it. */
bool init_may_unmount(const struct init *in)
{
    const struct oci_caps *c = &in->process->caps;
    uint64_t all = 0;

    for (int i = 0; i < OCI_CAP_SETS; i++)
        all |= c->mask[i];
    return (all >> CAP_SYS_ADMIN & 1) != 0;
}

/* --- the last step ---------------------------------------------------------------------------- */

static const char *env_value(const struct init *in, const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; i < in->env_n; i++)
        if (strncmp(in->env[i], name, n) == 0 && in->env[i][n] == '=')
            return in->env[i] + n + 1;
    return NULL;
}

/* One place where the program may be: 0, or the error. */
typedef int try_path(struct init *in, const char *path);

static bool join_path(struct str dir, const char *name, char out[PATH_MAX])
{
    size_t n = strlen(name);

    if (dir.n == 0)
        dir = STR(".");
    if (dir.n + n + 2 > PATH_MAX)
        return false;
    memcpy(out, dir.p, dir.n);
    out[dir.n] = '/';
    memcpy(out + dir.n + 1, name, n + 1);
    return true;
}

/* What the kernel says of a call that the container's own filter answers is all it knows. */
static int exec_failed(const struct init *in, int code, const char *name, struct err *err)
{
    (void)program_failed(name, code, err);
    if ((code == EPERM || code == ENOSYS) && in->filter.n > 0)
        append(err, ": the seccomp profile may forbid execve");
    if ((code == EPERM || code == EACCES) && in->process->selinux_label != NULL)
        append(err, ": the policy may forbid it the SELinux label, or that with no_new_privs");
    return -1;
}

/* The first of that name that is there tells why it could not be executed after all. */
static int search_failed(const struct init *in, struct str dirs, const char *name, bool denied,
                         struct err *err)
{
    struct str dir = STR_NONE;
    char path[PATH_MAX];

    while (str_next(&dirs, ':', &dir))
        if (join_path(dir, name, path) && access(path, F_OK) == 0)
            return exec_failed(in, denied ? EACCES : ENOENT, path, err);
    if (denied)
        return exec_failed(in, EACCES, name, err);
    (void)err_set(err, 0, "'%s': executable file not found in $PATH", name);
    err->code = ENOENT;
    return -1;
}

/* What execve would say of the file: 0 if it seems to be a program, else ENOENT or EACCES. Any
 * other trouble is left for execve to tell. */
static int judge_path(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return errno == ENOENT || errno == ENOTDIR ? ENOENT : errno == EACCES ? EACCES : 0;
    if (!S_ISREG(st.st_mode))
        return EACCES;
    return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0 && errno == EACCES ? EACCES : 0;
}

static int try_exec(struct init *in, const char *path)
{
    union {
        const char **given;
        char *const *taken; /* execve changes neither pointers nor text */
    } args = {.given = in->process->args.v}, env = {.given = in->env};

    (void)execve(path, args.taken, env.taken);
    return errno;
}

static int try_look(struct init *in, const char *path)
{
    /* From another directory than the program will be looked for. */
    return in->cwd_later && path[0] != '/' ? 0 : judge_path(path);
}

/* Tries each place of the PATH until one answers neither "not there" nor "not allowed". */
static int search(struct init *in, try_path *try, const char *name, struct err *err)
{
    const char *value = env_value(in, "PATH");
    const struct str dirs = str_of(value != NULL ? value : "/bin:/usr/bin");
    struct str rest = dirs, dir = STR_NONE;
    char path[PATH_MAX];
    bool denied = false;

    while (str_next(&rest, ':', &dir)) {
        if (!join_path(dir, name, path))
            continue;
        int code = try(in, path);

        if (code == 0)
            return 0;
        if (code != ENOENT && code != ENOTDIR && code != EACCES)
            return exec_failed(in, code, path, err);
        denied |= code == EACCES;
    }
    return search_failed(in, dirs, name, denied, err);
}

static int find_program(struct init *in, try_path *try, struct err *err)
{
    const char *name = in->process->args.v[0];

    if (strchr(name, '/') == NULL)
        return search(in, try, name, err);
    int code = try(in, name);

    return code == 0 ? 0 : exec_failed(in, code, name, err);
}

int init_look(struct init *in, struct err *err)
{
    return find_program(in, try_look, err);
}

int init_exec(struct init *in, struct err *err)
{
    return find_program(in, try_exec, err);
}
