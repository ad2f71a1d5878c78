/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/kernel/cgroup_hier.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"

#define WAIT_STEP_MAX_MS 64

bool cgroup_hier_has(const struct cgroup_hier *h, struct str controller)
{
    struct str list = str_of(h->controllers), part = STR_NONE;

    while (str_next(&list, ',', &part))
        if (str_eq(part, controller))
            return true;
    return h->v2;
}

int cgroup_hier_path(const struct cgroup_hier *h, const char *file, char out[PATH_MAX],
                     struct err *err)
{
    int n =
        snprintf(out, PATH_MAX, "%s%s%s%s", h->mount, h->path, file[0] == '\0' ? "" : "/", file);

    if (n < 0 || n >= PATH_MAX)
        return err_set(err, ENAMETOOLONG, "cgroup '%.64s...'", h->path);
    return 0;
}

bool cgroup_is_there(const struct cgroup_hier *h)
{
    char path[PATH_MAX];
    struct stat st;
    struct err ignored;

    return cgroup_hier_path(h, "", path, &ignored) == 0 && stat(path, &st) == 0 &&
           S_ISDIR(st.st_mode);
}

int cgroup_open(const struct cgroup_hier *h, const char *file, struct err *err)
{
    char path[PATH_MAX];
    int fd = -1;

    if (cgroup_hier_path(h, file, path, err) < 0)
        return -1;
    fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 ? fd : err_set(err, errno, "open '%s'", path);
}

int cgroup_write(const struct cgroup_hier *h, const char *file, const char *value, struct err *err)
{
    size_t n = strlen(value);
    own_fd int fd = cgroup_open(h, file, err);

    if (fd < 0)
        return -1;
    if (write(fd, value, n) != (ssize_t)n)
        return err_set(err, errno, "write '%s' to '%s' of cgroup '%s'", value, file, h->path);
    return 0;
}

int cgroup_read(const struct cgroup_hier *h, const char *file, struct buf *out, struct err *err)
{
    char path[PATH_MAX];

    if (cgroup_hier_path(h, file, path, err) < 0 || file_read(AT_FDCWD, path, out, err) < 0)
        return -1;
    while (out->n > 0 && out->p[out->n - 1] == '\n')
        buf_truncate(out, out->n - 1);
    return 0;
}

bool cgroup_hier_is_frozen(const struct cgroup_hier *h)
{
    own_buf struct buf text = BUF_INIT(256);
    struct err ignored;

    if (h->v2)
        return cgroup_read(h, "cgroup.freeze", &text, &ignored) == 0 &&
               str_eq_c(buf_str(&text), "1");
    return cgroup_hier_has(h, STR("freezer")) &&
           cgroup_read(h, "freezer.state", &text, &ignored) == 0 &&
           !str_eq_c(buf_str(&text), "THAWED");
}

void cgroup_wait(int step)
{
    long ms = step < 6 ? 1L << step : WAIT_STEP_MAX_MS;
    struct timespec t = {.tv_nsec = ms * 1000000};

    (void)nanosleep(&t, NULL); /* an interrupted wait is just shorter */
}
