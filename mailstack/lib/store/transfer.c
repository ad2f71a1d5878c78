/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/store/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/file.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"

#include "mailstack/lib/store/folder.h"
#include "mailstack/lib/store/mailbox.h"
#include "mailstack/lib/store/maildir.h"
#include "mailstack/lib/store/quota.h"
#include "mailstack/lib/store/store.h"

#define COPY_CHUNK 65536

static void release(struct transfer *t)
{
    for (size_t i = 0; i < t->made_n; i++)
        free(t->made[i]);
    free(t->made);
    keyword_done(&t->keywords);
    uid_close(&t->uid); /* and with it the lock */
    own_close_fd(&t->folder_fd);
    *t = (struct transfer){.folder_fd = -1, .uid = {.fd = -1}};
}

int transfer_begin(struct transfer *t, const struct mailbox *from, struct str to,
                   enum transfer_how how, struct err *err)
{
    *t = (struct transfer){.st = from->st, .home_fd = from->home_fd, .how = how, .uid = {.fd = -1}};
    t->folder_fd = folder_open(t->home_fd, to, err);
    if (t->folder_fd < 0)
        return -1;
    if (uid_open(&t->uid, t->st, t->home_fd, t->folder_fd, err) < 0 || uid_lock(&t->uid, err) < 0 ||
        keyword_load(&t->keywords, t->folder_fd, err) < 0) {
        release(t);
        return -1;
    }
    return 0;
}

static int target_name(struct transfer *t, const struct mailbox *from, size_t i, uint32_t uid,
                       struct buf *out, struct err *err)
{
    const struct mailbox_msg *m = &from->v[i];
    own_buf struct buf base = BUF_INIT(MAILDIR_NAME_MAX);
    struct maildir_name parsed;
    uint32_t flags;

    if (!maildir_parse(str_of(m->name), &parsed))
        return err_set(err, EINVAL, "name of message %u", m->uid);
    if (keyword_map(&from->keywords, &t->keywords, t->folder_fd, m->flags, &flags, err) < 0)
        return -1;
    maildir_unique(t->st, &base);
    if (m->size != MAILDIR_NO_SIZE)
        buf_printf(&base, ",S=%llu", (unsigned long long)m->size);
    if (m->vsize != MAILDIR_NO_SIZE)
        buf_printf(&base, ",W=%llu", (unsigned long long)m->vsize);
    maildir_with_uid(buf_str(&base), uid, t->uid.validity, out);
    maildir_format(STR_NONE, flags, parsed.unknown, out);
    return buf_check(out, "name of a message", err);
}

static int copy_bytes(int in, int out, struct err *err)
{
    char chunk[COPY_CHUNK];

    for (;;) {
        ssize_t n = read(in, chunk, sizeof(chunk));

        if (n < 0 && errno != EINTR)
            return err_set(err, errno, "read message");
        if (n == 0)
            return 0;
        if (n > 0 && fd_write_all(out, (struct str){chunk, (size_t)n}, err) < 0)
            return -1;
    }
}

/* Where the file system has no hard links, or no more of them for this file. */
static int copy_file(struct transfer *t, int from_fd, const char *from, const char *to,
                     struct err *err)
{
    own_fd int in = openat(from_fd, from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    own_fd int out = -1;
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {0}};
    char tmp[] = "tmp/copy"; /* one at a time: under the lock */
    struct stat st;

    if (in < 0 || fstat(in, &st) < 0)
        return err_set(err, errno, "open message");
    out = openat(t->folder_fd, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
                 STORE_FILE_MODE);
    if (out < 0)
        return err_set(err, errno, "create '%s'", tmp);
    (void)fchmod(out, STORE_FILE_MODE); /* left by another process: has the mode already */
    times[1] = st.st_mtim;
    if (copy_bytes(in, out, err) < 0)
        return -1;
    if (futimens(out, times) < 0)
        return err_set(err, errno, "set the date of '%s'", tmp);
    if (file_sync(out, "message", err) < 0)
        return -1;
    if (renameat(t->folder_fd, tmp, t->folder_fd, to) < 0)
        return err_set(err, errno, "rename message to '%s'", to);
    return 0;
}

static int place(struct transfer *t, int from_fd, const char *from, const char *to, struct err *err)
{
    int rc = t->how == TRANSFER_MOVE ? renameat(from_fd, from, t->folder_fd, to)
                                     : linkat(from_fd, from, t->folder_fd, to, 0);

    if (rc == 0)
        return 0;
    if (t->how == TRANSFER_COPY && (errno == EPERM || errno == EMLINK || errno == EOPNOTSUPP))
        return copy_file(t, from_fd, from, to, err);
    return err_set(err, errno, "place message '%s'", to);
}

static uint64_t size_of(const struct mailbox *from, size_t i, int from_fd)
{
    const struct mailbox_msg *m = &from->v[i];
    struct stat st;

    if (m->size != MAILDIR_NO_SIZE)
        return m->size;
    return fstatat(from_fd, m->name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? (uint64_t)st.st_size : 0;
}

static void note_made(struct transfer *t, const char *name, uint64_t size)
{
    t->made = mem_grow(t->made, t->made_n + 1, sizeof(t->made[0]));
    t->made[t->made_n++] = mem_dup_c(name);
    t->bytes += size;
}

int transfer_one(struct transfer *t, const struct mailbox *from, size_t i, uint32_t *uid,
                 struct err *err)
{
    const struct mailbox_msg *m = &from->v[i];
    int from_fd = m->in_new ? from->new_fd : from->cur_fd;
    own_buf struct buf to = BUF_INIT(MAILDIR_NAME_MAX + 4);
    uint64_t size = size_of(from, i, from_fd);
    struct err ignored = {0};
    uint32_t got;

    if (t->how == TRANSFER_COPY &&
        quota_reserve(t->home_fd, QUOTA_NOT_TOLD, t->st->quota, size, err) < 0)
        return -1;
    buf_append_c(&to, "cur/");
    if (uid_take(&t->uid, 1, &got, err) < 0 || target_name(t, from, i, got, &to, err) < 0 ||
        place(t, from_fd, m->name, buf_c(&to), err) < 0) {
        if (t->how == TRANSFER_COPY) /* a sum that is off is put right at the next recount */
            (void)quota_add(t->home_fd, t->st->quota, -(int64_t)size, -1, &ignored);
        return -1;
    }
    if (t->how == TRANSFER_COPY)
        note_made(t, buf_c(&to), size);
    *uid = got;
    return 0;
}

int transfer_end(struct transfer *t, struct err *err)
{
    int rc = file_sync_dir(t->folder_fd, "cur", err);

    if (rc == 0)
        release(t);
    else
        transfer_abort(t);
    return rc;
}

void transfer_abort(struct transfer *t)
{
    struct err ignored = {0};

    if (t->folder_fd < 0)
        return;
    for (size_t i = 0; i < t->made_n; i++)
        (void)unlinkat(t->folder_fd, t->made[i], 0); /* a copy too many does less harm than none */
    if (t->made_n > 0)
        (void)quota_add(t->home_fd, t->st->quota, -(int64_t)t->bytes, -(int64_t)t->made_n,
                        &ignored);
    release(t);
}
