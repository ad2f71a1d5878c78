/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/kernel/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/file.h"
#include "runtime/base/mem.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"
#include "runtime/kernel/sys.h"

#define MAP_TEXT_MAX 16384 /* 340 lines of at most 33 bytes */
#define NUMBER_MAX   12
#define SAID_MAX     256

struct helper {
    const char *name;
    const char *file;
};

static const struct helper uid_helper = {"newuidmap", "/etc/subuid"};
static const struct helper gid_helper = {"newgidmap", "/etc/subgid"};

void idmap_format(struct idmaps m, struct buf *out)
{
    for (size_t i = 0; i < m.n; i++)
        buf_printf(out, "%u %u %u\n", m.v[i].inside, m.v[i].outside, m.v[i].n);
}

bool idmap_is_single(struct idmaps m, uint32_t outside)
{
    return m.n == 1 && m.v[0].n == 1 && m.v[0].outside == outside;
}

bool idmap_is_inside(void)
{
    own_buf struct buf text = BUF_INIT(MAP_TEXT_MAX);
    struct str rest, word;
    struct err ignored; /* without a /proc nobody can tell */
    static const char *const all[] = {"0", "0", "4294967295"};
    size_t n = 0;

    if (file_read(AT_FDCWD, "/proc/self/uid_map", &text, &ignored) < 0)
        return false;
    rest = str_trim(buf_str(&text));
    while (str_next(&rest, ' ', &word))
        if (word.n > 0 && (n == ARRAY_N(all) || !str_eq_c(word, all[n++])))
            return true;
    return n != ARRAY_N(all);
}

/* "         0       1000          1": three numbers. */
static bool parse_line(struct str line, struct idmap *out)
{
    uint32_t *const into[] = {&out->inside, &out->outside, &out->n};
    struct str word;
    struct err ignored;
    size_t n = 0;

    while (str_next(&line, ' ', &word))
        if (word.n > 0 &&
            (n == ARRAY_N(into) || num_parse_u32(word, 0, UINT32_MAX, into[n++], &ignored) < 0))
            return false;
    return n == ARRAY_N(into);
}

uint32_t idmap_outside(uint32_t inside)
{
    own_buf struct buf text = BUF_INIT(MAP_TEXT_MAX);
    struct str rest, line;
    struct err ignored;
    struct idmap m;

    if (file_read(AT_FDCWD, "/proc/self/uid_map", &text, &ignored) < 0)
        return inside;
    rest = buf_str(&text);
    while (str_next(&rest, '\n', &line))
        if (parse_line(line, &m) && inside >= m.inside && inside - m.inside < m.n)
            return m.outside + (inside - m.inside);
    return UINT32_MAX;
}

bool idmap_denies_groups(pid_t pid)
{
    char path[64] = "/proc/self/setgroups";
    own_buf struct buf text = BUF_INIT(64);
    struct err ignored;

    if (pid != 0)
        (void)snprintf(path, sizeof path, "/proc/%d/setgroups", pid);
    return file_read(AT_FDCWD, path, &text, &ignored) == 0 &&
           str_starts(buf_str(&text), STR("deny"));
}

static int write_proc(pid_t pid, const char *file, struct str text, struct err *err)
{
    char path[64];
    int n = snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
    own_fd int fd = -1;

    if (n < 0 || (size_t)n >= sizeof path)
        return err_set(err, ENAMETOOLONG, "open '%s'", file);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, errno, "open '%s'", path);
    if (write(fd, text.p, text.n) != (ssize_t)text.n)
        return err_set(err, errno, "write '%s'", path);
    return 0;
}

static int write_map(pid_t pid, const char *file, struct idmaps m, struct err *err)
{
    own_buf struct buf text = BUF_INIT(MAP_TEXT_MAX);

    idmap_format(m, &text);
    if (buf_check(&text, file, err) < 0)
        return -1;
    return write_proc(pid, file, buf_str(&text), err);
}

/* The numbers of a helper's command line: storage[i] holds argument i. */
static void helper_args(pid_t pid, struct idmaps m, char (*storage)[NUMBER_MAX], char **argv)
{
    size_t n = 1;

    (void)snprintf(storage[n], NUMBER_MAX, "%d", pid);
    argv[n] = storage[n];
    for (size_t i = 0; i < m.n; i++) {
        const uint32_t v[3] = {m.v[i].inside, m.v[i].outside, m.v[i].n};

        for (size_t k = 0; k < 3; k++) {
            n++;
            (void)snprintf(storage[n], NUMBER_MAX, "%u", v[k]);
            argv[n] = storage[n];
        }
    }
}

/* Its standard error is the pipe, up to its end: it says which range is not the caller's. */
static int spawn(const struct helper *h, char *const *argv, const int pipe_fds[2], pid_t *pid,
                 struct err *err)
{
    char *env[] = {NULL};
    posix_spawn_file_actions_t actions;
    int code = posix_spawn_file_actions_init(&actions);

