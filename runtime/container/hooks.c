/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/container/hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/child.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/jw.h"
#include "runtime/base/own.h"
#include "runtime/container/container.h"
#include "runtime/kernel/program.h"

#define STATE_MAX (8U << 20)

struct running {
    const struct oci_hook *hook;
    pid_t pid;
    int pid_fd;
    int out_fd;
    char text[HOOK_OUTPUT_MAX];
    size_t text_n;
};

/* --- the state -------------------------------------------------------------------------------- */

#define GAP_STATUS "@status@"
#define GAP_PID    4194305 /* one more than a pid can be */
#define GAP_PID_C  "4194305"

int hook_state_make(struct arena *a, const struct container_state *s, struct hook_state *out,
                    struct err *err)
{
    own_buf struct buf text = BUF_INIT(STATE_MAX);
    struct str all, rest;

    /* The keys before the gaps hold nothing that could look like one: ids cannot have '@'. */
    buf_printf(&text,
               "{\"ociVersion\":\"" OCI_VERSION "\",\"id\":\"%s\",\"status\":\"" GAP_STATUS
               "\",\"pid\":" GAP_PID_C ",\"bundle\":",
               s->id);
    jw_quote(&text, str_of(s->bundle));
    buf_append_c(&text, ",\"annotations\":{");
    for (size_t i = 0; i < s->annotations_n; i++) {
        buf_append_c(&text, i == 0 ? "" : ",");
        jw_quote(&text, str_of(s->annotations[i].key));
        buf_append_char(&text, ':');
        jw_quote(&text, str_of(s->annotations[i].value));
    }
    buf_append_c(&text, "}}\n");
    if (buf_check(&text, "the state for hooks", err) < 0)
        return -1;
    all = arena_str(a, buf_str(&text));
    out->head = str_head(all, (size_t)str_find_str(all, STR(GAP_STATUS)));
    rest = str_skip(all, out->head.n + sizeof GAP_STATUS - 1);
    out->middle = str_head(rest, (size_t)str_find_str(rest, STR(GAP_PID_C)));
    out->tail = str_skip(rest, out->middle.n + sizeof GAP_PID_C - 1);
    return 0;
}

static int make_stdin(const struct hook_moment *m, struct err *err)
{
    char pid[16];
    own_fd int fd = memfd_create("state", MFD_CLOEXEC);

    if (fd < 0)
        return err_set(err, errno, "make a memory file");
    (void)snprintf(pid, sizeof pid, "%d", m->pid);
    if (fd_write_all(fd, m->state->head, err) < 0 || fd_write_all(fd, str_of(m->status), err) < 0 ||
        fd_write_all(fd, m->state->middle, err) < 0 || fd_write_all(fd, str_of(pid), err) < 0 ||
        fd_write_all(fd, m->state->tail, err) < 0)
        return -1;
    if (lseek(fd, 0, SEEK_SET) < 0)
        return err_set(err, errno, "rewind the state");
    return take_fd(&fd);
}

/* --- files for what they print ---------------------------------------------------------------- */

/* Not blocking, for the path may be that of a pipe which nobody reads. */
static int open_file(const struct oci_config *c, enum oci_annotation which, int *fd,
                     struct err *err)
{
    const char *path = oci_annotation(c, which);

    if (path == NULL)
        return 0;
    *fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0600);
    if (*fd < 0 || fcntl(*fd, F_SETFL, O_APPEND) < 0)
        return err_set(err, errno, "open '%s' for annotation '%s'", path,
                       oci_annotation_names[which]);
    return 0;
}

int hook_files_open(const struct oci_config *c, struct hook_files *out, struct err *err)
{
    *out = HOOK_FILES_NONE;
    if (open_file(c, OCI_HOOKS_STDOUT, &out->out_fd, err) == 0 &&
        open_file(c, OCI_HOOKS_STDERR, &out->err_fd, err) == 0)
        return 0;
    hook_files_close(out);
    return -1;
}

void hook_files_close(struct hook_files *f)
{
    if (f->out_fd >= 0)
        (void)close(f->out_fd);
    if (f->err_fd >= 0)
        (void)close(f->err_fd);
    *f = HOOK_FILES_NONE;
}

/* --- one hook --------------------------------------------------------------------------------- */

static no_return void become_hook(const struct oci_hook *h, const struct hook_moment *m, int in_fd,
                                  int pipe_fd)
{
    int out_fd = m->files != NULL && m->files->out_fd >= 0 ? m->files->out_fd : pipe_fd;
    int err_fd = m->files != NULL && m->files->err_fd >= 0 ? m->files->err_fd : pipe_fd;
    const char *alone[] = {h->path, NULL};
    const char *const *argv = h->args.n > 0 ? h->args.v : alone;
    struct err err;
    sigset_t none;

    union {
        const char *const *given;
        char *const *taken; /* execve changes neither pointers nor text */
    } a = {.given = argv}, e = {.given = h->env.v};

    if (h->env.v == NULL && m->env != NULL)
        e.given = m->env;
    else if (h->env.v == NULL)
        e.taken = environ;

    (void)sigemptyset(&none);
    (void)pthread_sigmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)setpgid(0, 0);
    /* A directory that cannot be entered is none that a hook could have counted on. */
    if (m->dir != NULL && chdir(m->dir) < 0)
        errno = 0;
    if (dup2(in_fd, 0) == 0 && dup2(out_fd, 1) == 1 && dup2(err_fd, 2) == 2)
        (void)execve(h->path, a.taken, e.taken);
    (void)program_failed(h->path, errno, &err);
    dprintf(2, "execute %s", err.text);
    _exit(127);
}

