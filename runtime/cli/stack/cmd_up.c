/* SPDX-License-Identifier: Apache-2.0 */
/*
 * up: in the foreground this process is the supervisor. With -d a child is; it stays in the
 * terminal's process group, so that Ctrl-C reaches it, until every service is ready, and then sets
 * itself apart. The parent waits for the byte that says so, or for the child's end.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/child.h"
#include "runtime/base/fd.h"
#include "runtime/base/own.h"
#include "runtime/cli/stack/cmd.h"
#include "runtime/container/container.h"
#include "runtime/stack/control.h"
#include "runtime/stack/files.h"
#include "runtime/stack/gen.h"
#include "runtime/stack/layout.h"
#include "runtime/stack/place.h"
#include "runtime/stack/report.h"
#include "runtime/stack/super.h"

#define TEXT_MAX (1U << 20)

struct up_opts {
    struct opt_flag detach;
};

static const struct opt rows[] = {
    OPT_FLAG(up_opts, detach, "detach", 'd', "return when every service is ready"),
};

struct up {              /* what the supervisor's callbacks need */
    const char *program; /* this and the file as the user wrote them */
    const char *file;
    int ready_fd; /* -1: in the foreground */
};

static void say(struct str text)
{
    struct err ignored = {0};

    if (fd_write_all(STDERR_FILENO, text, &ignored) < 0)
        err_reset(&ignored); /* a terminal that went away is no reason to stop */
}

static void on_progress(void *ctx, const char *text)
{
    own_buf struct buf b = BUF_INIT(4096);

    (void)ctx;
    buf_printf(&b, "mailbox-run: %s\n", text);
    say(buf_str(&b));
}

static void format_ready(const struct up *u, const struct super *s, struct buf *b)
{
    const struct stack_config *c = s->gen->config;
    own_buf struct buf files = BUF_INIT(1024);

    files_note(&s->gen->table, c, &files);
    buf_printf(b, "\n%s is up (%u.%02u s)\n\n", c->hostname, (unsigned)(s->ready_ms / 1000),
               (unsigned)(s->ready_ms % 1000 / 10));
    report_endpoints(c, b);
    buf_append_c(b, "\nAccounts\n");
    report_accounts(c, b);
    if (s->dns_note[0])
        buf_printf(b, "\nThe network of dnsd is %s\n", s->dns_note);
    if (!s->run->layout->cgroup)
        buf_printf(b, "\nLimits of memory, processes and CPU: %s\n", LAYOUT_NO_LIMITS);
    if (!str_eq_c(buf_str(&files), "set"))
        buf_printf(b, "\nOpen files: %s\n", buf_c(&files));
    buf_printf(b, "\nStop it with %s'%s%s down %s'\n\n", u->ready_fd < 0 ? "Ctrl-C or " : "",
               secure_getenv("SUDO_USER") ? "sudo " : "", u->program, u->file);
}

static void set_apart(int ready_fd)
{
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    (void)setsid();    /* a forked child leads no group: it cannot fail */
    (void)!chdir("/"); /* nothing is opened by a relative path */
    for (int i = 0; null_fd >= 0 && i < 3; i++)
        (void)dup2(null_fd, i);
    if (null_fd >= 0)
        (void)close(null_fd);
    (void)!write(ready_fd, "", 1); /* the parent may have been killed */
    (void)close(ready_fd);
}

static void on_ready(void *ctx, struct super *s)
{
    struct up *u = ctx;
    own_buf struct buf b = BUF_INIT(TEXT_MAX);
    struct err ignored = {0};

    format_ready(u, s, &b);
    if (fd_write_all(STDOUT_FILENO, buf_str(&b), &ignored) < 0)
        err_reset(&ignored); /* as above */
    if (u->ready_fd < 0)
        return;
    set_apart(u->ready_fd);
    u->ready_fd = -1;
}

/* Takes the run directory and is the supervisor until the end. */
static int supervise(struct cmd *c, const struct layout *l, struct up *u, struct err *err)
{
    own_buf struct buf report = BUF_INIT(TEXT_MAX);
    struct super_run r = {.layout = l,
                          .images = c->images,
                          .screen = u->ready_fd < 0,
                          .progress = on_progress,
                          .ready = on_ready,
                          .ctx = u};
    own_fd int lock = place_take(l, err);

    if (lock < 0)
        return err->code == EAGAIN ? err_set(err, 0, "'%s' is being started or stopped", u->file)
                                   : -1;
    if (super_run(&r, &report, err) == 0)
        return 0;
    if (report.n) {
        own_buf struct buf text = BUF_INIT(TEXT_MAX + ERR_TEXT_MAX + 64);

        buf_printf(&text, "mailbox-run: %s; its last lines:\n%s", err->text, buf_c(&report));
        say(buf_str(&text));
        (void)err_set(err, 0, "'%s' is not up", u->file);
    }
    return -1;
}

