/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/store/quota.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"
#include "runtime/base/str.h"

#include "mailstack/lib/store/folder.h"
#include "mailstack/lib/store/maildir.h"
#include "mailstack/lib/store/store.h"

struct sum {
    int fd; /* locked */
    int home_fd;
    bool has_limit;
    uint64_t limit;
    int64_t bytes;
    int64_t count;
    int64_t
        counted_s; /* when the sum was last taken from the directories: the file's first write */
};

static int open_locked(int home_fd, struct err *err)
{
    own_fd int fd = openat(home_fd, QUOTA_FILE,
                           O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, STORE_FILE_MODE);

    if (fd < 0)
        return err_set(err, errno, "open '%s'", QUOTA_FILE);
    while (flock(fd, LOCK_EX) < 0)
        if (errno != EINTR)
            return err_set(err, errno, "lock '%s'", QUOTA_FILE);
    return take_fd(&fd);
}

static bool parse_line(struct str line, struct sum *s)
{
    struct err ignored;
    struct str a, b;
    int64_t bytes, count;

    if (!str_cut(str_trim(line), ' ', &a, &b))
        return false;
    if (num_parse_i64(a, INT64_MIN / 4, INT64_MAX / 4, &bytes, &ignored) < 0 ||
        num_parse_i64(str_trim(b), INT64_MIN / 4, INT64_MAX / 4, &count, &ignored) < 0)
        return false;
    return !__builtin_add_overflow(s->bytes, bytes, &s->bytes) &&
           !__builtin_add_overflow(s->count, count, &s->count);
}

/* "100S,5C": a limit of messages, which others may have set, is not ours to keep. */
static void parse_limit(struct str line, struct sum *s)
{
    struct err ignored;
    struct str part;

    while (str_next(&line, ',', &part)) {
        part = str_trim(part);
        if (str_ends(part, STR("S")) &&
            num_parse_u64(str_head(part, part.n - 1), 0, INT64_MAX, &s->limit, &ignored) == 0)
            s->has_limit = true;
    }
}

static bool parse(struct str text, struct sum *s)
{
    struct str line;

    if (!str_cut(text, '\n', &line, &text))
        return false;
    parse_limit(line, s);
    while (str_next(&text, '\n', &line))
        if (line.n > 0 && !parse_line(line, s))
            return false;
    return s->has_limit && s->bytes >= 0 && s->count >= 0;
}

static void count_dir(int folder_fd, const char *sub, struct sum *s)
{
    int fd = openat(folder_fd, sub, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *e;
    struct maildir_name m;
    struct stat st;

    if (dir == NULL) {
        own_close_fd(&fd);
        return;
    }
    while ((e = readdir(dir)) != NULL) {
        if (!maildir_parse(str_of(e->d_name), &m))
            continue;
        if (m.size == MAILDIR_NO_SIZE && fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
            m.size = (uint64_t)st.st_size;
        if (m.size > INT64_MAX / 4)
            continue;
        s->bytes += (int64_t)m.size;
        s->count++;
    }
    (void)closedir(dir); /* only read from */
}

static int count_all(struct sum *s, struct err *err)
{
    struct folder_names names = {0};

    if (folder_list(s->home_fd, &names, err) < 0)
        return -1;
    s->bytes = 0;
    s->count = 0;
    for (size_t i = 0; i < names.n; i++) {
        struct err ignored = {0};
        own_fd int fd = folder_open(s->home_fd, str_of(names.v[i]), &ignored);

        if (fd < 0)
            continue; /* deleted meanwhile, or not a folder */
        count_dir(fd, "cur", s);
        count_dir(fd, "new", s);
    }
    folder_names_done(&names);
    return 0;
}

/* In place, under the lock: a reader of ours waits for it. */
static int rewrite(struct sum *s, struct err *err)
{
    own_buf struct buf text = BUF_INIT(128);

    buf_printf(&text, "%lluS\n%lld %lld\n", (unsigned long long)s->limit, (long long)s->bytes,
               (long long)s->count);
    if (ftruncate(s->fd, 0) < 0)
        return err_set(err, errno, "truncate '%s'", QUOTA_FILE);
    return fd_write_all(s->fd, buf_str(&text), err);
}

static int recount(struct sum *s, struct err *err)
{
    if (count_all(s, err) < 0)
        return -1;
    s->counted_s = clock_wall_s();
    return rewrite(s, err);
}

static int load(struct sum *s, int home_fd, uint64_t told, uint64_t dflt, struct err *err)
{
    char text[QUOTA_FILE_MAX + 1];
    struct stat st;
    uint64_t limit;
    bool sound;
    ssize_t n;

    *s = (struct sum){.home_fd = home_fd, .fd = open_locked(home_fd, err)};
    if (s->fd < 0)
        return -1;
    n = pread(s->fd, text, sizeof(text), 0);
    if (n < 0 || fstat(s->fd, &st) < 0)
        return err_set(err, errno, "read '%s'", QUOTA_FILE);
    if (n == 0)
        (void)fchmod(s->fd, STORE_FILE_MODE); /* just made: against the umask */
    s->counted_s = st.st_mtime;
    sound = n <= QUOTA_FILE_MAX && parse((struct str){text, (size_t)n}, s);
    limit = told != QUOTA_NOT_TOLD ? told : s->has_limit ? s->limit : dflt;
    if (sound && limit == s->limit)
        return 0;
    s->limit = limit;
    return sound ? rewrite(s, err) : recount(s, err);
}

static int append(struct sum *s, int64_t bytes, int64_t count, struct err *err)
{
    own_buf struct buf line = BUF_INIT(64);

    buf_printf(&line, "%lld %lld\n", (long long)bytes, (long long)count);
    return fd_write_all(s->fd, buf_str(&line), err);
}

int quota_get(int home_fd, uint64_t told, uint64_t dflt, struct quota *out, struct err *err)
{
    struct sum s;
    int rc = load(&s, home_fd, told, dflt, err);

    own_close_fd(&s.fd);
    if (rc == 0)
        *out = (struct quota){s.limit, (uint64_t)s.bytes, (uint64_t)s.count};
    return rc;
}

static bool fits(const struct sum *s, uint64_t bytes)
{
    return s->limit == 0 || (bytes <= s->limit && (uint64_t)s->bytes <= s->limit - bytes);
}

static int reserve(struct sum *s, uint64_t bytes, struct err *err)
{
    if (!fits(s, bytes) && s->counted_s < clock_wall_s() - QUOTA_STALE_S && recount(s, err) < 0)
        return -1;
    if (!fits(s, bytes))
        return err_set(err, EDQUOT, "%lld of %llu bytes are used", (long long)s->bytes,
                       (unsigned long long)s->limit);
    return append(s, (int64_t)bytes, 1, err);
}

int quota_reserve(int home_fd, uint64_t told, uint64_t dflt, uint64_t bytes, struct err *err)
{
    struct sum s;
    int rc;

    if (bytes > INT64_MAX / 4)
        return err_set(err, EDQUOT, "message of %llu bytes", (unsigned long long)bytes);
    rc = load(&s, home_fd, told, dflt, err);
    if (rc == 0)
        rc = reserve(&s, bytes, err);
    own_close_fd(&s.fd);
    return rc;
}

int quota_add(int home_fd, uint64_t dflt, int64_t bytes, int64_t count, struct err *err)
{
    struct sum s;
    int rc = load(&s, home_fd, QUOTA_NOT_TOLD, dflt, err);

    if (rc == 0)
        rc = append(&s, bytes, count, err);
    own_close_fd(&s.fd);
    return rc;
}
