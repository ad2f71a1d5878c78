/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/store/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"
#include "runtime/base/rand.h"

#include "mailstack/lib/proto/imap_utf7.h"
#include "mailstack/lib/store/store.h"

const struct folder_special folder_special[FOLDER_SPECIALS] = {
    {"Archive", "\\Archive"}, {"Drafts", "\\Drafts"}, {"Junk", "\\Junk"},
    {"Sent", "\\Sent"},       {"Trash", "\\Trash"},
};

static const char *const parts[] = {"tmp", "new", "cur"};

const char *folder_use(struct str name)
{
    for (size_t i = 0; i < FOLDER_SPECIALS; i++)
        if (str_eq_c(name, folder_special[i].name))
            return folder_special[i].use;
    return NULL;
}

bool folder_is_inbox(struct str name)
{
    return str_ieq_c(name, "INBOX");
}

static int check_name(struct str name, struct err *err)
{
    own_buf struct buf utf8 = BUF_INIT(4 * FOLDER_NAME_MAX);
    struct str rest = name, level;
    size_t depth = 0;

    if (name.n == 0 || name.n > FOLDER_NAME_MAX)
        return err_set(err, EINVAL, "folder name of %zu bytes", name.n);
    if (str_find(name, '/') >= 0 || name.p[name.n - 1] == FOLDER_SEPARATOR)
        return err_set(err, EINVAL, "folder name with '/' or an empty level");
    if (imap_utf7_decode(name, &utf8, err) < 0) {
        err->code = EINVAL;
        return err_wrap(err, "folder name");
    }
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] < 0x20 || name.p[i] == 0x7f)
            return err_set(err, EINVAL, "folder name with a control character");
    while (str_next(&rest, FOLDER_SEPARATOR, &level))
        if (level.n == 0 || ++depth > FOLDER_DEPTH_MAX)
            return err_set(err, EINVAL, "folder name with an empty level, or too many");
    return 0;
}

int folder_canonical(struct str name, char out[FOLDER_NAME_MAX + 2], struct err *err)
{
    struct str first = name, rest;

    if (check_name(name, err) < 0)
        return -1;
    (void)str_cut(name, FOLDER_SEPARATOR, &first, &rest); /* else it is all one level */
    for (size_t i = 0; i < name.n; i++)
        out[i] = folder_is_inbox(first) && i < first.n ? "INBOX"[i] : name.p[i];
    out[name.n] = '\0';
    return 0;
}

int folder_dir(struct str name, char out[FOLDER_NAME_MAX + 2], struct err *err)
{
    char canonical[FOLDER_NAME_MAX + 2];

    if (folder_canonical(name, canonical, err) < 0)
        return -1;
    out[0] = '.';
    out[1] = '\0';
    if (folder_is_inbox(name))
        return 0;
    for (size_t i = 0; i <= name.n; i++)
        out[i + 1] = canonical[i];
    return 0;
}