/* In the child; the parent goes on reading until the end of file that comes with its exit. */
static no_return void child_main(struct cmd *c, const struct layout *l, struct up *u)
{
    struct err err = {0};
    own_buf struct buf line = BUF_INIT(ERR_TEXT_MAX + 64);

    if (supervise(c, l, u, &err) == 0)
        _exit(0);
    buf_printf(&line, "mailbox-run: %s\n", err.text);
    say(buf_str(&line));
    _exit(1);
}

static int detach(struct cmd *c, const struct layout *l, struct up *u, struct err *err)
{
    int fds[2];
    int status = 0;
    char byte;
    pid_t pid;
    ssize_t n;

    if (fd_pipe(fds, err) < 0)
        return -1;
    pid = fork();
    if (pid == 0) {
        (void)close(fds[0]);
        u->ready_fd = fds[1];
        child_main(c, l, u);
    }
    (void)close(fds[1]);
    own_fd int ready = fds[0];

    if (pid < 0)
        return err_set(err, errno, "fork");
    n = fd_read_full(ready, &byte, 1, err);
    if (n < 0)
        return -1;
    if (n == 1)
        return 0;
    if (TEMP_FAILURE_RETRY(waitpid(pid, &status, 0)) < 0)
        return err_set(err, errno, "wait for the supervisor");
    c->code = child_exit_code(status);
    return 0;
}

/* A second `up` does what has changed in the file. */
static int already_up(struct cmd *c, struct err *err)
{
    own_buf struct buf answer = BUF_INIT(TEXT_MAX);
    own_buf struct buf text = BUF_INIT(TEXT_MAX + 4096);

    if (cmd_ask(c, c->args[0], "reload", CONTROL_ORDER_S, &answer, err) < 0)
        return -1;
    buf_printf(&text, "'%s' is up already; %s\n%s", c->args[0],
               answer.n ? "changed:" : "nothing has changed", answer.n ? buf_c(&answer) : "");
    return cmd_print(&text, err);
}

static int check(struct cmd *c, struct err *err)
{
    own_buf struct buf report = BUF_INIT(TEXT_MAX);
    struct gen *g = gen_load(c->args[0], &report);

    if (!g)
        return cmd_wrong(c, &report, err);
    gen_free(g);
    return 0;
}

/* Executed again from a sealed copy, the program would not find what lies beside it. */
static char *const *argv_with_images(struct cmd *c)
{
    size_t n = 0;

    while (c->argv[n])
        n++;
    char **argv = arena_array(c->arena, n + 3, sizeof(*argv));

    argv[0] = c->argv[0];
    argv[1] = arena_copy(c->arena, STR("--images"));
    argv[2] = arena_copy(c->arena, str_of(c->images));
    memcpy(argv + 3, c->argv + 1, n * sizeof(*argv)); /* with the NULL */
    return argv;
}

static int run(struct cmd *c, struct err *err)
{
    const struct up_opts *o = c->opts;
    struct up u = {.program = c->argv[0], .file = c->args[0], .ready_fd = -1};
    struct layout l;

    if (check(c, err) < 0 || c->code)
        return c->code ? 0 : -1;
    if (layout_find(c->arena, c->args[0], &l, err) < 0)
        return -1;
    if (container_protect_self(argv_with_images(c), err) < 0)
        return -1;
    if (place_is_locked(&l)) {
        if (already_up(c, err) == 0)
            return 0;
        if (!err->code || !cmd_lets_go(&l))
            return -1;
        err_reset(err);
    }
    return o->detach.on ? detach(c, &l, &u, err) : supervise(c, &l, &u, err);
}

const struct verb cmd_up = {
    .name = "up",
    .usage = "[-d] FILE",
    .help = "start a mail stack and keep it up",
    .more =
        "In the foreground it shows the logs, and Ctrl-C takes everything down. If the stack is\n"
        "up already, what has changed in the file is carried out, as reload does.",
    .opts = OPT_TABLE(rows, OPT_ANYWHERE),
    .opts_size = sizeof(struct up_opts),
    .args_min = 1,
    .args_max = 1,
    .run = run,
};
