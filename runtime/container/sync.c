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

static int send_frame(int sock, const struct frame *f, size_t text_n, const int *fds, size_t fds_n,
                      struct err *err)
{
    return fd_send(sock, (struct str){(const char *)f, FRAME_HEAD + text_n}, fds, fds_n, err);
}

int sync_send(int sock, enum sync_kind kind, int number, int fd, struct err *err)
{
    struct frame f = {.kind = (int)kind, .number = number};

    return send_frame(sock, &f, 0, &fd, fd >= 0 ? 1 : 0, err) < 0
               ? err_wrap(err, "tell the other process")
               : 0;
}

bool sync_is_gone(const struct err *err)
{
    return err->code == EPIPE || err->code == ECONNRESET;
}

void sync_send_error(int sock, const struct err *failure)
{
    struct frame f = {.kind = SYNC_ERROR, .number = failure->code};
    size_t n = strnlen(failure->text, sizeof f.text - 1);
    struct err ignored;

    memcpy(f.text, failure->text, n);
    if (send_frame(sock, &f, n, NULL, 0, &ignored) < 0)
        return;
}

/* The bytes of one message, 0 at the end of file. */
static ssize_t recv_frame(int sock, struct frame *f, int *fds, size_t *fds_n, struct err *err)
{
    const size_t room = *fds_n;
    ssize_t n = fd_recv(sock, f, sizeof *f - 1, fds, fds_n, err);

    /* The other side went with a message of ours unread. What it said before comes after that. */
    if (n < 0 && err->code == ECONNRESET) {
        *fds_n = room;
        n = fd_recv(sock, f, sizeof *f - 1, fds, fds_n, err);
    }
    if (n < 0 && err->code == ECONNRESET)
        return 0;
    if (n <= 0 || (size_t)n >= FRAME_HEAD)
        return n;
    for (size_t i = 0; i < *fds_n; i++)
        (void)close(fds[i]);
    return err_set(err, EBADMSG, "a message of %zd bytes from the other process", n);
}

int sync_recv(int sock, struct sync_msg *out, struct err *err)
{
    struct frame f = {.kind = 0};
    int fd = -1;
    size_t fds_n = 1;
    ssize_t n = recv_frame(sock, &f, &fd, &fds_n, err);

    if (n <= 0)
        return (int)n;
    out->kind = (enum sync_kind)f.kind;
    out->number = f.number;
    out->fd = fds_n > 0 ? fd : -1;
    memcpy(out->text, f.text, sizeof out->text);
    return 1;
}

static int check_go(ssize_t n, int kind, struct err *err)
{
    if (n < 0)
        return -1;
    if (n == 0)
        return err_set(err, EPIPE, "the runtime went away");
    return kind == SYNC_GO ? 0 : err_set(err, EBADMSG, "an unexpected message from the runtime");
}

int sync_wait_go(int sock, int *number, struct err *err)
{
    struct sync_msg m = {.fd = -1};
    int r = sync_recv(sock, &m, err);

    fd_close(&m.fd);
    if (check_go(r, (int)m.kind, err) < 0)
        return -1;
    *number = m.number;
    return 0;
}

/* --- with many descriptors -------------------------------------------------------------------- */

#define THERE 'x' /* in the text, which has a character for each place */

void sync_add_place(struct sync_places *p, int *fd)
{
    if (p->n < FD_PASS_MAX)
        p->v[p->n++] = fd;
}

int sync_send_places(int sock, const struct sync_places *p, struct err *err)
{
    struct frame f = {.kind = SYNC_GO};
    int fds[FD_PASS_MAX];
    size_t n = 0;

    for (size_t i = 0; i < p->n; i++) {
        if (*p->v[i] < 0)
            continue;
        f.text[i] = THERE;
        fds[n++] = *p->v[i];
    }
    return send_frame(sock, &f, p->n, fds, n, err) < 0 ? err_wrap(err, "tell the other process")
                                                       : 0;
}

int sync_wait_places(int sock, const struct sync_places *p, struct err *err)
{
    struct frame f = {.kind = 0};
    int fds[FD_PASS_MAX];
    size_t fds_n = FD_PASS_MAX, k = 0;
    ssize_t n = recv_frame(sock, &f, fds, &fds_n, err);
    int r = check_go(n, f.kind, err);

    if (n <= 0)
        return -1;
    for (size_t i = 0; r == 0 && i < p->n && k < fds_n; i++)
        if (f.text[i] == THERE)
            *p->v[i] = fds[k++];
    if (r == 0 && k < fds_n)
        r = err_set(err, EBADMSG, "descriptors that have no place");
    for (; k < fds_n; k++)
        (void)close(fds[k]);
    return r;
}