int folder_open(int home_fd, struct str name, struct err *err)
{
    char dir[FOLDER_NAME_MAX + 2];
    own_fd int fd = -1;

    if (folder_dir(name, dir, err) < 0)
        return -1;
    fd = store_opendir(home_fd, dir, err);
    if (fd < 0)
        return -1;
    if (faccessat(fd, "cur", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return err_set(err, errno, "folder '%.*s'", STR_ARG(name));
    return take_fd(&fd);
}

bool folder_exists(int home_fd, struct str name)
{
    struct err ignored = {0};
    own_fd int fd = folder_open(home_fd, name, &ignored);

    return fd >= 0;
}

int folder_make_dirs(int dir_fd, struct err *err)
{
    for (size_t i = 0; i < ARRAY_N(parts); i++)
        if (store_mkdir(dir_fd, parts[i], err) < 0)
            return -1;
    return 0;
}

/* The sweep takes what cannot be removed now. */
static void discard(int dir_fd, const char *name)
{
    struct err ignored = {0};

    if (file_remove_tree(dir_fd, name, &ignored) < 0)
        return;
}

static void scratch_name(const char *what, char out[64])
{
    char hex[17];

    rand_hex(hex, 16);
    (void)snprintf(out, 64, "tmp/%s.%s", what, hex); /* fits: `what` is one of two words */
}

static int fill_new(int home_fd, const char *at, struct err *err)
{
    own_fd int fd = -1;

    if (store_mkdir(home_fd, at, err) < 0)
        return -1;
    fd = store_opendir(home_fd, at, err);
    if (fd < 0 || folder_make_dirs(fd, err) < 0)
        return -1;
    if (file_put(fd, "maildirfolder", STR(""), STORE_FILE_MODE, err) < 0)
        return -1;
    return file_sync_dir(fd, ".", err);
}

static int put_in_place(int home_fd, const char *at, const char *dir, struct err *err)
{
    if (renameat2(home_fd, at, home_fd, dir, RENAME_NOREPLACE) < 0)
        return err_set(err, errno, "make folder '%s'", dir);
    return file_sync_dir(home_fd, ".", err);
}

int folder_create(int home_fd, struct str name, struct err *err)
{
    char dir[FOLDER_NAME_MAX + 2], at[64];

    if (folder_dir(name, dir, err) < 0)
        return -1;
    if (folder_is_inbox(name) || faccessat(home_fd, dir, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return err_set(err, EEXIST, "folder '%.*s'", STR_ARG(name));
    scratch_name("make", at);
    if (fill_new(home_fd, at, err) < 0 || put_in_place(home_fd, at, dir, err) < 0) {
        discard(home_fd, at);
        return -1;
    }
    return 0;
}

int folder_delete(int home_fd, struct str name, struct err *err)
{
    char dir[FOLDER_NAME_MAX + 2], at[64];

    if (folder_is_inbox(name))
        return err_set(err, EPERM, "INBOX cannot be deleted");
    if (folder_dir(name, dir, err) < 0)
        return -1;
    scratch_name("gone", at);
    if (renameat(home_fd, dir, home_fd, at) < 0)
        return err_set(err, errno, "delete folder '%.*s'", STR_ARG(name));
    if (file_sync_dir(home_fd, ".", err) < 0)
        return -1;
    return file_remove_tree(home_fd, at, err);
}

static int rename_one(int home_fd, struct str from, struct str to, struct err *err)
{
    char old[FOLDER_NAME_MAX + 2], new[FOLDER_NAME_MAX + 2];

    if (folder_dir(from, old, err) < 0 || folder_dir(to, new, err) < 0)
        return -1;
    if (renameat2(home_fd, old, home_fd, new, RENAME_NOREPLACE) < 0)
        return err_set(err, errno, "rename folder '%s' to '%s'", old, new);
    return 0;
}

static bool is_below(struct str name, struct str top)
{
    return name.n > top.n && str_starts(name, top) && name.p[top.n] == FOLDER_SEPARATOR;
}

static int rename_below(int home_fd, const struct folder_names *all, struct str from, struct str to,
                        struct err *err)
{
    for (size_t i = 0; i < all->n; i++) {
        struct str name = str_of(all->v[i]);
        own_buf struct buf new = BUF_INIT(2 * FOLDER_NAME_MAX);

        if (!is_below(name, from))
            continue;
        buf_append(&new, to);
        buf_append(&new, str_skip(name, from.n));
        if (rename_one(home_fd, name, buf_str(&new), err) < 0)
            return -1;
    }
    return 0;
}

/* Nothing may stand in the way, and every new name must be sound, before the first is renamed. */
static int check_rename(const struct folder_names *all, struct str from, struct str to,
                        struct err *err)
{
    bool found = false;

    if (is_below(to, from))
        return err_set(err, EINVAL, "a folder cannot be moved below itself");
    for (size_t i = 0; i < all->n; i++) {
        struct str name = str_of(all->v[i]);
        own_buf struct buf new = BUF_INIT(2 * FOLDER_NAME_MAX);

        found |= str_eq(name, from) || is_below(name, from);
        if (str_eq(name, to))
            return err_set(err, EEXIST, "folder '%.*s'", STR_ARG(to));
        if (!is_below(name, from))
            continue;
        buf_append(&new, to);
        buf_append(&new, str_skip(name, from.n));
        if (check_name(buf_str(&new), err) < 0)
            return -1;
        if (folder_names_has(all, buf_str(&new)))
            return err_set(err, EEXIST, "folder '%s'", buf_c(&new));
    }
    return found ? 0 : err_set(err, ENOENT, "folder '%.*s'", STR_ARG(from));
}

int folder_rename(int home_fd, struct str from, struct str to, struct err *err)
{
    char a[FOLDER_NAME_MAX + 2], b[FOLDER_NAME_MAX + 2];
    struct folder_names all = {0};
    int rc;

    if (folder_is_inbox(from) || folder_is_inbox(to))
        return err_set(err, folder_is_inbox(to) ? EEXIST : EPERM, "not with INBOX");
    if (folder_canonical(from, a, err) < 0 || folder_canonical(to, b, err) < 0 ||
        folder_list(home_fd, &all, err) < 0)
        return -1;
    rc = check_rename(&all, str_of(a), str_of(b), err);
    if (rc == 0 && folder_names_has(&all, str_of(a)))
        rc = rename_one(home_fd, str_of(a), str_of(b), err);
    if (rc == 0)
        rc = rename_below(home_fd, &all, str_of(a), str_of(b), err);
    if (rc == 0)
        rc = file_sync_dir(home_fd, ".", err);
    folder_names_done(&all);
    return rc;
}

/* --- lists of names ------------------------------------------------------------------------- */

void folder_names_done(struct folder_names *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->v[i]);
    free(l->v);
    *l = (struct folder_names){0};
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

bool folder_names_has(const struct folder_names *l, struct str name)
{
    struct err ignored;
    own_free char *key = str_dup_c(name, &ignored);

    return key != NULL && l->n > 0 && bsearch(&key, l->v, l->n, sizeof(l->v[0]), compare) != NULL;
}

static int add(struct folder_names *l, struct str name, struct err *err)
{
    char *copy;

    if (l->n >= FOLDER_MAX)
        return err_set(err, EMSGSIZE, "more than %d folders", FOLDER_MAX);
    copy = str_dup_c(name, err);
    if (copy == NULL)
        return -1;
    if ((l->n & (l->n - 1)) == 0) /* doubles at each power of two */
        l->v = mem_grow(l->v, l->n == 0 ? 1 : 2 * l->n, sizeof(l->v[0]));
    l->v[l->n++] = copy;
    return 0;
}

static void sort(struct folder_names *l)
{
    size_t kept = 0;

    if (l->n > 1)
        qsort(l->v, l->n, sizeof(l->v[0]), compare);
    for (size_t i = 0; i < l->n; i++) {
        if (kept > 0 && strcmp(l->v[kept - 1], l->v[i]) == 0)
            free(l->v[i]);
        else
            l->v[kept++] = l->v[i];
    }
    l->n = kept;
}

static int list_into(DIR *dir, struct folder_names *l, struct err *err)
{
    const struct dirent *e;
    struct stat st;

    if (add(l, STR("INBOX"), err) < 0)
        return -1;
    while ((e = readdir(dir)) != NULL) {
        struct str name = str_skip(str_of(e->d_name), 1);
        struct err ignored;

        if (e->d_name[0] != '.' || folder_is_inbox(name) || check_name(name, &ignored) < 0)
            continue;
        if (e->d_type != DT_DIR && e->d_type != DT_UNKNOWN)
            continue;
        if (e->d_type == DT_UNKNOWN &&
            (fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode)))
            continue;
        if (add(l, name, err) < 0)
            return -1;
    }
    return 0;
}

int folder_list(int home_fd, struct folder_names *out, struct err *err)
{
    struct folder_names l = {0};
    int fd = store_opendir(home_fd, ".", err);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    int rc;

    if (dir == NULL) {
        own_close_fd(&fd);
        return -1;
    }
    rc = list_into(dir, &l, err);
    (void)closedir(dir); /* only read from */
    if (rc < 0) {
        folder_names_done(&l);
        return -1;
    }
    sort(&l);
    *out = l;
    return 0;
}

/* Plain lines, or Dovecot's version 2: "V\t2", an empty line, then levels separated by tabs. */
static int parse_subscriptions(struct buf *text, struct folder_names *l, struct err *err)
{
    struct str rest = buf_str(text), line;
    bool v2 = str_starts(rest, STR("V\t2\n"));

    for (size_t i = 0; v2 && i < text->n; i++)
        if (text->p[i] == '\t')
            text->p[i] = FOLDER_SEPARATOR;
    if (v2)
        rest = str_skip(rest, 4);
    while (str_next(&rest, '\n', &line)) {
        struct err ignored;

        if (check_name(line, &ignored) == 0 && add(l, line, err) < 0)
            return -1;
    }
    sort(l);
    return 0;
}

int folder_subscriptions(int home_fd, struct folder_names *out, struct err *err)
{
    own_buf struct buf text = BUF_INIT((size_t)FOLDER_MAX * (FOLDER_NAME_MAX + 1));
    struct folder_names l = {0};

    if (file_read(home_fd, "subscriptions", &text, err) < 0 && err->code != ENOENT)
        return -1;
    if (parse_subscriptions(&text, &l, err) < 0) {
        folder_names_done(&l);
        return -1;
    }
    *out = l;
    return 0;
}

static int save_subscriptions(int home_fd, const struct folder_names *l, struct err *err)
{
    own_buf struct buf text = BUF_INIT((size_t)FOLDER_MAX * (FOLDER_NAME_MAX + 1));

    for (size_t i = 0; i < l->n; i++)
        buf_printf(&text, "%s\n", l->v[i]);
    if (buf_check(&text, "subscriptions", err) < 0)
        return -1;
    return file_replace(home_fd, "subscriptions", buf_str(&text), STORE_FILE_MODE, err);
}

int folder_subscribe(int home_fd, struct str name, struct err *err)
{
    char canonical[FOLDER_NAME_MAX + 2];
    struct folder_names l = {0};
    int rc = 0;

    if (folder_canonical(name, canonical, err) < 0 || folder_subscriptions(home_fd, &l, err) < 0)
        return -1;
    if (!folder_names_has(&l, str_of(canonical))) {
        rc = add(&l, str_of(canonical), err);
        sort(&l);
        if (rc == 0)
            rc = save_subscriptions(home_fd, &l, err);
    }
    folder_names_done(&l);
    return rc;
}

int folder_unsubscribe(int home_fd, struct str name, struct err *err)
{
    char canonical[FOLDER_NAME_MAX + 2];
    struct folder_names l = {0};
    size_t kept = 0;
    int rc = 0;

    if (folder_canonical(name, canonical, err) < 0 || folder_subscriptions(home_fd, &l, err) < 0)
        return -1;
    for (size_t i = 0; i < l.n; i++) {
        if (strcmp(l.v[i], canonical) == 0)
            free(l.v[i]);
        else
            l.v[kept++] = l.v[i];
    }
    if (kept != l.n) {
        l.n = kept;
        rc = save_subscriptions(home_fd, &l, err);
    }
    folder_names_done(&l);
    return rc;
}

/* --- the sweep ------------------------------------------------------------------------------- */

void folder_sweep(int folder_fd)
{
    int fd = openat(folder_fd, "tmp", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *e;

    if (dir == NULL) {
        own_close_fd(&fd);
        return;
    }
    while ((e = readdir(dir)) != NULL) {
        struct stat st;

        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            st.st_mtime < clock_wall_s() - FOLDER_STALE_S)
            discard(fd, e->d_name);
    }
    (void)closedir(dir); /* only read from */
}
