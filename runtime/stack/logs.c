/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/stack/logs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/file.h"
#include "runtime/base/mem.h"

#define STAMP_MAX      32
#define NAME_MAX_N     64
#define READS_PER_TURN 16

static int open_file(struct logs *l, struct err *err)
{
    struct stat st;

    l->fd = openat(l->dir_fd, LOGS_NAME, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    if (l->fd < 0 || fstat(l->fd, &st) < 0)
        return err_set(err, errno, "open '%s'", LOGS_NAME);
    l->size = (uint64_t)st.st_size;
    return 0;
}

int logs_open(struct logs *l, const char *dir, uint64_t size_max, unsigned keep, struct err *err)
{
    *l = (struct logs){.dir_fd = -1, .fd = -1, .screen_fd = -1, .size_max = size_max, .keep = keep};
    if (file_mkdir_p(AT_FDCWD, dir, 0750, err) < 0)
        return -1;
    l->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (l->dir_fd < 0)
        return err_set(err, errno, "open '%s'", dir);
    return open_file(l, err);
}

void logs_close(struct logs *l)
{
    if (l->fd >= 0)
        (void)close(l->fd);
    if (l->dir_fd >= 0)
        (void)close(l->dir_fd);
    l->fd = -1;
    l->dir_fd = -1;
}

/* mailstack.log -> .1 -> .2 ...; the oldest falls off the end. */
static void rotate(struct logs *l)
{
    char from[NAME_MAX_N];
    char to[NAME_MAX_N];
    struct err ignored = {0};

    for (unsigned i = l->keep; i > 0; i--) {
        (void)snprintf(to, sizeof(to), "%s.%u", LOGS_NAME, i);
        (void)snprintf(from, sizeof(from), "%s.%u", LOGS_NAME, i - 1);
        /* A gap in the row is no harm. */
        (void)renameat(l->dir_fd, i == 1 ? LOGS_NAME : from, l->dir_fd, to);
    }
    (void)close(l->fd);
    if (open_file(l, &ignored) < 0)
        l->fd = -1; /* the terminal still has it; the next line tries again */
}

static void stamp(char out[STAMP_MAX])
{
    int64_t us = clock_wall_us();
    time_t s = (time_t)(us / 1000000);
    struct tm tm;
    size_t n;

    (void)gmtime_r(&s, &tm);
    n = strftime(out, STAMP_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(out + n, STAMP_MAX - n, ".%03dZ", (int)(us / 1000 % 1000));
}

static void append_clean(struct buf *b, struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        buf_append_char(
            b, ((unsigned char)s.p[i] < ' ' && s.p[i] != '\t') || s.p[i] == 0x7f ? '?' : s.p[i]);
}

static const char *colour_of(const char *label)
{
    static const char *const colours[] = {"32", "33", "34", "35", "36", "92", "93", "94", "96"};
    unsigned h = 0;

    while (*label)
        h = h * 31 + (unsigned char)*label++;
    return colours[h % ARRAY_N(colours)];
}

/* A terminal that was stopped, or a pipe nobody reads, must not stop the supervisor. What does not
 * fit is left out, and told of later; the file has it all. */
static void show_bytes(struct logs *l, const char *out, size_t n)
{
    struct pollfd p = {.fd = l->screen_fd, .events = POLLOUT};

    if (poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT)) {
        l->unshown++;
        return;
    }
    if (l->unshown) {
        char note[64];
        int note_n = snprintf(note, sizeof(note), "... %u lines not shown\n", l->unshown);

        l->unshown = 0;
        (void)!write(l->screen_fd, note, (size_t)note_n); /* as below */
    }
    /* A terminal that went away is no reason to stop; PIPE_BUF bytes never wait. */
    (void)!write(l->screen_fd, out, n < PIPE_BUF ? n : PIPE_BUF);
}

static void show(struct logs *l, const char *at, const char *label, struct str text)
{
    char out[LOGS_LINE_MAX + 128];
    int n;

    if (l->colour)
        n = snprintf(out, sizeof(out), "\033[2m%.12s\033[0m \033[%sm%-8s\033[0m %.*s\n", at + 11,
                     colour_of(label), label, STR_ARG(text));
    else
        n = snprintf(out, sizeof(out), "%s %-8s %.*s\n", at, label, STR_ARG(text));
    if (n > 0)
        show_bytes(l, out, (size_t)n < sizeof(out) ? (size_t)n : sizeof(out) - 1);
}

void logs_line(struct logs *l, const char *label, struct str line)
{
    char at[STAMP_MAX];
    struct buf text = BUF_INIT(LOGS_LINE_MAX + 128);
    struct err ignored = {0};
    size_t head;

    stamp(at);
    buf_printf(&text, "%s %s ", at, label);
    head = text.n;
    append_clean(&text, str_head(line, LOGS_LINE_MAX));
    if (l->screen_fd >= 0)
        show(l, at, label, str_skip(buf_str(&text), head));
    buf_append_char(&text, '\n');
    if (l->fd < 0 && l->dir_fd >= 0 && open_file(l, &ignored) < 0)
        l->fd = -1;
    if (l->fd >= 0 && fd_write_all(l->fd, buf_str(&text), &ignored) == 0)
        l->size += text.n;
    buf_done(&text);
    if (l->fd >= 0 && l->size > l->size_max)
        rotate(l);
}

void logs_event(struct logs *l, enum log_level level, const char *event,
                const struct log_field *fields)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    struct buf b = BUF_INIT(LOGS_LINE_MAX);

    if (level == LOG_LEVEL_DEBUG && !log_enabled(LOG_LEVEL_DEBUG))
        return;
    buf_printf(&b, "%s %s", names[level], event);
    for (; fields->key; fields++)
        log_format_field(&b, fields);
    logs_line(l, "stack", buf_str(&b));
    buf_done(&b);
}