static int start(struct running *r, const struct hook_moment *m, struct err *err)
{
    int ends[2];
    own_fd int in_fd = make_stdin(m, err);

    if (in_fd < 0 || fd_pipe(ends, err) < 0)
        return -1;
    r->pid = fork();
    if (r->pid == 0)
        become_hook(r->hook, m, in_fd, ends[1]);
    (void)close(ends[1]);
    r->out_fd = ends[0];
    if (r->pid < 0)
        return err_set(err, errno, "fork");
    r->pid_fd = pidfd_open(r->pid, 0);
    return r->pid_fd < 0 ? err_set(err, errno, "watch process %d", r->pid) : 0;
}

/* Reads what is there; false at the end. */
static bool collect(struct running *r)
{
    char more[512];
    ssize_t n = read(r->out_fd, more, sizeof more);
    size_t room = sizeof r->text - r->text_n;

    if (n <= 0)
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    if ((size_t)n < room)
        room = (size_t)n;
    memcpy(r->text + r->text_n, more, room);
    r->text_n += room;
    return true;
}

static int wait_ms(uint64_t deadline)
{
    uint64_t now = clock_now_ms();

    if (deadline == 0)
        return -1;
    return now >= deadline ? 0 : deadline - now > 60000 ? 60000 : (int)(deadline - now);
}

/* Until the hook has ended (1) or its time is over (0). What it started in the background may keep
 * the pipe open: its end is not waited for. */
static int watch(struct running *r, struct err *err)
{
    uint64_t deadline = r->hook->timeout_s == 0 ? 0 : clock_now_ms() + r->hook->timeout_s * 1000ULL;
    struct pollfd fds[2] = {{.fd = r->pid_fd, .events = POLLIN},
                            {.fd = r->out_fd, .events = POLLIN}};

    for (;;) {
        int n = poll(fds, 2, wait_ms(deadline));

        if (n < 0 && errno != EINTR)
            return err_set(err, errno, "wait for the hook");
        if (n > 0 && (fds[1].revents != 0) && !collect(r))
            fds[1].fd = -1;
        if (n > 0 && (fds[0].revents & POLLIN) != 0)
            return 1;
        if (n == 0 && deadline != 0 && clock_now_ms() >= deadline)
            return 0;
    }
}

static void drain(struct running *r)
{
    struct pollfd fd = {.fd = r->out_fd, .events = POLLIN};

    while (r->text_n < sizeof r->text && poll(&fd, 1, 0) > 0 && (fd.revents & POLLIN) != 0)
        if (!collect(r))
            break;
}

static int reap(pid_t pid, int *status, struct err *err)
{
    while (waitpid(pid, status, 0) < 0)
        if (errno != EINTR)
            return err_set(err, errno, "wait for the hook");
    return 0;
}

static int judge(struct running *r, int status, struct err *err)
{
    char how[CHILD_TEXT_MAX];
    struct str said = str_trim((struct str){r->text, r->text_n});

    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (WIFEXITED(status))
        (void)snprintf(how, sizeof how, "failed with exit code %d", WEXITSTATUS(status));
    else
        child_describe(status, how);
    if (said.n == 0)
        return err_set(err, 0, "%s", how);
    return err_set(err, 0, "%s, saying: %.*s", how, STR_ARG(said));
}

static int timed_out(struct running *r, struct err *err)
{
    struct str said = str_trim((struct str){r->text, r->text_n});

    (void)err_set(err, 0, "not done after %u s%s%.*s", r->hook->timeout_s,
                  said.n > 0 ? ", saying: " : "", STR_ARG(said));
    err->code = ETIMEDOUT;
    return -1;
}

static int finish(struct running *r, struct err *err)
{
    int status = 0, ended = watch(r, err);

    if (ended <= 0)
        (void)kill(-r->pid, SIGKILL); /* its group, with what it started */
    if (ended <= 0)
        (void)kill(r->pid, SIGKILL);
    if (reap(r->pid, &status, err) < 0 || ended < 0)
        return -1;
    drain(r);
    if (ended == 0)
        return timed_out(r, err);
    return judge(r, status, err);
}

static int run_hook(const struct oci_hook *h, const struct hook_moment *m, struct err *err)
{
    struct running r = {.hook = h, .pid_fd = -1, .out_fd = -1};
    int result = start(&r, m, err);

    if (result == 0)
        result = finish(&r, err);
    if (r.pid_fd >= 0)
        (void)close(r.pid_fd);
    if (r.out_fd >= 0)
        (void)close(r.out_fd);
    return result;
}

/* "$.hooks.poststop[0] '/bin/false': poststop hook failed with exit code 1" */
static int run_one(const struct oci_config *c, enum oci_hook_kind kind, size_t i,
                   const struct hook_moment *m, struct err *err)
{
    const struct oci_hook *h = &c->hooks[kind].v[i];
    struct err why;

    if (run_hook(h, m, &why) == 0)
        return 0;
    return err_set(err, 0, "$.hooks.%s[%zu] '%s': %s hook %s", oci_hook_names[kind], i, h->path,
                   oci_hook_names[kind], why.text);
}

int hooks_run(const struct oci_config *c, enum oci_hook_kind kind, const struct hook_moment *m,
              struct err *err)
{
    for (size_t i = 0; i < c->hooks[kind].n; i++) {
        if (run_one(c, kind, i, m, err) == 0)
            continue;
        err->code = HOOK_FAILED;
        return -1;
    }
    return 0;
}

void hooks_run_all(const struct oci_config *c, enum oci_hook_kind kind, const struct hook_moment *m,
                   const struct container_env *env)
{
    for (size_t i = 0; i < c->hooks[kind].n; i++) {
        struct err err;

        if (run_one(c, kind, i, m, &err) < 0 && env->warn != NULL)
            env->warn(env->warn_ctx, err.text);
    }
}
