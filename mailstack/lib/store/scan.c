/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/store/scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"

#include "mailstack/lib/store/mailbox.h"
#include "mailstack/lib/store/maildir.h"
#include "mailstack/lib/store/uid.h"

void scan_init(struct scan *s, struct uid *uid, int new_fd, int cur_fd)
{
    *s = (struct scan){.uid = uid, .new_fd = new_fd, .cur_fd = cur_fd};
}

void scan_done(struct scan *s)
{
    for (size_t i = 0; i < s->n; i++)
        free(s->v[i].name);
    free(s->v);
    s->v = NULL;
    s->n = 0;
    s->cap = 0;
}

static int add(struct scan *s, struct str name, const struct maildir_name *m, enum scan_where where,
               struct err *err)
{
    struct scan_msg *to;

    if (s->n >= MAILBOX_MAX)
        return err_set(err, EMSGSIZE, "more than %d messages in a folder", MAILBOX_MAX);
    if (s->n == s->cap) {
        s->cap = s->cap == 0 ? 16 : 2 * s->cap;
        s->v = mem_grow(s->v, s->cap, sizeof(s->v[0]));
    }
    to = &s->v[s->n];
    *to = (struct scan_msg){.flags = m->flags, .size = m->size, .vsize = m->vsize};
    to->uid = m->validity == s->uid->validity ? m->uid : 0;
    to->in_new = where == SCAN_NEW;
    to->name = str_dup_c(name, err);
    if (to->name == NULL)
        return -1;
    s->n++;
    return 0;
}

static int read_all(struct scan *s, DIR *dir, enum scan_where where, struct err *err)
{
    const struct dirent *e;
    struct maildir_name m;

    while ((errno = 0, e = readdir(dir)) != NULL) {
        if (e->d_type != DT_REG && e->d_type != DT_UNKNOWN)
            continue;
        if (maildir_parse(str_of(e->d_name), &m) && add(s, str_of(e->d_name), &m, where, err) < 0)
            return -1;
    }
    return errno == 0 ? 0 : err_set(err, errno, "read folder");
}

int scan_dir(struct scan *s, enum scan_where where, struct err *err)
{
    int from = where == SCAN_NEW ? s->new_fd : s->cur_fd;
    int fd = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    int rc;

    if (dir == NULL) {
        (void)err_set(err, errno, "open folder");
        own_close_fd(&fd);
        return -1;
    }
    rc = read_all(s, dir, where, err);
    (void)closedir(dir); /* only read from */
    return rc;
}

/* Names begin with their time, so those without a UID come in the order of arrival. */
static int compare(const void *a, const void *b)
{
    const struct scan_msg *x = a, *y = b;

    if (x->uid != y->uid)
        return x->uid < y->uid ? -1 : 1;
    return strcmp(x->name, y->name);
}

static void sort(struct scan *s)
{
    if (s->n > 1)
        qsort(s->v, s->n, sizeof(s->v[0]), compare);
}

static bool drop_doubles(struct scan *s)
{
    bool any = false;

    for (size_t i = 1; i < s->n; i++) {
        if (s->v[i].uid == 0 || s->v[i].uid != s->v[i - 1].uid)
            continue;
        s->v[i - 1].uid = 0;
        any = true;
    }
    return any;
}

/* A UID above `next` means that the UID file was set back: go on behind it. */
static int catch_up(struct scan *s, struct err *err)
{
    uint32_t last = s->n == 0 ? 0 : s->v[s->n - 1].uid, ignored;

    if (last < s->uid->next)
        return 0;
    return uid_take(s->uid, last - s->uid->next + 1, &ignored, err);
}

static int move(struct scan *s, struct scan_msg *m, struct str base, bool to_new, struct err *err)
{
    own_buf struct buf to = BUF_INIT(MAILDIR_NAME_MAX);
    struct maildir_name parsed;

    if (!maildir_parse(str_of(m->name), &parsed))
        return err_set(err, EINVAL, "name of a message");
    if (to_new)
        buf_append(&to, base);
    else
        maildir_format(base, m->flags, parsed.unknown, &to);
    if (buf_check(&to, "name of a message", err) < 0)
        return -1;
    if (renameat(m->in_new ? s->new_fd : s->cur_fd, m->name, to_new ? s->new_fd : s->cur_fd,
                 buf_c(&to)) < 0)
        return err_set(err, errno, "rename message '%s'", m->name);
    free(m->name);
    m->name = buf_take(&to);
    m->in_new = to_new;
    s->renamed = true;
    return 0;
}

static int give_uid(struct scan *s, struct scan_msg *m, uint32_t uid, struct err *err)
{
    own_buf struct buf base = BUF_INIT(MAILDIR_NAME_MAX);
    struct maildir_name parsed;

    if (!maildir_parse(str_of(m->name), &parsed))
        return err_set(err, EINVAL, "name of a message");
    maildir_with_uid(parsed.base, uid, s->uid->validity, &base);
    if (base.n > MAILDIR_NAME_MAX - 40 || base.failed) { /* a foreign name that is too long */
        buf_reset(&base);
        maildir_unique(s->uid->st, &base);
        buf_printf(&base, ",U=%u,V=%u", uid, s->uid->validity);
    }
    if (move(s, m, buf_str(&base), m->in_new, err) < 0)
        return -1;
    m->uid = uid;
    return 0;
}

static void drop(struct scan *s, size_t i)
{
    free(s->v[i].name);
    s->v[i].name = NULL;
}

static void squeeze(struct scan *s)
{
    size_t kept = 0;

    for (size_t i = 0; i < s->n; i++)
        if (s->v[i].name != NULL)
            s->v[kept++] = s->v[i];
    s->n = kept;
}

static int give_uids(struct scan *s, struct err *err)
{
    uint32_t missing = 0, first = 0;

    while (missing < s->n && s->v[missing].uid == 0)
        missing++;
    if (missing == 0)
        return 0;
    if (uid_take(s->uid, missing, &first, err) < 0)
        return -1;
    for (uint32_t i = 0; i < missing; i++) {
        if (give_uid(s, &s->v[i], first + i, err) == 0)
            continue;
        if (err->code != ENOENT)
            return -1;
        drop(s, i); /* taken away by another program meanwhile */
    }
    squeeze(s);
    sort(s);
    return 0;
}

static void move_to_cur(struct scan *s)
{
    for (size_t i = 0; i < s->n; i++) {
        struct err why = {0};

        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what drop frees is squeezed out */
        if (!s->v[i].in_new || move(s, &s->v[i], str_of(s->v[i].name), false, &why) == 0)
            continue;
        if (why.code == ENOENT)
            drop(s, i); /* else it stays in new/, where it can be read as well */
    }
    squeeze(s);
}

int scan_settle(struct scan *s, struct err *err)
{
    sort(s);
    if (drop_doubles(s))
        sort(s);
    if (catch_up(s, err) < 0 || give_uids(s, err) < 0)
        return -1;
    move_to_cur(s);
    return 0;
}