/* --- pipes --------------------------------------------------------------------------------------
 */

static void keep_tail(struct logs_pipe *p, struct str line)
{
    char **slot = &p->tail[p->tail_at++ % LOGS_TAIL];
    struct buf b = BUF_INIT(LOGS_LINE_MAX + 1);

    append_clean(&b, line);
    free(*slot);
    *slot = buf_take(&b);
}

static void emit(struct logs_pipe *p)
{
    struct str line = {p->line, p->n};

    if (!p->cut && line.n) {
        logs_line(p->logs, p->label, line);
        keep_tail(p, line);
    }
    p->n = 0;
}

static void take_bytes(struct logs_pipe *p, struct str in)
{
    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] == '\n') {
            emit(p);
            p->cut = false;
        } else if (p->n < sizeof(p->line)) {
            p->line[p->n++] = in.p[i];
        } else {
            emit(p);
            p->cut = true;
        }
    }
}

static bool read_some(struct logs_pipe *p)
{
    char bytes[8192];
    ssize_t n = read(p->read_fd, bytes, sizeof(bytes));

    if (n <= 0)
        return false;
    take_bytes(p, (struct str){bytes, (size_t)n});
    return true;
}

static void on_output(struct loop_io *io, unsigned events)
{
    (void)events;
    (void)read_some(container_of(io, struct logs_pipe, io)); /* more of it: next turn */
}

int logs_pipe_open(struct logs_pipe *p, struct loop *loop, struct logs *l, const char *label,
                   struct err *err)
{
    int fds[2];

    memset(p, 0, sizeof(*p));
    p->logs = l;
    p->label = label;
    p->read_fd = -1;
    p->write_fd = -1;
    if (fd_pipe(fds, err) < 0)
        return -1;
    p->read_fd = fds[0];
    p->write_fd = fds[1];
    p->io.fn = on_output;
    if (fd_set_nonblock(p->read_fd, true, err) < 0)
        return -1;
    return loop_io_add(loop, &p->io, p->read_fd, LOOP_READ, err);
}

void logs_pipe_drain(struct logs_pipe *p)
{
    for (int i = 0; i < READS_PER_TURN && read_some(p); i++)
        continue;
    if (p->n)
        emit(p);
}

void logs_pipe_close(struct logs_pipe *p)
{
    loop_io_del(&p->io);
    if (p->read_fd >= 0)
        (void)close(p->read_fd);
    if (p->write_fd >= 0)
        (void)close(p->write_fd);
    p->read_fd = -1;
    p->write_fd = -1;
    for (int i = 0; i < LOGS_TAIL; i++) {
        free(p->tail[i]);
        p->tail[i] = NULL;
    }
}

void logs_pipe_tail(const struct logs_pipe *p, struct buf *out)
{
    for (unsigned i = 0; i < LOGS_TAIL; i++) {
        const char *line = p->tail[(p->tail_at + i) % LOGS_TAIL];

        if (line)
            buf_printf(out, "  %s\n", line);
    }
}
