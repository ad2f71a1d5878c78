/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"

static void load_boot(struct store *st)
{
    own_buf struct buf text = BUF_INIT(STORE_BOOT_MAX);
    struct err ignored = {0};
    struct str id;

    if (file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", &text, &ignored) < 0)
        return; /* every opening then counts as a new boot: UIDs are skipped, none is reused */
    id = str_trim(buf_str(&text));
    if (id.n >= STORE_BOOT_MAX || str_find(id, ' ') >= 0)
        return;
    for (size_t i = 0; i < id.n; i++)
        st->boot[i] = id.p[i];
}

static void load_host(struct store *st, struct str hostname)
{
    size_t n = 0;

    for (size_t i = 0; i < hostname.n && n < STORE_HOST_MAX - 1; i++) {
        char c = hostname.p[i];

        if (ascii_is_alnum(c) || c == '.' || c == '-')
            st->host[n++] = c;
    }
    if (n == 0)
        st->host[n++] = 'h';
    st->host[n] = '\0';
}

int store_open(struct store *st, const char *path, struct str hostname, uint64_t quota,
               struct err *err)
{
    struct store made = {.quota = quota};

    made.root_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (made.root_fd < 0)
        return err_set(err, errno, "open the mail volume '%s'", path);
    load_boot(&made);
    load_host(&made, hostname);
    *st = made;
    return 0;
}

void store_close(struct store *st)
{
    own_close_fd(&st->root_fd);
    st->root_fd = -1;
}

int store_mkdir(int dir_fd, const char *name, struct err *err)
{
    if (mkdirat(dir_fd, name, 0770) < 0)
        return errno == EEXIST ? 0 : err_set(err, errno, "make directory '%s'", name);
    /* mkdir(2) ignores the set-group-id bit, and the umask may have taken the group's. */
    if (fchmodat(dir_fd, name, STORE_DIR_MODE, 0) < 0)
        return err_set(err, errno, "set the mode of '%s'", name);
    return 0;
}

int store_opendir(int dir_fd, const char *name, struct err *err)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    return fd < 0 ? err_set(err, errno, "open directory '%s'", name) : fd;
}