    if (code != 0)
        return err_set(err, code, "run '%s'", h->name);
    code = posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDERR_FILENO);
    if (code == 0)
        code = posix_spawnp(pid, h->name, &actions, NULL, argv, env);
    (void)posix_spawn_file_actions_destroy(&actions);
    if (code == ENOENT)
        return err_set(err, 0,
                       "'%s', which maps more than one's own id, is not in $PATH: install the "
                       "package uidmap",
                       h->name);
    return code == 0 ? 0
                     : err_set(err, code, "run '%s', which maps more than one's own id", h->name);
}

static int judge_helper(const struct helper *h, pid_t pid, struct str said, struct err *err)
{
    int status = 0;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_set(err, errno, "wait for '%s'", h->name);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    said = str_trim(said);
    return err_set(err, 0, "'%s' refused the map; %s says what is yours%s%.*s", h->name, h->file,
                   said.n > 0 ? ": " : "", STR_ARG(said));
}

/* What it writes beyond the buffer is thrown away, for it must be able to end. */
static size_t hear(int fd, char *text, size_t max)
{
    size_t n = 0;

    for (;;) {
        char more[SAID_MAX];
        ssize_t got = read(fd, more, sizeof more);
        size_t take = got > 0 ? (size_t)got : 0;

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return n;
        if (take > max - n)
            take = max - n;
        memcpy(text + n, more, take);
        n += take;
    }
}

static int run_helper(const struct helper *h, pid_t pid, struct idmaps m, struct err *err)
{
    char word[16], said[SAID_MAX] = "";
    own_free char(*storage)[NUMBER_MAX] = mem_array(m.n * 3 + 2, NUMBER_MAX);
    own_free char **argv = mem_array(m.n * 3 + 3, sizeof *argv);
    own_fd int mine = -1, theirs = -1;
    pid_t helper = 0;
    int ends[2];
    size_t n = 0;

    if (fd_pipe(ends, err) < 0)
        return -1;
    mine = ends[0];
    theirs = ends[1];
    (void)snprintf(word, sizeof word, "%s", h->name);
    argv[0] = word;
    helper_args(pid, m, storage, argv);
    if (spawn(h, argv, ends, &helper, err) < 0)
        return -1;
    (void)close(take_fd(&theirs));
    n = hear(mine, said, sizeof said);
    return judge_helper(h, helper, (struct str){said, n}, err);
}

static int deny_setgroups(pid_t pid, bool *denied, struct err *err)
{
    if (write_proc(pid, "setgroups", STR("deny"), err) < 0)
        return -1;
    *denied = true;
    return 0;
}

int idmap_write(pid_t pid, struct idmaps uids, struct idmaps gids, bool *groups_denied,
                struct err *err)
{
    bool alone_uid = idmap_is_single(uids, geteuid()), alone_gid = idmap_is_single(gids, getegid());

    *groups_denied = false;
    if (geteuid() == 0)
        return write_map(pid, "uid_map", uids, err) < 0 ? -1 : write_map(pid, "gid_map", gids, err);
    if (alone_uid ? write_map(pid, "uid_map", uids, err) < 0
                  : run_helper(&uid_helper, pid, uids, err) < 0)
        return -1;
    if (!alone_gid)
        return run_helper(&gid_helper, pid, gids, err);
    if (deny_setgroups(pid, groups_denied, err) < 0)
        return -1;
    return write_map(pid, "gid_map", gids, err);
}

/* --- a namespace without a process ------------------------------------------------------------ */

static int open_userns(pid_t pid, struct idmaps uids, struct idmaps gids, struct err *err)
{
    char path[64];
    int fd = -1;

    if (write_map(pid, "uid_map", uids, err) < 0 || write_map(pid, "gid_map", gids, err) < 0)
        return -1;
    (void)snprintf(path, sizeof path, "/proc/%d/ns/user", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 ? fd : err_set(err, errno, "open '%s'", path);
}

static no_return void wait_for_the_end(void)
{
    (void)prctl(PR_SET_PDEATHSIG, (unsigned long)SIGKILL, 0UL, 0UL, 0UL);
    for (;;)
        (void)pause();
}

/* A namespace begins with a process in it; this one does nothing until it is ended. It is on the
 * host, and user 0 has all capabilities over it: nobody may look into it, from its first moment. */
int idmap_userns(struct idmaps uids, struct idmaps gids, struct err *err)
{
    struct clone_args args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
    int before = prctl(PR_GET_DUMPABLE), fd = -1;
    pid_t pid = -1;

    if (prctl(PR_SET_DUMPABLE, 0UL, 0UL, 0UL, 0UL) < 0)
        return err_set(err, errno, "become undumpable");
    pid = sys_clone3(&args);
    if (pid == 0)
        wait_for_the_end();
    if (before == 1)
        (void)prctl(PR_SET_DUMPABLE, 1UL, 0UL, 0UL, 0UL);
    if (pid < 0)
        return err_set(err, errno, "make a user namespace");
    fd = open_userns(pid, uids, gids, err);
    (void)kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    return fd;
}
