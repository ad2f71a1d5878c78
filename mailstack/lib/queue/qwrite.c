/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/queue/qwrite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"

#include "mailstack/lib/queue/qdir.h"
#include "mailstack/lib/queue/qfile.h"

#define RECORD_MAX (4 * QFILE_VALUE_MAX)

static int flush(struct qwrite *w, struct err *err)
{
    if (fd_write_all(w->fd, buf_str(&w->pending), err) < 0)
        return -1;
    buf_reset(&w->pending);
    return 0;
}

int qwrite_begin(struct qwrite *w, const struct qdir *q, struct qmsg *m, struct err *err)
{
    *w = (struct qwrite){.fd = -1, .pending = BUF_INIT(QFILE_ENVELOPE_MAX + QWRITE_CHUNK)};
    qfile_format_head(&w->pending, m);
    if (buf_check(&w->pending, "envelope", err) < 0)
        return -1;
    if (m->head_n > QFILE_ENVELOPE_MAX)
        return err_set(err, EMSGSIZE, "an envelope of more than %u bytes", QFILE_ENVELOPE_MAX);
    w->fd = openat(q->tmp_fd, m->id, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return w->fd < 0 ? err_set(err, errno, "make '%s' in the spool", m->id) : 0;
}

int qwrite_content(struct qwrite *w, struct str bytes, struct err *err)
{
    if (bytes.n > QFILE_SIZE_MAX - w->size)
        return err_set(err, EMSGSIZE, "a message too large");
    w->size += bytes.n;
    while (bytes.n) {
        struct str part = str_head(bytes, QWRITE_CHUNK);

        buf_append(&w->pending, part);
        bytes = str_skip(bytes, part.n);
        if (w->pending.n >= QWRITE_CHUNK && flush(w, err) < 0)
            return -1;
    }
    return 0;
}

/* Gets the bytes on their way to the disk without waiting for them: what is then flushed one after
 * the other goes there together. A hint; the flush itself tells of failures. */
static void hurry(int fd)
{
    (void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

/* The size stands in the first line, which was written when it was not known. */
static int finish_file(struct qwrite *w, struct qmsg *m, struct err *err)
{
    char first[QFILE_FIRST_N + 1];

    m->size = w->size;
    qfile_format_first(m, first);
    if (flush(w, err) < 0)
        return -1;
    if (pwrite(w->fd, first, QFILE_FIRST_N, 0) != QFILE_FIRST_N)
        return err_set(err, errno, "write the size");
    return 0;
}

static bool is_well(const struct qwrite_one *o)
{
    return o->failed.text[0] == '\0';
}

/* Safe, and then named. */
static void name_one(const struct qdir *q, struct qwrite_one *o)
{
    if (file_sync(o->w->fd, "a new message", &o->failed) < 0)
        return;
    if (renameat(q->tmp_fd, o->m->id, q->msg_fd, o->m->id) < 0)
        (void)err_set(&o->failed, errno, "rename '%s' in the spool", o->m->id);
}

/* Nothing was promised, and the client will come again: it must not be there twice. */
static void unname_all(const struct qdir *q, struct qwrite_one *all, size_t n,
                       const struct err *why)
{
    for (size_t i = 0; i < n; i++) {
        if (!is_well(&all[i]))
            continue;
        (void)unlinkat(q->msg_fd, all[i].m->id, 0);
        all[i].failed = *why;
    }
}

static void close_one(const struct qdir *q, struct qwrite_one *o)
{
    if (!is_well(o)) {
        qwrite_drop(o->w, q, o->m);
        return;
    }
    own_close_fd(&o->w->fd);
    o->w->fd = -1;
    buf_done(&o->w->pending);
}

void qwrite_commit_all(const struct qdir *q, struct qwrite_one *all, size_t n)
{
    struct err err = {0};

    for (size_t i = 0; i < n; i++) {
        err_reset(&all[i].failed);
        if (finish_file(all[i].w, all[i].m, &all[i].failed) == 0 && n > 1)
            hurry(all[i].w->fd);
    }
    for (size_t i = 0; i < n; i++) {
        if (is_well(&all[i]))
            name_one(q, &all[i]);
    }
    if (file_sync(q->msg_fd, "the spool", &err) < 0)
        unname_all(q, all, n, &err);
    for (size_t i = 0; i < n; i++)
        close_one(q, &all[i]);
}

int qwrite_commit(struct qwrite *w, const struct qdir *q, struct qmsg *m, struct err *err)
{
    struct qwrite_one one = {.w = w, .m = m};

    qwrite_commit_all(q, &one, 1);
    if (is_well(&one))
        return 0;
    *err = one.failed;
    return -1;
}

void qwrite_drop(struct qwrite *w, const struct qdir *q, const struct qmsg *m)
{
    if (w->fd >= 0)
        (void)unlinkat(q->tmp_fd, m->id, 0); /* or the next start sweeps it */
    own_close_fd(&w->fd);
    w->fd = -1;
    buf_done(&w->pending);
}

static void format_records(struct buf *out, const struct qmsg *m, const size_t *rcpts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        qfile_format_record(out, m, rcpts[i]);
}

/* How many bytes of records there are. A line feed goes to `out` if the last of them was torn: ours
 * must not become a part of it. */
static int look(int fd, uint64_t end, uint64_t *records_n, struct buf *out, struct err *err)
{
    struct stat st;
    char last;

    if (fstat(fd, &st) < 0)
        return err_set(err, errno, "look at the file");
    *records_n = (uint64_t)st.st_size > end ? (uint64_t)st.st_size - end : 0;
    if (*records_n == 0)
        return 0;
    if (pread(fd, &last, 1, st.st_size - 1) != 1)
        return err_set(err, errno, "read the last record");
    if (last != '\n')
        buf_append_char(out, '\n');
    return 0;
}

int qwrite_records(const struct qdir *q, const struct qmsg *m, const size_t *rcpts, size_t rcpts_n,
                   int *flush_fd, struct err *err)
{
    own_fd int fd = openat(q->msg_fd, m->id, O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
    own_buf struct buf out = BUF_INIT((size_t)RECORD_MAX * QFILE_RCPTS_MAX + 1);
    uint64_t records_n = 0;

    if (fd < 0)
        return err_set(err, errno, "open '%s' in the spool", m->id);
    if (look(fd, m->head_n + m->size, &records_n, &out, err) < 0)
        return -1;
    if (!flush_fd && records_n > QFILE_RETRIES_MAX)
        return 0;
    format_records(&out, m, rcpts, rcpts_n);
    if (buf_check(&out, "records", err) < 0 || fd_write_all(fd, buf_str(&out), err) < 0)
        return err_wrap(err, "'%s'", m->id);
    if (flush_fd)
        *flush_fd = take_fd(&fd);
    return 0;
}

int qwrite_flush_all(int *fds, size_t n, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; i < n && n > 1; i++) {
        if (fds[i] >= 0)
            hurry(fds[i]);
    }
    for (size_t i = 0; i < n; i++) {
        if (fds[i] >= 0 && fdatasync(fds[i]) < 0)
            rc = err_set(err, errno, "flush records");
        own_close_fd(&fds[i]);
        fds[i] = -1;
    }
    return rc;
}
