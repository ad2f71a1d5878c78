/* SPDX-License-Identifier: Apache-2.0 */
#include "images/lib/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/own.h"

/* The kernel answers EAGAIN where a rename happened meanwhile; nobody renames here for long. */
#define AGAIN_MAX 128

int beneath_clean(struct str name, struct buf *out, struct err *err)
{
    struct str rest = name;
    struct str part;
    size_t n = 0;
    size_t start = out->n;

    while (str_next(&rest, '/', &part)) {
        if (part.n == 0 || str_eq_c(part, "."))
            continue;
        if (str_eq_c(part, ".."))
            return err_set(err, EBADMSG, "'%.*s' has '..' in it", STR_ARG(str_head(name, 200)));
        if (part.n > NAME_MAX || ++n > BENEATH_DEPTH_MAX)
            return err_set(err, ENAMETOOLONG, "'%.*s...'", STR_ARG(str_head(name, 80)));
        if (out->n > start)
            buf_append_char(out, '/');
        buf_append(out, part);
    }
    if (out->n == start)
        buf_append_char(out, '.');
    return buf_check(out, "a path", err);
}

static int open_in(int root_fd, const char *path, int flags)
{
    struct open_how how = {
        .flags = (unsigned)(flags | O_CLOEXEC),
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    };
    long fd;
    unsigned tries = 0;

    do
        fd = syscall(SYS_openat2, root_fd, path, &how, sizeof how);
    while (fd < 0 && (errno == EINTR || errno == EAGAIN) && ++tries < AGAIN_MAX);
    return (int)fd;
}

int beneath_open(int root_fd, const char *path, int flags, struct err *err)
{
    int fd = open_in(root_fd, path, flags);

    return fd < 0 ? err_set(err, errno, "open '%s'", path) : fd;
}

int beneath_parent(int root_fd, const char *path, const char **base, struct err *err)
{
    const char *slash = strrchr(path, '/');
    own_buf struct buf up = BUF_INIT(PATH_MAX);

    *base = slash ? slash + 1 : path;
    if (slash)
        buf_append_n(&up, path, (size_t)(slash - path));
    else
        buf_append_char(&up, '.');
    return beneath_open(root_fd, buf_c(&up), O_PATH | O_DIRECTORY, err);
}
