/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file is one write of UID_TEXT bytes, within a sector, so it is never seen half:
 *
 *     mailstack-uid 1\nVALIDITY EDGE\nBOOT NEXT\n
 *
 * NEXT is written before the message is renamed, so that a kill between the two skips a UID rather
 * than giving it twice.
 */
#include "mailstack/lib/store/uid.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"

#include "mailstack/lib/store/maildir.h"
#include "mailstack/lib/store/store.h"

#define UID_TEXT_MAX  256
#define VALIDITY_FILE "mailstack-uidvalidity"

static int lock_file(int fd, const char *name, struct err *err)
{
    while (flock(fd, LOCK_EX) < 0)
        if (errno != EINTR)
            return err_set(err, errno, "lock '%s'", name);
    return 0;
}

static ssize_t read_text(int fd, char text[UID_TEXT_MAX], const char *name, struct err *err)
{
    ssize_t n = pread(fd, text, UID_TEXT_MAX, 0);

    return n < 0 ? err_set(err, errno, "read '%s'", name) : n;
}

static int write_text(int fd, struct str text, const char *name, struct err *err)
{
    ssize_t n = pwrite(fd, text.p, text.n, 0);

    if (n < 0)
        return err_set(err, errno, "write '%s'", name);
    if ((size_t)n != text.n)
        return err_set(err, ENOSPC, "write '%s'", name);
    return 0;
}

/* A UIDVALIDITY that no folder of this home ever had. */
static int new_validity(int home_fd, uint32_t *out, struct err *err)
{
    own_fd int fd =
        openat(home_fd, VALIDITY_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, STORE_FILE_MODE);
    own_buf struct buf line = BUF_INIT(32);
    char text[UID_TEXT_MAX];
    uint32_t last = 0, now = (uint32_t)clock_wall_s();
    struct err ignored;
    ssize_t n;

    if (fd < 0)
        return err_set(err, errno, "open '%s'", VALIDITY_FILE);
    (void)fchmod(fd, STORE_FILE_MODE); /* against the umask; only its maker can */
    if (lock_file(fd, VALIDITY_FILE, err) < 0)
        return -1;
    n = read_text(fd, text, VALIDITY_FILE, err);
    if (n < 0)
        return -1;
    if (num_parse_u32(str_trim((struct str){text, (size_t)n}), 0, UINT32_MAX - 1, &last, &ignored) <
        0)
        last = 0; /* empty: just made */
    last = last >= now ? last + 1 : now;
    buf_printf(&line, "%010u\n", last);
    if (write_text(fd, buf_str(&line), VALIDITY_FILE, err) < 0 ||
        file_sync(fd, VALIDITY_FILE, err) < 0)
        return -1;
    *out = last;
    return 0;
}

static bool next_u32(struct str *rest, char end, uint32_t *out)
{
    struct err ignored;
    struct str field;

    if (!str_cut(*rest, end, &field, rest))
        return false;
    while (field.n > 1 && field.p[0] == '0')
        field = str_skip(field, 1);
    return num_parse_u32(field, 0, UINT32_MAX, out, &ignored) == 0;
}

static bool parse(struct uid *u, struct str text)
{
    uint32_t validity, edge, next;
    struct str head, boot;

    if (!str_cut(text, '\n', &head, &text) || !str_eq_c(head, "mailstack-uid 1"))
        return false;
    if (!next_u32(&text, ' ', &validity) || !next_u32(&text, '\n', &edge))
        return false;
    if (!str_cut(text, ' ', &boot, &text) || !next_u32(&text, '\n', &next))
        return false;
    if (validity == 0 || edge == 0 || next == 0 || next > edge)
        return false;
    u->validity = validity;
    u->edge = edge;
    u->next = boot.n > 0 && str_eq_c(boot, u->st->boot) ? next : edge;
    return true;
}

static int save(struct uid *u, struct err *err)
{
    own_buf struct buf text = BUF_INIT(UID_TEXT_MAX);

    buf_printf(&text, "mailstack-uid 1\n%010u %010u\n%s %010u\n", u->validity, u->edge, u->st->boot,
               u->next);
    return write_text(u->fd, buf_str(&text), UID_FILE, err);
}

static void look_at_names(struct uid *u, const char *sub)
{
    int fd = openat(u->folder_fd, sub, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *e;
    struct maildir_name m;

    if (dir == NULL) {
        own_close_fd(&fd);
        return;
    }
    while ((e = readdir(dir)) != NULL) {
        if (!maildir_parse(str_of(e->d_name), &m) || m.uid == 0 || m.validity < u->validity)
            continue;
        if (m.validity > u->validity)
            u->next = 1;
        u->validity = m.validity;
        if (m.uid >= u->next && m.uid < UINT32_MAX - UID_BLOCK)
            u->next = m.uid + UID_BLOCK; /* what was above may have been expunged since */
    }
    (void)closedir(dir); /* only read from */
}

/* The file is new, or was lost: the names of the messages know what there was. */
static int recover(struct uid *u, struct err *err)
{
    u->validity = 0;
    u->next = 1;
    look_at_names(u, "cur");
    look_at_names(u, "new");
    if (u->validity == 0 && new_validity(u->home_fd, &u->validity, err) < 0)
        return -1;
    u->edge = u->next;
    if (save(u, err) < 0 || file_sync(u->fd, UID_FILE, err) < 0)
        return -1;
    return file_sync_dir(u->folder_fd, ".", err);
}

int uid_open(struct uid *u, const struct store *st, int home_fd, int folder_fd, struct err *err)
{
    int fd =
        openat(folder_fd, UID_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, STORE_FILE_MODE);

    if (fd < 0)
        return err_set(err, errno, "open '%s'", UID_FILE);
    *u = (struct uid){.st = st, .home_fd = home_fd, .folder_fd = folder_fd, .fd = fd};
    return 0;
}

void uid_close(struct uid *u)
{
    own_close_fd(&u->fd);
    u->fd = -1;
}

int uid_lock(struct uid *u, struct err *err)
{
    char text[UID_TEXT_MAX];
    ssize_t n;

    if (lock_file(u->fd, UID_FILE, err) < 0)
        return -1;
    n = read_text(u->fd, text, UID_FILE, err);
    if (n == 0)
        (void)fchmod(u->fd, STORE_FILE_MODE); /* just made: against the umask */
    if (n < 0 || (!parse(u, (struct str){text, (size_t)n}) && recover(u, err) < 0)) {
        uid_unlock(u);
        return -1;
    }
    return 0;
}

void uid_unlock(struct uid *u)
{
    (void)flock(u->fd, LOCK_UN); /* cannot fail on an open descriptor */
}

int uid_take(struct uid *u, uint32_t n, uint32_t *first, struct err *err)
{
    uint32_t from = u->next, edge = u->edge;

    if (n > UINT32_MAX - UID_BLOCK - 1 || from > UINT32_MAX - UID_BLOCK - 1 - n)
        return err_set(err, EOVERFLOW, "no UID is left");
    u->next = from + n;
    if (u->next > u->edge)
        u->edge = u->next + UID_BLOCK;
    if (save(u, err) < 0 || (u->edge != edge && file_sync(u->fd, UID_FILE, err) < 0)) {
        u->next = from;
        u->edge = edge;
        return -1;
    }
    *first = from;
    return 0;
}
