/* SPDX-License-Identifier: Apache-2.0 */
#include "images/lib/unpack_mark.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/map.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"
#include "runtime/base/path.h"

#include "images/lib/beneath.h"

#define KEY_N (NAME_MAX + 48)

struct unpack_mark {
    struct map *made;
};

struct unpack_mark *unpack_mark_new(void)
{
    struct unpack_mark *m = mem_type(struct unpack_mark);

    m->made = map_new();
    return m;
}

void unpack_mark_free(struct unpack_mark *m)
{
    if (!m)
        return;
    map_free(m->made);
    free(m);
}

void unpack_mark_reset(struct unpack_mark *m)
{
    map_free(m->made);
    m->made = map_new();
}

bool path_is_hideable(const char *name)
{
    return path_is_name(str_of(name));
}

static int key_of(int dir_fd, const char *base, char out[KEY_N], struct err *err)
{
    struct stat st;

    if (fstat(dir_fd, &st) < 0)
        return err_set(err, errno, "look at the directory of '%s'", base);
    (void)snprintf(out, KEY_N, "%llx/%s", (unsigned long long)st.st_ino, base);
    return 0;
}

int unpack_mark_add(struct unpack_mark *m, int dir_fd, const char *base, struct err *err)
{
    char key[KEY_N];

    if (key_of(dir_fd, base, key, err) < 0)
        return -1;
    (void)map_put(m->made, str_of(key), m); /* any value but NULL */
    return 0;
}

static int make_marked(struct unpack_mark *m, int root_fd, const char *path, struct err *err)
{
    const char *name;
    own_fd int up = beneath_parent(root_fd, path, &name, err);

    if (up < 0)
        return -1;
    if (mkdirat(up, name, 0755) < 0)
        return err_set(err, errno, "make directory '%s'", path);
    if (fchmodat(up, name, 0755, 0) < 0) /* whatever the umask is */
        return err_set(err, errno, "change mode of '%s'", path);
    return unpack_mark_add(m, up, name, err);
}

/* One level at a time; only where the whole way is not there. */
static int make_way(struct unpack_mark *m, int root_fd, const char *path, struct err *err)
{
    own_buf struct buf part = BUF_INIT(PATH_MAX);

    for (const char *at = strchr(path, '/'); at; at = strchr(at + 1, '/')) {
        struct err quiet;

        buf_reset(&part);
        buf_append_n(&part, path, (size_t)(at - path));
        own_fd int there = beneath_open(root_fd, buf_c(&part), O_PATH | O_DIRECTORY, &quiet);
        if (there >= 0)
            continue;
        if (quiet.code != ENOENT)
            return err_set(err, quiet.code, "open '%s'", buf_c(&part));
        if (make_marked(m, root_fd, buf_c(&part), err) < 0)
            return -1;
    }
    return 0;
}

int unpack_mark_parent(struct unpack_mark *m, int root_fd, const char *path, const char **base,
                       struct err *err)
{
    struct err quiet;
    int fd = beneath_parent(root_fd, path, base, &quiet);

    if (fd >= 0)
        return fd;
    if (quiet.code != ENOENT)
        return err_set(err, quiet.code, "open the directory of '%s'", path);
    if (make_way(m, root_fd, path, err) < 0)
        return -1;
    return beneath_parent(root_fd, path, base, err);
}

static int is_dir(int dir_fd, const char *base)
{
    struct stat st;

    if (fstatat(dir_fd, base, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -1;
    return S_ISDIR(st.st_mode) ? 1 : 0;
}

static int clear_file(struct unpack_mark *m, int dir_fd, const char *base, struct err *err)
{
    char key[KEY_N];

    if (key_of(dir_fd, base, key, err) < 0)
        return -1;
    if (map_get(m->made, str_of(key)) || unlinkat(dir_fd, base, 0) == 0)
        return 0;
    return err_set(err, errno, "remove '%s'", base);
}

/* Also a directory of a lower layer may hold something of this one: it stays if anything in it
 * does. */
int unpack_mark_clear(struct unpack_mark *m, int dir_fd, const char *base, struct err *err)
{
    char key[KEY_N];
    int dir = is_dir(dir_fd, base);

    if (dir < 0)
        return errno == ENOENT ? 0 : err_set(err, errno, "look at '%s'", base);
    if (dir == 0)
        return clear_file(m, dir_fd, base, err);
    own_fd int inner = openat(dir_fd, base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (inner < 0)
        return err_set(err, errno, "open '%s'", base);
    if (unpack_mark_clear_dir(m, inner, err) < 0 || key_of(dir_fd, base, key, err) < 0)
        return -1;
    if (map_get(m->made, str_of(key)) || unlinkat(dir_fd, base, AT_REMOVEDIR) == 0 ||
        errno == ENOTEMPTY)
        return 0;
    return err_set(err, errno, "remove '%s'", base);
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

int unpack_mark_clear_dir(struct unpack_mark *m, int dir_fd, struct err *err)
{
    own_fd int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    int result = 0;

    if (!dir)
        return err_set(err, errno, "open a directory");
    int own = take_fd(&fd);
    for (struct dirent *d = readdir(dir); d && result == 0; d = readdir(dir))
        if (!is_dots(d->d_name))
            result = unpack_mark_clear(m, own, d->d_name, err);
    (void)closedir(dir); /* it was only read */
    return result;
}
