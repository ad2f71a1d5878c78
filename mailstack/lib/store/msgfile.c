/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/store/msgfile.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"

#include "mailstack/lib/store/crlf.h"

/* From its start, wherever the descriptor stands. */
static int read_whole(struct msgfile *f, int fd, size_t n, struct err *err)
{
    own_free char *heap = mem_new(n + 1);
    size_t got = 0;

    while (got < n) {
        ssize_t now = pread(fd, heap + got, n - got, (off_t)got);

        if (now < 0 && errno == EINTR)
            continue;
        if (now < 0)
            return err_set(err, errno, "read message");
        if (now == 0)
            break;
        got += (size_t)now;
    }
    f->raw = (struct str){heap, got};
    f->heap = take_ptr(&heap);
    return 0;
}

static int map_whole(struct msgfile *f, int fd, size_t n, struct err *err)
{
    void *map = mmap(NULL, n, PROT_READ, MAP_PRIVATE, fd, 0);

    if (map == MAP_FAILED)
        return err_set(err, errno, "map message");
    (void)madvise(map, n, MADV_SEQUENTIAL); /* a hint */
    f->map = map;
    f->raw = (struct str){map, n};
    return 0;
}

int msgfile_open(struct msgfile *f, int fd, struct err *err)
{
    struct stat st;

    *f = (struct msgfile){0};
    if (fstat(fd, &st) < 0)
        return err_set(err, errno, "look at message");
    if (!S_ISREG(st.st_mode) || st.st_size < 0 || (uint64_t)st.st_size > MSGFILE_MAX)
        return err_set(err, EFBIG, "message of %lld bytes", (long long)st.st_size);
    if (st.st_size <= MSGFILE_READ_MAX)
        return read_whole(f, fd, (size_t)st.st_size, err);
    return map_whole(f, fd, (size_t)st.st_size, err);
}

void msgfile_close(struct msgfile *f)
{
    free(f->heap);
    if (f->map != NULL)
        (void)munmap(f->map, f->raw.n); /* cannot fail on what mmap returned */
    *f = (struct msgfile){0};
}

int msgfile_vsize(int fd, uint64_t *out, struct err *err)
{
    struct msgfile f;

    if (msgfile_open(&f, fd, err) < 0)
        return -1;
    *out = crlf_size(f.raw, '\0');
    msgfile_close(&f);
    return 0;
}
