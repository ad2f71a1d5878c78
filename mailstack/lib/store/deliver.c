/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/store/deliver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"

#include "mailstack/lib/store/store.h"

static int tmp_name(const struct deliver *d, char out[MAILDIR_NAME_MAX + 8])
{
    return snprintf(out, MAILDIR_NAME_MAX + 8, "tmp/%s", d->base);
}

static int make_file(struct deliver *d, struct err *err)
{
    own_buf struct buf base = BUF_INIT(MAILDIR_NAME_MAX - 80); /* room for the fields to come */
    char name[MAILDIR_NAME_MAX + 8];

    maildir_unique(d->st, &base);
    if (buf_check(&base, "name of a message", err) < 0)
        return -1;
    for (size_t i = 0; i < base.n; i++)
        d->base[i] = base.p[i];
    (void)tmp_name(d, name);
    d->fd = openat(d->folder_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, STORE_FILE_MODE);
    if (d->fd < 0)
        return err_set(err, errno, "create '%s'", name);
    if (fchmod(d->fd, STORE_FILE_MODE) < 0)
        return err_set(err, errno, "set the mode of '%s'", name);
    return 0;
}

int deliver_begin(struct deliver *d, const struct store *st, int home_fd, int folder_fd,
                  struct err *err)
{
    *d = (struct deliver){.st = st, .folder_fd = folder_fd, .fd = -1, .uid = {.fd = -1}};
    buf_init(&d->out, DELIVER_CHUNK);
    if (uid_open(&d->uid, st, home_fd, folder_fd, err) < 0 || make_file(d, err) < 0) {
        deliver_done(d);
        return -1;
    }
    return 0;
}

static int drain(struct deliver *d, struct err *err)
{
    if (d->out.n == 0)
        return 0;
    if (fd_write_all(d->fd, buf_str(&d->out), err) < 0)
        return err_wrap(err, "write message");
    d->size += d->out.n;
    buf_reset(&d->out);
    return 0;
}

static int put(struct deliver *d, struct str s, struct err *err)
{
    while (s.n > 0) {
        struct str now = str_head(s, buf_room(&d->out));

        buf_append(&d->out, now);
        s = str_skip(s, now.n);
        d->last = now.n > 0 ? now.p[now.n - 1] : d->last;
        if (buf_room(&d->out) == 0 && drain(d, err) < 0)
            return -1;
    }
    return 0;
}

static int put_newline(struct deliver *d, struct err *err)
{
    d->lone_n += d->last != '\r';
    return put(d, STR("\n"), err);
}

/* A CR is held back until it is known whether an LF follows it. */
int deliver_write(struct deliver *d, struct str bytes, struct err *err)
{
    while (bytes.n > 0) {
        ptrdiff_t lf = str_find(bytes, '\n');
        struct str line = lf < 0 ? bytes : str_head(bytes, (size_t)lf);

        bytes = str_skip(bytes, line.n + (lf >= 0));
        if (d->cr && line.n > 0) {
            d->cr = false;
            if (put(d, STR("\r"), err) < 0)
                return -1;
        }
        if (line.n > 0 && line.p[line.n - 1] == '\r') {
            d->cr = true;
            line.n--;
        }
        if (put(d, line, err) < 0)
            return -1;
        if (lf >= 0) {
            d->cr = false;
            if (put_newline(d, err) < 0)
                return -1;
        }
    }
    return 0;
}

int deliver_end(struct deliver *d, struct err *err)
{
    if (d->cr && put(d, STR("\r"), err) < 0)
        return -1;
    d->cr = false;
    return drain(d, err);
}

int deliver_flush(struct deliver *d, struct err *err)
{
    if (deliver_end(d, err) < 0)
        return -1;
    buf_done(&d->out);
    if (file_sync(d->fd, "message", err) < 0)
        return -1;
    own_close_fd(&d->fd);
    d->fd = -1;
    return 0;
}

static int rename_in(struct deliver *d, const struct deliver_as *as, uint32_t uid, struct err *err)
{
    own_buf struct buf base = BUF_INIT(MAILDIR_NAME_MAX), full = BUF_INIT(MAILDIR_NAME_MAX + 4);
    char tmp[MAILDIR_NAME_MAX + 8];

    buf_printf(&base, "%s,S=%llu,W=%llu", d->base, (unsigned long long)d->size,
               (unsigned long long)(d->size + d->lone_n));
    buf_append_c(&full, as->in_cur ? "cur/" : "new/");
    maildir_with_uid(buf_str(&base), uid, d->uid.validity, &full);
    if (as->in_cur)
        maildir_format(STR_NONE, as->flags, STR_NONE, &full);
    if (buf_check(&full, "name of a message", err) < 0)
        return -1;
    (void)tmp_name(d, tmp);
    if (renameat(d->folder_fd, tmp, d->folder_fd, buf_c(&full)) < 0)
        return err_set(err, errno, "rename message to '%s'", buf_c(&full));
    d->published = true;
    return 0;
}

static int set_date(struct deliver *d, const struct timespec *date, struct err *err)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_OMIT}};
    char tmp[MAILDIR_NAME_MAX + 8];

    if (date == NULL)
        return 0;
    times[1] = *date;
    (void)tmp_name(d, tmp);
    if (utimensat(d->folder_fd, tmp, times, 0) < 0)
        return err_set(err, errno, "set the date of '%s'", tmp);
    return 0;
}

int deliver_publish(struct deliver *d, const struct deliver_as *as, uint32_t *uid,
                    uint32_t *validity, struct err *err)
{
    uint32_t got;
    int rc;

    if (set_date(d, as->date, err) < 0 || uid_lock(&d->uid, err) < 0)
        return -1;
    rc = uid_take(&d->uid, 1, &got, err);
    if (rc == 0)
        rc = rename_in(d, as, got, err);
    uid_unlock(&d->uid);
    if (rc < 0)
        return -1;
    *uid = got;
    *validity = d->uid.validity;
    return 0;
}

int deliver_settle(struct deliver *d, struct err *err)
{
    /* One of the two was renamed into; a flush of the other, unchanged, costs nothing. */
    if (file_sync_dir(d->folder_fd, "new", err) < 0)
        return -1;
    return file_sync_dir(d->folder_fd, "cur", err);
}

void deliver_done(struct deliver *d)
{
    char tmp[MAILDIR_NAME_MAX + 8];

    if (!d->published && d->folder_fd >= 0 && d->base[0] != '\0') {
        (void)tmp_name(d, tmp);
        (void)unlinkat(d->folder_fd, tmp, 0); /* the sweep takes what stays */
    }
    own_close_fd(&d->fd);
    uid_close(&d->uid);
    own_close_fd(&d->folder_fd);
    buf_done(&d->out);
    d->fd = -1;
    d->folder_fd = -1;
}
