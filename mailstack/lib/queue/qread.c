/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/queue/qread.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"

#include "mailstack/lib/queue/qdir.h"
#include "mailstack/lib/queue/qfile.h"

/* Exactly these bytes, or EBADMSG. */
static int read_at(int fd, uint64_t at, uint64_t n, struct buf *out, struct err *err)
{
    while (n) {
        char bytes[16384];
        ssize_t got = pread(fd, bytes, n < sizeof(bytes) ? (size_t)n : sizeof(bytes), (off_t)at);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_set(err, errno, "read");
        if (got == 0)
            return err_set(err, EBADMSG, "the file ends early");
        buf_append_n(out, bytes, (size_t)got);
        at += (uint64_t)got;
        n -= (uint64_t)got;
    }
    return buf_check(out, "content", err);
}

static int open_file(const struct qdir *q, const char *id, struct err *err)
{
    int fd = openat(q->msg_fd, id, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    return fd < 0 ? err_set(err, errno, "open '%s' in the spool", id) : fd;
}

static int read_envelope(int fd, struct qmsg *m, struct err *err)
{
    own_buf struct buf b = BUF_INIT(QFILE_ENVELOPE_MAX);

    if (read_at(fd, 0, QFILE_FIRST_N, &b, err) < 0 || qfile_parse_first(buf_str(&b), m, err) < 0)
        return -1;
    buf_reset(&b);
    if (read_at(fd, QFILE_FIRST_N, m->head_n - QFILE_FIRST_N, &b, err) < 0)
        return -1;
    return qfile_parse_envelope(buf_str(&b), m, err);
}

static int read_records(int fd, struct qmsg *m, size_t *bad, struct err *err)
{
    own_buf struct buf b = BUF_INIT(QFILE_RECORDS_MAX);
    uint64_t end = m->head_n + m->size;
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_set(err, errno, "look at the file");
    if ((uint64_t)st.st_size < end)
        return err_set(err, EBADMSG, "the file ends early");
    uint64_t n = (uint64_t)st.st_size - end;

    if (n > QFILE_RECORDS_MAX) { /* the newest count */
        end += n - QFILE_RECORDS_MAX;
        n = QFILE_RECORDS_MAX;
    }
    if (read_at(fd, end, n, &b, err) < 0)
        return -1;
    *bad = qfile_apply_records(buf_str(&b), m);
    return 0;
}

int qread_load(const struct qdir *q, const char *id, struct qmsg *m, size_t *bad, struct err *err)
{
    own_fd int fd = open_file(q, id, err);

    qmsg_init(m);
    (void)snprintf(m->id, sizeof(m->id), "%s", id);
    if (fd >= 0 && read_envelope(fd, m, err) == 0 && read_records(fd, m, bad, err) == 0)
        return 0;
    qmsg_done(m);
    return fd < 0 ? -1 : err_wrap(err, "message '%s'", id);
}

int qread_open(const struct qdir *q, const struct qmsg *m, struct err *err)
{
    return open_file(q, m->id, err);
}

int qread_content(const struct qdir *q, const struct qmsg *m, size_t max, struct buf *out,
                  struct err *err)
{
    own_fd int fd = open_file(q, m->id, err);

    if (fd < 0)
        return -1;
    return read_at(fd, m->head_n, m->size < max ? m->size : max, out, err);
}
