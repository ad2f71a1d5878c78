/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/fd.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"
#include "runtime/base/path.h"

int fd_write_all(int fd, struct str s, struct err *err)
{
    while (s.n > 0) {
        ssize_t n = write(fd, s.p, s.n);

        if (n >= 0)
            s = str_skip(s, (size_t)n);
        else if (errno != EINTR)
            return err_set(err, errno, "write");
    }
    return 0;
}

ssize_t fd_read_full(int fd, void *p, size_t n, struct err *err)
{
    size_t have = 0;

    while (have < n) {
        ssize_t got = read(fd, (char *)p + have, n - have);

        if (got == 0)
            break;
        if (got > 0)
            have += (size_t)got;
        else if (errno != EINTR)
            return err_set(err, errno, "read");
    }
    return (ssize_t)have;
}

/* --- flags ----------------------------------------------------------------------------------- */

int fd_set_nonblock(int fd, bool on, struct err *err)
{
    int old = fcntl(fd, F_GETFL);
    int want = on ? old | O_NONBLOCK : old & ~O_NONBLOCK;

    if (old < 0 || (want != old && fcntl(fd, F_SETFL, want) < 0))
        return err_set(err, errno, "set the flags of descriptor %d", fd);
    return 0;
}

int fd_set_cloexec(int fd, struct err *err)
{
    int old = fcntl(fd, F_GETFD);

    if (old < 0 || ((old & FD_CLOEXEC) == 0 && fcntl(fd, F_SETFD, old | FD_CLOEXEC) < 0))
        return err_set(err, errno, "set the flags of descriptor %d", fd);
    return 0;
}

void fd_close(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

int fd_close_from(int first, struct err *err)
{
    assert(first >= 0);
    if (close_range((unsigned)first, ~0U, 0) < 0)
        return err_set(err, errno, "close the descriptors from %d on", first);
    return 0;
}

int fd_pipe(int out[2], struct err *err)
{
    return pipe2(out, O_CLOEXEC) < 0 ? err_set(err, errno, "make a pipe") : 0;
}

int fd_socketpair(int type, int out[2], struct err *err)
{
    if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, out) < 0)
        return err_set(err, errno, "make a pair of sockets");
    return 0;
}

/* --- passing descriptors --------------------------------------------------------------------- */

/* Aligned room for the control message. */
union control {
    struct cmsghdr head;
    char room[CMSG_SPACE(sizeof(int) * FD_PASS_MAX)];
};

int fd_send(int sock, struct str data, const int *fds, size_t fds_n, struct err *err)
{
    struct iovec iov = {.iov_len = data.n};
    union control control = {.room = {0}};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t n;

    assert(fds_n <= FD_PASS_MAX);
    memcpy(&iov.iov_base, &data.p, sizeof(data.p)); /* only read by the kernel */
    if (fds_n > 0) {
        msg.msg_control = &control;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * fds_n);
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(sizeof(int) * fds_n);
        memcpy(CMSG_DATA(&control.head), fds, sizeof(int) * fds_n);
    }
    do
        n = sendmsg(sock, &msg, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_set(err, errno, "send a message");
    if ((size_t)n < data.n)
        return err_set(err, EMSGSIZE, "send a message of %zu bytes, of which %zd went", data.n, n);
    return 0;
}

static void close_all(const int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        own_close_fd(&fds[i]);
}

/* The descriptors of a message into all[]; how many. */
static size_t collect(struct msghdr *msg, int all[FD_PASS_MAX])
{
    size_t n = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
        size_t k = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        assert(k <= FD_PASS_MAX - n); /* the control buffer has no room for more */
        memcpy(all + n, CMSG_DATA(c), k * sizeof(int));
        n += k;
    }
    return n;
}

