/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/container/notify.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/own.h"
#include "runtime/base/str.h"
#include "runtime/container/container.h"

#define MESSAGE_MAX      4096 /* what systemd reads of one */
#define MESSAGES_AT_ONCE 8

const char *container_notify_source(const struct container_env *env, const char *id,
                                    struct arena *a)
{
    return arena_printf(a, "%s/%s/" NOTIFY_DIR, env->root, id);
}

int notify_make(int dir_fd, struct err *err)
{
    return mkdirat(dir_fd, NOTIFY_DIR, 0755) < 0 ? err_set(err, errno, "make '" NOTIFY_DIR "'") : 0;
}

int notify_bind(const char *dir, struct err *err)
{
    own_buf struct buf path = BUF_INIT(8192);

    buf_printf(&path, "%s/" NOTIFY_DIR "/notify.sock", dir);
    if (buf_check(&path, "the path of a socket", err) < 0)
        return -1;
    /* Whatever user the container's process is. */
    return fd_unix_listen(buf_c(&path), SOCK_DGRAM | SOCK_NONBLOCK, 0777, 0, err);
}

/* "@name" is a name in the abstract space. */
static int connect_host(const char *host, struct err *err)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    size_t n = strlen(host);
    own_fd int fd = -1;

    if (host[0] != '@')
        return fd_unix_connect(host, SOCK_DGRAM, err);
    if (n > sizeof addr.sun_path)
        return err_set(err, ENAMETOOLONG, "socket '%.64s...'", host);
    memcpy(addr.sun_path, host, n);
    addr.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&addr,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0)
        return err_set(err, errno, "connect to '%s'", host);
    return take_fd(&fd);
}

static int tell_host(const char *host, pid_t pid, struct err *err)
{
    char text[32];
    int n = snprintf(text, sizeof text, "MAINPID=%d\n", pid);
    own_fd int fd = connect_host(host, err);

    /* The process first: once the service is ready nobody may expect another. */
    if (fd < 0 || fd_send(fd, (struct str){text, (size_t)n}, NULL, 0, err) < 0 ||
        fd_send(fd, STR("READY=1\n"), NULL, 0, err) < 0)
        return err_wrap(err, "tell the service manager that the container is ready");
    return 0;
}

static bool says_ready(struct str text)
{
    struct str line = STR_NONE;

    while (str_next(&text, '\n', &line))
        if (str_eq(str_trim(line), STR("READY=1")))
            return true;
    return false;
}

int notify_pass(int fd, const char *host, pid_t pid, struct err *err)
{
    char text[MESSAGE_MAX];
    ssize_t n = 0;

    /* A few at a time: a container that never stops sending must not keep us from the rest. */
    for (int i = 0; i < MESSAGES_AT_ONCE; i++) {
        n = recv(fd, text, sizeof text, MSG_DONTWAIT);
        if (n < 0)
            break;
        if (says_ready((struct str){text, (size_t)n}))
            return tell_host(host, pid, err) < 0 ? -1 : 1;
    }
    return n >= 0 || errno == EAGAIN || errno == EINTR ? 0
                                                       : err_set(err, errno, "read a notification");
}

int container_notify_wait(const struct container_child *child, struct err *err)
{
    struct pollfd fds[2] = {{.fd = child->notify_fd, .events = POLLIN},
                            {.fd = child->pid_fd, .events = POLLIN}};
    int r = 0;

    while (r == 0 && fds[1].revents == 0) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return err_set(err, errno, "poll");
        if (fds[0].revents != 0)
            r = notify_pass(child->notify_fd, child->notify_host, child->pid, err);
    }
    return r < 0 ? -1 : 0;
}
