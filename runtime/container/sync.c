/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/container/sync.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/fd.h"

struct frame {
    int kind;
    int number;
    char text[ERR_TEXT_MAX];
};

#define FRAME_HEAD offsetof(struct frame, text)

static int send_frame(int sock, const struct frame *f, size_t text_n, int fd, struct err *err)
{
    return fd_send(sock, (struct str){(const char *)f, FRAME_HEAD + text_n}, &fd, fd >= 0 ? 1 : 0,
                   err);
}

int sync_send(int sock, enum sync_kind kind, int number, int fd, struct err *err)
{
    struct frame f = {.kind = (int)kind, .number = number};

    return send_frame(sock, &f, 0, fd, err) < 0 ? err_wrap(err, "tell the other process") : 0;
}

void sync_send_error(int sock, const struct err *failure)
{
    struct frame f = {.kind = SYNC_ERROR, .number = failure->code};
    size_t n = strnlen(failure->text, sizeof f.text - 1);
    struct err ignored;

    memcpy(f.text, failure->text, n);
    if (send_frame(sock, &f, n, -1, &ignored) < 0)
        return;
}

int sync_recv(int sock, struct sync_msg *out, struct err *err)
{
    struct frame f = {.kind = 0};
    int fd = -1;
    size_t fds_n = 1;
    ssize_t n = fd_recv(sock, &f, sizeof f - 1, &fd, &fds_n, err);

    /* The other side went with a message of ours unread. What it said before comes after that. */
    if (n < 0 && err->code == ECONNRESET) {
        fds_n = 1;
        n = fd_recv(sock, &f, sizeof f - 1, &fd, &fds_n, err);
    }
    if (n < 0 && err->code == ECONNRESET)
        return 0;
    if (n <= 0)
        return (int)n;
    if ((size_t)n < FRAME_HEAD) {
        if (fds_n > 0)
            (void)close(fd);
        return err_set(err, EBADMSG, "a message of %zd bytes from the other process", n);
    }
    out->kind = (enum sync_kind)f.kind;
    out->number = f.number;
    out->fd = fds_n > 0 ? fd : -1;
    memcpy(out->text, f.text, sizeof out->text);
    return 1;
}

int sync_wait_go(int sock, int *number, struct err *err)
{
    struct sync_msg m;
    int r = sync_recv(sock, &m, err);

    if (r < 0)
        return -1;
    if (r == 0)
        return err_set(err, EPIPE, "the runtime went away");
    if (m.fd >= 0)
        (void)close(m.fd);
    if (m.kind != SYNC_GO)
        return err_set(err, EBADMSG, "an unexpected message from the runtime");
    *number = m.number;
    return 0;
}