ssize_t fd_recv(int sock, void *p, size_t n, int *fds, size_t *fds_n, struct err *err)
{
    struct iovec iov = {.iov_base = p, .iov_len = n};
    union control control = {.room = {0}};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof(control.room)};
    size_t room = fds_n == NULL ? 0 : *fds_n;
    int all[FD_PASS_MAX];
    size_t all_n;
    ssize_t got;

    do
        got = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return err_set(err, errno, "receive a message");
    all_n = collect(&msg, all);
    if (all_n > room || (msg.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) != 0) {
        close_all(all, all_n);
        return err_set(err, EMSGSIZE, "receive a message of more than %zu bytes or %zu descriptors",
                       n, room);
    }
    if (all_n > 0)
        memcpy(fds, all, all_n * sizeof(int));
    if (fds_n != NULL)
        *fds_n = all_n;
    return got;
}

/* --- unix sockets ---------------------------------------------------------------------------- */

/* The address of a path. One too long for sun_path is reached through its directory, which dir_fd
 * keeps open; the caller closes it. */
static int unix_addr(const char *path, struct sockaddr_un *addr, int *dir_fd, struct err *err)
{
    struct str p = str_of(path);
    own_buf struct buf dir = BUF_INIT(PATH_MAX);
    int n;

    *addr = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (p.n < sizeof(addr->sun_path)) {
        memcpy(addr->sun_path, path, p.n + 1);
        return 0;
    }
    buf_append(&dir, path_dir(p));
    if (buf_check(&dir, "a path", err) < 0)
        return -1;
    *dir_fd = open(buf_c(&dir), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*dir_fd < 0)
        return err_set(err, errno, "open '%s'", buf_c(&dir));
    n = snprintf(addr->sun_path, sizeof(addr->sun_path), "/proc/self/fd/%d/%s", *dir_fd,
                 path_base(p).p);
    if (n < 0 || (size_t)n >= sizeof(addr->sun_path))
        return err_set(err, ENAMETOOLONG, "socket '%s'", path);
    return 0;
}

static int unix_connect_addr(int fd, const struct sockaddr_un *addr)
{
    int rc;

    do
        rc = connect(fd, (const struct sockaddr *)addr, sizeof(*addr));
    while (rc < 0 && errno == EINTR);
    return rc;
}

int fd_unix_connect(const char *path, int type, struct err *err)
{
    own_fd int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    own_fd int dir_fd = -1;
    struct sockaddr_un addr;

    if (fd < 0)
        return err_set(err, errno, "make a socket");
    if (unix_addr(path, &addr, &dir_fd, err) < 0)
        return -1;
    if (unix_connect_addr(fd, &addr) < 0)
        return err_set(err, errno, "connect to '%s'", path);
    return take_fd(&fd);
}

/* Removes a socket nobody listens on. One that is in use stays, and so does what is no socket:
 * bind will say so. */
static int unlink_stale(const char *path, int type, const struct sockaddr_un *addr, struct err *err)
{
    own_fd int probe_fd = -1;
    struct stat st;

    if (lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
        return 0;
    probe_fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe_fd < 0)
        return err_set(err, errno, "make a socket");
    if (unix_connect_addr(probe_fd, addr) == 0 || errno != ECONNREFUSED)
        return 0;
    if (unlink(path) < 0 && errno != ENOENT)
        return err_set(err, errno, "remove the stale socket '%s'", path);
    return 0;
}

int fd_unix_listen(const char *path, int type, mode_t mode, int backlog, struct err *err)
{
    own_fd int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    own_fd int dir_fd = -1;
    struct sockaddr_un addr;

    if (fd < 0)
        return err_set(err, errno, "make a socket");
    if (unix_addr(path, &addr, &dir_fd, err) < 0 || unlink_stale(path, type, &addr, err) < 0)
        return -1;
    /* The mode of the unbound socket is the most its name will ever have: there is no moment in
     * which others may connect. */
    if (fchmod(fd, mode) < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        return err_set(err, errno, "bind '%s'", path);
    if (chmod(path, mode) < 0)
        return err_set(err, errno, "set the mode of '%s'", path);
    if ((type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)) != SOCK_DGRAM && listen(fd, backlog) < 0)
        return err_set(err, errno, "listen on '%s'", path);
    return take_fd(&fd);
}
