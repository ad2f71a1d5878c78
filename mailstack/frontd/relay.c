/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes go from one conn to the other. A side whose peer has more than FRONTD_RELAY_HIGH bytes
 * waiting is not read until they are gone, so a slow reader costs a fixed amount of memory.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/own.h"

#include "mailstack/frontd/frontd.h"
#include "mailstack/lib/net/conn.h"
#include "mailstack/lib/proto/handoff.h"

static struct conn *other(const struct session *s, const struct conn *c)
{
    return c == s->client ? s->backend : s->client;
}

static void on_input(struct conn *c)
{
    struct session *s = conn_ctx(c);
    struct conn *to = other(s, c);
    struct str in = conn_in(c);

    if (!to) {
        conn_consume(c, in.n);
        return;
    }
    conn_write(to, in);
    conn_consume(c, in.n);
    if (conn_out_n(to) > FRONTD_RELAY_HIGH)
        conn_pause(c, true);
}

static void on_drained(struct conn *c)
{
    struct session *s = conn_ctx(c);
    struct conn *from = other(s, c);

    if (from)
        conn_pause(from, false);
}

/* One side is over: what it said still reaches the other, then that ends too. */
static void on_closed(struct conn *c, const struct err *why)
{
    struct session *s = conn_ctx(c);
    struct conn *rest = other(s, c);

    (void)why;
    if (c == s->client)
        s->client = NULL;
    else
        s->backend = NULL;
    conn_free(c);
    if (!rest) {
        session_free(s);
        return;
    }
    conn_deadline(rest, s->f->conf->limits.seconds * UINT64_C(1000));
    conn_finish(rest);
}

static const struct conn_ops ops = {.input = on_input, .drained = on_drained, .closed = on_closed};

static int hand_over(struct session *s, const struct auth_login_answer *a, int fd, struct err *err)
{
    const char *path = s->proto == &imap_login ? s->f->conf->imapd_path : s->f->conf->pop3d_path;
    own_buf struct buf message = BUF_INIT(HANDOFF_MAX);
    own_fd int to = fd_unix_connect(path, SOCK_SEQPACKET | SOCK_NONBLOCK, err);
    const struct handoff h = {
        .user = a->user,
        .remote = str_of(s->remote),
        .tag = str_of(s->tag),
        .input = conn_in(s->client),
        .quota = a->quota,
        .tls = conn_has_tls(s->client),
    };

    if (to < 0)
        return -1;
    handoff_format(&h, &message);
    if (buf_check(&message, "hand-off", err) < 0)
        return -1;
    return fd_send(to, buf_str(&message), &fd, 1, err);
}

int relay_begin(struct session *s, const struct auth_login_answer *a, struct err *err)
{
    int ends[2];

    if (fd_socketpair(SOCK_STREAM, ends, err) < 0)
        return -1;
    int sent = hand_over(s, a, ends[1], err);

    (void)close(ends[1]); /* theirs now, or nobody's */
    if (sent < 0) {
        (void)close(ends[0]);
        return -1;
    }
    s->backend = conn_new(s->f->loop, ends[0], &ops, s,
                          (struct conn_limits){FRONTD_IN_MAX, FRONTD_OUT_MAX}, err);
    if (!s->backend)
        return -1;
    conn_consume(s->client, conn_in(s->client).n);
    conn_deadline(s->client, 0);
    conn_set_ops(s->client, &ops, s);
    conn_pause(s->client, false);
    return 0;
}
