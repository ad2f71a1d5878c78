/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sync, under the folder's lock: read the names (scan.h), give UIDs where they are missing, then
 * merge with the list in one pass, both being in the order of UIDs. At the first sync the list is
 * what the index remembers, so the same merge finds what happened while nobody looked.
 */
#include "mailstack/lib/store/mailbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"

#include "mailstack/lib/store/index.h"
#include "mailstack/lib/store/msgfile.h"
#include "mailstack/lib/store/quota.h"
#include "mailstack/lib/store/scan.h"
#include "mailstack/lib/store/store.h"

#define TICK_NS 20000000 /* file times advance in ticks of at most 10 ms */

/* --- the index, which may fail ------------------------------------------------------------------
 */

static void lose_index(struct mailbox *mb, const struct err *why)
{
    index_rollback(mb->index);
    mb->index_error = *why;
    mb->index = NULL;
}

static uint64_t next_modseq(struct mailbox *mb)
{
    int64_t now_us = clock_wall_us();
    uint64_t floor = now_us > 0 ? (uint64_t)now_us : 0;

    mb->modseq = mb->modseq >= floor ? mb->modseq + 1 : floor;
    return mb->modseq;
}

static void note_change(struct mailbox *mb, struct mailbox_msg *m)
{
    struct err err = {0};

    m->modseq = next_modseq(mb);
    mb->changes++;
    if (mb->index != NULL &&
        index_put(mb->index, mb->validity, m->uid, m->flags, m->modseq, &err) < 0)
        lose_index(mb, &err);
}

static void note_gone(struct mailbox *mb, uint32_t uid)
{
    uint64_t modseq = next_modseq(mb);
    struct err err = {0};

    mb->changes++;
    if (mb->index != NULL && index_expunge(mb->index, mb->validity, uid, modseq, &err) < 0)
        lose_index(mb, &err);
}

static void note_folder(struct mailbox *mb)
{
    struct index_folder f = {mb->validity, mb->recent_from, mb->modseq};
    struct err err = {0};

    if (mb->index != NULL && index_put_folder(mb->index, &f, &err) < 0)
        lose_index(mb, &err);
}

static void index_start(struct mailbox *mb)
{
    struct err err = {0};

    if (mb->index != NULL && index_begin(mb->index, &err) < 0)
        lose_index(mb, &err);
}

static void index_finish(struct mailbox *mb, uint64_t changes)
{
    struct err err = {0};

    if (mb->index == NULL)
        return;
    if (mb->changes != changes)
        note_folder(mb);
    if (mb->index != NULL && index_commit(mb->index, &err) < 0)
        lose_index(mb, &err);
}

/* --- the list ------------------------------------------------------------------------------------
 */

static struct mailbox_msg *push(struct mailbox_msg **v, size_t *n, size_t *cap)
{
    if (*n == *cap) {
        *cap = *cap == 0 ? 16 : 2 * *cap;
        *v = mem_grow(*v, *cap, sizeof(**v));
    }
    return &(*v)[(*n)++];
}

static void remember(void *ctx, uint32_t uid, uint32_t flags, uint64_t modseq)
{
    struct mailbox *mb = ctx;

    if (mb->n < MAILBOX_MAX)
        *push(&mb->v, &mb->n, &mb->cap) =
            (struct mailbox_msg){.uid = uid, .flags = flags, .modseq = modseq};
}

