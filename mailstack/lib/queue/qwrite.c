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
    return file_sync(w->fd, "a new message", err);
}

int qwrite_commit(struct qwrite *w, const struct qdir *q, struct qmsg *m, struct err *err)
{
    if (finish_file(w, m, err) < 0) {
        qwrite_drop(w, q, m);
        return -1;
    }
    if (renameat(q->tmp_fd, m->id, q->msg_fd, m->id) < 0) {
        (void)err_set(err, errno, "rename '%s' in the spool", m->id);
        qwrite_drop(w, q, m);
        return -1;
    }
    if (file_sync(q->msg_fd, "the spool", err) < 0) {
        /* Nothing was promised, and the client will come again: it must not be there twice. */
        (void)unlinkat(q->msg_fd, m->id, 0);
        qwrite_drop(w, q, m);
        return -1;
    }
    own_close_fd(&w->fd);
    w->fd = -1;
    buf_done(&w->pending);
    return 0;
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

/* A line feed first if the last record was torn: ours must not become a part of it. */
static int heal(int fd, uint64_t end, struct buf *out, struct err *err)
{
    struct stat st;
    char last;

    if (fstat(fd, &st) < 0)
        return err_set(err, errno, "look at the file");
    if ((uint64_t)st.st_size <= end)
        return 0;
    if (pread(fd, &last, 1, st.st_size - 1) != 1)
        return err_set(err, errno, "read the last record");
    if (last != '\n')
        buf_append_char(out, '\n');
    return 0;
}

int qwrite_records(const struct qdir *q, const struct qmsg *m, const size_t *rcpts, size_t rcpts_n,
                   enum qwrite_how how, struct err *err)
{
    own_fd int fd = openat(q->msg_fd, m->id, O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
    own_buf struct buf out = BUF_INIT((size_t)RECORD_MAX * QFILE_RCPTS_MAX + 1);

    if (fd < 0)
        return err_set(err, errno, "open '%s' in the spool", m->id);
    if (heal(fd, m->head_n + m->size, &out, err) < 0)
        return -1;
    format_records(&out, m, rcpts, rcpts_n);
    if (buf_check(&out, "records", err) < 0 || fd_write_all(fd, buf_str(&out), err) < 0)
        return err_wrap(err, "'%s'", m->id);
    if (how == QWRITE_FLUSH && fdatasync(fd) < 0)
        return err_set(err, errno, "flush '%s'", m->id);
    return 0;
}
