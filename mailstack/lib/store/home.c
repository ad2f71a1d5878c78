/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A home is complete when it holds `subscriptions`, which is written last; making it is idempotent,
 * so a crash in between, or two processes at once, do no harm.
 */
#include "mailstack/lib/store/home.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"

#include "mailstack/lib/store/folder.h"
#include "mailstack/lib/store/store.h"

static bool is_plain(char c, size_t at)
{
    if (c == '.')
        return at > 0;
    return ascii_is_alnum(c) || c == '_' || c == '-' || c == '+' || c == '=';
}

static int append_name(struct str name, struct buf *out, struct err *err)
{
    static const char hex[] = "0123456789ABCDEF";
    own_buf struct buf enc = BUF_INIT(HOME_NAME_MAX);

    if (name.n == 0)
        return err_set(err, EINVAL, "address with an empty part");
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];

        if (is_plain(name.p[i], i)) {
            buf_append_char(&enc, ascii_lower(name.p[i]));
            continue;
        }
        buf_append_char(&enc, '%');
        buf_append_char(&enc, hex[c >> 4]);
        buf_append_char(&enc, hex[c & 15]);
    }
    if (buf_check(&enc, "name of a home", err) < 0)
        return -1;
    buf_append(out, buf_str(&enc));
    return 0;
}

int home_path(struct str address, struct buf *out, struct err *err)
{
    size_t before = out->n;
    struct str local, domain;

    if (!str_rcut(address, '@', &local, &domain))
        return err_set(err, EINVAL, "address without '@'");
    if (append_name(domain, out, err) < 0)
        return -1;
    buf_append_char(out, '/');
    if (append_name(local, out, err) < 0) {
        buf_truncate(out, before);
        return -1;
    }
    return buf_check(out, "path of a home", err);
}

int home_open(const struct store *st, struct str address, struct err *err)
{
    own_buf struct buf path = BUF_INIT(HOME_PATH_MAX);

    if (home_path(address, &path, err) < 0)
        return -1;
    return store_opendir(st->root_fd, buf_c(&path), err);
}

static int make_dirs(const struct store *st, char *path, struct err *err)
{
    char *slash = strchr(path, '/');

    *slash = '\0';
    if (store_mkdir(st->root_fd, path, err) < 0)
        return -1;
    *slash = '/';
    return store_mkdir(st->root_fd, path, err);
}

static int fill(int home_fd, struct err *err)
{
    own_buf struct buf list = BUF_INIT(4096);

    for (size_t i = 0; i < FOLDER_SPECIALS; i++) {
        const char *name = folder_special[i].name;

        if (folder_create(home_fd, str_of(name), err) < 0 && err->code != EEXIST)
            return -1;
        buf_printf(&list, "%s\n", name);
    }
    return file_replace(home_fd, "subscriptions", buf_str(&list), STORE_FILE_MODE, err);
}

int home_make(const struct store *st, struct str address, struct err *err)
{
    own_buf struct buf path = BUF_INIT(HOME_PATH_MAX);
    own_fd int fd = -1;

    if (home_path(address, &path, err) < 0)
        return -1;
    fd = openat(st->root_fd, buf_c(&path), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && faccessat(fd, "subscriptions", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return take_fd(&fd);
    if (fd < 0) {
        if (errno != ENOENT)
            return err_set(err, errno, "open home '%s'", buf_c(&path));
        if (make_dirs(st, path.p, err) < 0)
            return -1;
        fd = store_opendir(st->root_fd, buf_c(&path), err);
        if (fd < 0)
            return -1;
    }
    if (folder_make_dirs(fd, err) < 0 || fill(fd, err) < 0)
        return err_wrap(err, "make home '%s'", buf_c(&path));
    if (file_sync_dir(st->root_fd, ".", err) < 0 || file_sync_dir(fd, "..", err) < 0 ||
        file_sync_dir(fd, ".", err) < 0)
        return -1;
    return take_fd(&fd);
}