size_t mailbox_from(const struct mailbox *mb, uint32_t uid)
{
    size_t lo = 0, hi = mb->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (mb->v[mid].uid < uid)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

ptrdiff_t mailbox_find(const struct mailbox *mb, uint32_t uid)
{
    size_t i = mailbox_from(mb, uid);

    return i < mb->n && mb->v[i].uid == uid ? (ptrdiff_t)i : -1;
}

static void free_list(struct mailbox *mb)
{
    for (size_t i = 0; i < mb->n; i++)
        free(mb->v[i].name);
    free(mb->v);
    mb->v = NULL;
    mb->n = 0;
    mb->cap = 0;
}

/* --- sync ----------------------------------------------------------------------------------------
 */

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool is_fresh(struct timespec t, struct timespec now)
{
    int64_t age = (now.tv_sec - t.tv_sec) * 1000000000LL + (now.tv_nsec - t.tv_nsec);

    return age < TICK_NS;
}

struct look {
    struct timespec new_mtime, cur_mtime;
    bool new_changed, cur_changed;
};

static int look(struct mailbox *mb, struct look *out, struct err *err)
{
    struct stat n, c;

    if (fstat(mb->new_fd, &n) < 0 || fstat(mb->cur_fd, &c) < 0)
        return err_set(err, errno, "look at folder '%s'", mb->name);
    if (c.st_nlink == 0)
        return err_set(err, ENOENT, "folder '%s'", mb->name);
    out->new_mtime = n.st_mtim;
    out->cur_mtime = c.st_mtim;
    out->new_changed = !same_time(n.st_mtim, mb->new_mtime);
    out->cur_changed = !same_time(c.st_mtim, mb->cur_mtime);
    return 0;
}

static bool may_differ(const struct mailbox *mb, const struct look *l)
{
    return l->new_changed || l->cur_changed || mb->unsure_new || mb->unsure_cur;
}

/* The times of the look before the scan are remembered: what changes later differs from them,
 * unless it falls in the same tick. Where the scan itself renamed files, the times since. */
static int looked(struct mailbox *mb, const struct look *before, bool renamed, struct err *err)
{
    struct look l = *before;
    struct timespec now;

    if (renamed && look(mb, &l, err) < 0)
        return -1;
    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail; the clock file times come from */
    mb->new_mtime = l.new_mtime;
    mb->cur_mtime = l.cur_mtime;
    mb->unsure_new = is_fresh(l.new_mtime, now);
    mb->unsure_cur = is_fresh(l.cur_mtime, now);
    return 0;
}

enum extent {
    ONLY_NEW,
    NEW_AND_CUR
};

static void take_found(struct mailbox_msg *m, struct scan_msg *f)
{
    free(m->name);
    m->name = take_ptr(&f->name);
    m->in_new = f->in_new;
    m->size = f->size;
    if (f->vsize != MAILDIR_NO_SIZE || m->vsize == 0)
        m->vsize = f->vsize;
}

static void merge_one(struct mailbox *mb, struct mailbox_msg *m, struct scan_msg *f)
{
    bool changed = m->flags != f->flags;

    take_found(m, f);
    m->flags = f->flags;
    if (changed)
        note_change(mb, m);
}

static void merge(struct mailbox *mb, struct scan *s, enum extent extent)
{
    struct mailbox_msg *v = NULL;
    size_t n = 0, cap = 0, i = 0, j = 0;

    while (i < mb->n || j < s->n) {
        bool old = i < mb->n && (j >= s->n || mb->v[i].uid <= s->v[j].uid);
        bool found = j < s->n && (i >= mb->n || s->v[j].uid <= mb->v[i].uid);

        if (old && !found && extent == ONLY_NEW && !mb->v[i].in_new) {
            *push(&v, &n, &cap) = mb->v[i++];
            continue;
        }
        if (old && !found) {
            note_gone(mb, mb->v[i].uid);
            free(mb->v[i++].name);
            continue;
        }
        *push(&v, &n, &cap) = old ? mb->v[i++] : (struct mailbox_msg){.uid = s->v[j].uid};
        if (old)
            merge_one(mb, &v[n - 1], &s->v[j]);
        else {
            take_found(&v[n - 1], &s->v[j]);
            v[n - 1].flags = s->v[j].flags;
            note_change(mb, &v[n - 1]);
        }
        j++;
    }
    free(mb->v);
    mb->v = v;
    mb->n = n;
    mb->cap = cap;
}

/* Does the scan lack a message that should be there, or have one twice? After a look at new/ alone,
 * what is in cur/ counts as there. */
static bool is_odd(const struct mailbox *mb, const struct scan *s, enum extent extent)
{
    size_t j = 0;

    for (size_t i = 0; i < mb->n; i++) {
        bool known = extent == ONLY_NEW && !mb->v[i].in_new, found;

        while (j < s->n && s->v[j].uid < mb->v[i].uid)
            j++;
        found = j < s->n && s->v[j].uid == mb->v[i].uid;
        if (found == known)
            return true;
    }
    return false;
}

static int read_dirs(struct mailbox *mb, struct scan *s, enum extent extent, struct err *err)
{
    scan_init(s, &mb->uid, mb->new_fd, mb->cur_fd);
    if (extent == NEW_AND_CUR && scan_dir(s, SCAN_CUR, err) < 0)
        return -1;
    if (scan_dir(s, SCAN_NEW, err) < 0)
        return -1;
    return scan_settle(s, err);
}

/* A file that another program renames while the directory is read may be missed: nothing is taken
 * for gone before a second look. */
static int read_twice_if_needed(struct mailbox *mb, struct scan *s, enum extent *extent,
                                struct err *err)
{
    if (read_dirs(mb, s, *extent, err) < 0)
        return -1;
    if (!is_odd(mb, s, *extent))
        return 0;
    scan_done(s);
    *extent = NEW_AND_CUR;
    return read_dirs(mb, s, *extent, err);
}

static int scan_locked(struct mailbox *mb, const struct look *l, struct err *err)
{
    enum extent extent = l->cur_changed || mb->unsure_cur ? NEW_AND_CUR : ONLY_NEW;
    uint32_t all = 0;
    struct scan s;
    int rc = read_twice_if_needed(mb, &s, &extent, err);

    if (rc == 0) {
        merge(mb, &s, extent);
        mb->next = mb->uid.next;
        for (size_t i = 0; i < mb->n; i++)
            all |= mb->v[i].flags;
        rc = keyword_name_all(&mb->keywords, all, err);
    }
    if (rc == 0)
        rc = looked(mb, l, s.renamed, err);
    scan_done(&s);
    return rc;
}

/* Keywords that another process added since. */
static int reload_keywords(struct mailbox *mb, struct err *err)
{
    struct keywords fresh;

    if (keyword_load(&fresh, mb->folder_fd, err) < 0)
        return -1;
    keyword_done(&mb->keywords);
    mb->keywords = fresh;
    return 0;
}

/* The lock is held and an index transaction open. */
static int sync_locked(struct mailbox *mb, struct err *err)
{
    struct look l;

    if (look(mb, &l, err) < 0)
        return -1;
    if (!may_differ(mb, &l))
        return 0;
    if (reload_keywords(mb, err) < 0)
        return -1;
    return scan_locked(mb, &l, err);
}

int mailbox_sync(struct mailbox *mb, struct err *err)
{
    uint64_t changes = mb->changes;
    struct look l;
    int rc;

    if (look(mb, &l, err) < 0)
        return -1;
    if (!may_differ(mb, &l))
        return 0;
    if (uid_lock(&mb->uid, err) < 0)
        return -1;
    index_start(mb);
    rc = sync_locked(mb, err);
    index_finish(mb, changes);
    uid_unlock(&mb->uid);
    return rc;
}

/* --- open and close
 * ------------------------------------------------------------------------------- */

static void load_index(struct mailbox *mb)
{
    struct index_folder f = {.validity = mb->validity};
    struct err err = {0};

    if (mb->index == NULL)
        return;
    if (index_load(mb->index, &f, remember, mb, &err) < 0) {
        lose_index(mb, &err);
        free_list(mb);
        return;
    }
    mb->modseq = f.modseq;
    mb->recent_from = f.recent_from;
}

static int open_dirs(struct mailbox *mb, struct err *err)
{
    mb->folder_fd = folder_open(mb->home_fd, str_of(mb->name), err);
    if (mb->folder_fd < 0)
        return -1;
    mb->new_fd = store_opendir(mb->folder_fd, "new", err);
    mb->cur_fd = mb->new_fd < 0 ? -1 : store_opendir(mb->folder_fd, "cur", err);
    return mb->cur_fd < 0 ? -1 : 0;
}

static int first_sync(struct mailbox *mb, struct err *err)
{
    if (uid_open(&mb->uid, mb->st, mb->home_fd, mb->folder_fd, err) < 0)
        return -1;
    if (uid_lock(&mb->uid, err) < 0)
        return -1;
    mb->validity = mb->uid.validity;
    mb->next = mb->uid.next;
    uid_unlock(&mb->uid);
    load_index(mb);
    mb->unsure_cur = true;
    return mailbox_sync(mb, err);
}

struct mailbox *mailbox_new(const struct store *st, int home_fd, struct index *index,
                            struct str name, struct err *err)
{
    struct mailbox *mb = mem_type(struct mailbox);

    mb->st = st;
    mb->home_fd = home_fd;
    mb->index = index;
    mb->folder_fd = mb->new_fd = mb->cur_fd = mb->uid.fd = -1;
    if (folder_canonical(name, mb->name, err) < 0 || open_dirs(mb, err) < 0 ||
        first_sync(mb, err) < 0) {
        mailbox_free(mb);
        return NULL;
    }
    return mb;
}

void mailbox_free(struct mailbox *mb)
{
    if (mb == NULL)
        return;
    free_list(mb);
    keyword_done(&mb->keywords);
    uid_close(&mb->uid);
    own_close_fd(&mb->new_fd);
    own_close_fd(&mb->cur_fd);
    own_close_fd(&mb->folder_fd);
    free(mb);
}

/* --- changes
 * -------------------------------------------------------------------------------------- */

int mailbox_begin(struct mailbox *mb, struct err *err)
{
    uint64_t changes = mb->changes;

    if (uid_lock(&mb->uid, err) < 0)
        return -1;
    index_start(mb);
    if (sync_locked(mb, err) < 0) {
        index_finish(mb, changes);
        uid_unlock(&mb->uid);
        return -1;
    }
    mb->begin_changes = changes;
    mb->removed_bytes = 0;
    mb->removed_n = 0;
    return 0;
}

int mailbox_set_flags(struct mailbox *mb, size_t i, uint32_t flags, struct err *err)
{
    own_buf struct buf to = BUF_INIT(MAILDIR_NAME_MAX);
    struct mailbox_msg *m = &mb->v[i];
    struct maildir_name parsed;

    if (m->flags == flags)
        return 0;
    if (!maildir_parse(str_of(m->name), &parsed))
        return err_set(err, EINVAL, "name of message %u", m->uid);
    maildir_format(parsed.base, flags, parsed.unknown, &to);
    if (buf_check(&to, "name of a message", err) < 0)
        return -1;
    if (renameat(m->in_new ? mb->new_fd : mb->cur_fd, m->name, mb->cur_fd, buf_c(&to)) < 0)
        return err_set(err, errno, "rename message %u", m->uid);
    free(m->name);
    m->name = buf_take(&to);
    m->in_new = false;
    m->flags = flags;
    note_change(mb, m);
    return 0;
}

int mailbox_remove(struct mailbox *mb, size_t i, struct err *err)
{
    struct mailbox_msg *m = &mb->v[i];
    int dir_fd = m->in_new ? mb->new_fd : mb->cur_fd;
    struct stat st;

    if (m->size == MAILDIR_NO_SIZE && fstatat(dir_fd, m->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        m->size = (uint64_t)st.st_size;
    if (unlinkat(dir_fd, m->name, 0) < 0 && errno != ENOENT)
        return err_set(err, errno, "remove message %u", m->uid);
    if (m->size < INT64_MAX / 4)
        mb->removed_bytes += (int64_t)m->size;
    mb->removed_n++;
    free(m->name);
    m->name = NULL;
    note_gone(mb, m->uid);
    return 0;
}

static void compact(struct mailbox *mb)
{
    size_t kept = 0;

    for (size_t i = 0; i < mb->n; i++)
        if (mb->v[i].name != NULL)
            mb->v[kept++] = mb->v[i];
    mb->n = kept;
}

void mailbox_end(struct mailbox *mb)
{
    struct err ignored = {0};
    struct look l;

    compact(mb);
    index_finish(mb, mb->begin_changes);
    if (look(mb, &l, &ignored) == 0) { /* what the times say now was our own doing */
        mb->new_mtime = l.new_mtime;
        mb->cur_mtime = l.cur_mtime;
    }
    uid_unlock(&mb->uid);
    if (mb->removed_n > 0) /* a sum that is off is put right at the next recount */
        (void)quota_add(mb->home_fd, mb->st->quota, -mb->removed_bytes, -mb->removed_n, &ignored);
}

uint32_t mailbox_claim_recent(struct mailbox *mb)
{
    uint32_t from = mb->recent_from;

    if (from == mb->next)
        return from;
    mb->recent_from = mb->next;
    note_folder(mb);
    return from;
}

/* --- files
 * ---------------------------------------------------------------------------------------- */

static int open_at(const struct mailbox *mb, size_t i)
{
    const struct mailbox_msg *m = &mb->v[i];

    return openat(m->in_new ? mb->new_fd : mb->cur_fd, m->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
}

int mailbox_open_msg(struct mailbox *mb, uint32_t uid, struct err *err)
{
    for (unsigned attempt = 0; attempt < 2; attempt++) {
        ptrdiff_t i = mailbox_find(mb, uid);
        int fd = i < 0 ? -1 : open_at(mb, (size_t)i);

        if (fd >= 0)
            return fd;
        if (i >= 0 && errno != ENOENT)
            return err_set(err, errno, "open message %u", uid);
        mb->unsure_cur = true; /* renamed by another program, perhaps */
        if (attempt == 0 && mailbox_sync(mb, err) < 0)
            return -1;
    }
    return err_set(err, ENOENT, "message %u", uid);
}

int mailbox_vsize(struct mailbox *mb, size_t i, uint64_t *out, struct err *err)
{
    own_fd int fd = -1;

    if (mb->v[i].vsize == MAILDIR_NO_SIZE) {
        fd = open_at(mb, i);
        if (fd < 0)
            return err_set(err, errno, "open message %u", mb->v[i].uid);
        if (msgfile_vsize(fd, &mb->v[i].vsize, err) < 0)
            return -1;
    }
    *out = mb->v[i].vsize;
    return 0;
}

int mailbox_date(struct mailbox *mb, size_t i, struct timespec *out, struct err *err)
{
    const struct mailbox_msg *m = &mb->v[i];
    struct stat st;

    if (fstatat(m->in_new ? mb->new_fd : mb->cur_fd, m->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_set(err, errno, "look at message %u", m->uid);
    *out = st.st_mtim;
    return 0;
}
