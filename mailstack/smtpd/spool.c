/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/smtpd/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/fd.h"

void spool_init(struct spool *s, const char *dir)
{
    *s = (struct spool){.dir = dir, .fd = -1};
    buf_init(&s->memory, SPOOL_MEMORY_MAX);
}

static void end_file(struct spool *s)
{
    if (s->map)
        (void)munmap(s->map, s->file_n); /* cannot fail for what mmap gave */
    if (s->fd >= 0)
        (void)close(s->fd); /* its content is wanted no more */
    s->map = NULL;
    s->fd = -1;
    s->file_n = 0;
}

void spool_done(struct spool *s)
{
    end_file(s);
    buf_done(&s->memory);
}

void spool_drop(struct spool *s)
{
    end_file(s);
    buf_reset(&s->memory);
}

/* Some file systems have no nameless files: anonymous memory does as well. */
static int open_file(const char *dir, struct err *err)
{
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT))
        fd = memfd_create("message", MFD_CLOEXEC);
    return fd < 0 ? err_set(err, errno, "make a scratch file in '%s'", dir) : fd;
}

static int spill(struct spool *s, struct err *err)
{
    if (s->fd < 0)
        s->fd = open_file(s->dir, err);
    if (s->fd < 0 || fd_write_all(s->fd, buf_str(&s->memory), err) < 0)
        return -1;
    s->file_n += s->memory.n;
    buf_reset(&s->memory);
    return 0;
}

struct buf *spool_tail(struct spool *s, struct err *err)
{
    if (buf_room(&s->memory) < SPOOL_ROOM && spill(s, err) < 0)
        return NULL;
    return &s->memory;
}

int spool_append(struct spool *s, struct str bytes, struct err *err)
{
    while (bytes.n) {
        struct buf *tail = spool_tail(s, err);

        if (!tail)
            return -1;
        struct str piece = str_head(bytes, buf_room(tail));

        buf_append(tail, piece);
        bytes = str_skip(bytes, piece.n);
    }
    return 0;
}

int spool_view(struct spool *s, struct str *out, struct err *err)
{
    if (s->fd < 0) {
        *out = buf_str(&s->memory);
        return 0;
    }
    if (!s->map) {
        if (spill(s, err) < 0)
            return -1;
        s->map = mmap(NULL, s->file_n, PROT_READ, MAP_PRIVATE, s->fd, 0);
    }
    if (s->map == MAP_FAILED) {
        s->map = NULL;
        return err_set(err, errno, "map a scratch file");
    }
    buf_done(&s->memory);
    *out = (struct str){s->map, s->file_n};
    return 0;
}
