/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ps: the table is that of the ps(1) of the host, of which the lines with the container's processes
 * are kept.
 */
#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/child.h"
#include "runtime/base/fd.h"
#include "runtime/base/jw.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"
#include "runtime/cli/cmd.h"

struct ps_opts {
    const char *format;
};

static const char *const formats[] = {"table", "json", NULL};

static const struct opt rows[] = {
    OPT_CHOICE(ps_opts, format, "format", 'f', "FORMAT", formats, "table (default) or json"),
};

#define PS_TEXT_MAX (16U << 20)

struct pids {
    pid_t *v;
    size_t n;
};

static int print_json(const struct pids *pids, struct err *err)
{
    own_buf struct buf out = BUF_INIT(PS_TEXT_MAX);
    struct jw w = jw_start(&out, JW_ONE_LINE);

    jw_array(&w, NULL);
    for (size_t i = 0; i < pids->n; i++)
        jw_int(&w, NULL, pids->v[i]);
    jw_end(&w);
    buf_append_char(&out, '\n');
    return cmd_print(&out, err);
}

/* In the child: both outputs into the pipe. Does not return. */
static no_return void exec_ps(int out, const char *const *argv)
{
    char *const *args;

    memcpy(&args, &argv, sizeof args); /* execvp promises not to write there */
    if (dup2(out, STDOUT_FILENO) >= 0 && dup2(out, STDERR_FILENO) >= 0)
        (void)execvp("ps", args); /* returns only if it failed */
    _exit(127);
}

static int read_all(int fd, struct buf *out, struct err *err)
{
    for (;;) {
        char chunk[16384];
        ssize_t n = fd_read_full(fd, chunk, sizeof chunk, err);

        if (n <= 0)
            return (int)n;
        buf_append_n(out, chunk, (size_t)n);
    }
}

static int wait_for_ps(pid_t pid, const struct buf *out, struct err *err)
{
    char how[CHILD_TEXT_MAX];
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_set(err, errno, "wait for ps");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    child_describe(status, how);
    return err_set(err, 0, "ps %s: %.256s", how, buf_c(out));
}

static int run_ps(const char *const *argv, struct buf *out, struct err *err)
{
    int ends[2];
    pid_t pid;
    int rc;

    if (fd_pipe(ends, err) < 0)
        return -1;
    pid = fork();
    if (pid == 0)
        exec_ps(ends[1], argv);
    own_close_fd(&ends[1]);
    if (pid < 0) {
        own_close_fd(&ends[0]);
        return err_set(err, errno, "fork");
    }
    rc = read_all(ends[0], out, err);
    own_close_fd(&ends[0]);
    if (wait_for_ps(pid, out, err) < 0)
        return -1;
    return rc < 0 ? -1 : buf_check(out, "the output of ps", err);
}

/* The i-th word of a line. */
static bool word_at(struct str line, size_t i, struct str *word)
{
    do {
        line = str_trim(line);
        if (line.n == 0)
            return false;
        *word = line;
        if (!str_cut(line, ' ', word, &line))
            line = STR_NONE;
    } while (i-- > 0);
    return true;
}

static int pid_column(struct str title, size_t *column, struct err *err)
{
    struct str word;

    for (size_t i = 0; word_at(title, i, &word); i++)
        if (str_eq_c(word, "PID")) {
            *column = i;
            return 0;
        }
    return err_set(err, 0, "the output of ps has no column PID");
}

static bool is_ours(const struct pids *pids, struct str word)
{
    struct err ignored; /* no number, not ours */
    uint32_t pid;

    if (num_parse_u32(word, 1, INT32_MAX, &pid, &ignored) < 0)
        return false;
    for (size_t i = 0; i < pids->n; i++)
        if (pids->v[i] == (pid_t)pid)
            return true;
    return false;
}

static int print_table(struct cmd *c, const struct pids *pids, struct err *err)
{
    static const char *const plain[] = {"ps", "-ef", NULL};
    own_buf struct buf all = BUF_INIT(PS_TEXT_MAX), out = BUF_INIT(PS_TEXT_MAX);
    const char **argv = c->args; /* args[0], the id, makes room for the name */
    struct str rest, line, word;
    size_t column = 0;

    argv[0] = "ps";
    if (run_ps(c->args_n > 1 ? argv : plain, &all, err) < 0)
        return -1;
    rest = buf_str(&all);
    if (!str_next(&rest, '\n', &line) || pid_column(line, &column, err) < 0)
        return -1;
    buf_printf(&out, "%.*s\n", STR_ARG(line));
    while (str_next(&rest, '\n', &line))
        if (word_at(line, column, &word) && is_ours(pids, word))
            buf_printf(&out, "%.*s\n", STR_ARG(line));
    return cmd_print(&out, err);
}

static int run(struct cmd *c, struct err *err)
{
    const struct ps_opts *o = c->opts;
    struct pids pids;

    if (container_pids(&c->env, c->args[0], c->arena, &pids.v, &pids.n, err) < 0)
        return -1;
    if (o->format != NULL && strcmp(o->format, "json") == 0)
        return print_json(&pids, err);
    return print_table(c, &pids, err);
}

const struct verb cmd_ps = {
    .name = "ps",
    .usage = "[OPTIONS] CONTAINER-ID [PS-OPTION...]",
    .help = "list the processes of a container",
    .more = "PS-OPTIONs are those of ps(1); without any, -ef.",
    .opts = OPT_TABLE(rows, OPT_BEFORE_ARGS),
    .opts_size = sizeof(struct ps_opts),
    .args_min = 1,
    .args_max = CMD_ARGS_ANY,
    .doing = "list processes of container",
    .run = run,
};
