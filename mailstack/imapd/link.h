/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link - the plain stream of one IMAP session on the loop; no TLS is linked into imapd
 *
 * Bytes that arrived stand in `in` until link_consume. Output is gathered in `out` and written at
 * the end of the turn or when LINK_OUT_SOFT is exceeded; who sends much asks link_is_full and goes
 * on in `drained`. Both buffers are given back while they are empty: an idle link costs its struct.
 *
 * Callbacks come from the loop only. After `closed` no other comes.
 *
 * Limits:    LINK_IN_MAX bytes of input wait for their use; LINK_OUT_MAX of output, beyond which
 *            the link is closed: no command may write that much without asking.
 * Tests:     tests/unit/mailstack/imapd/test_link.c
 */
#ifndef MR_IMAPD_LINK_H
#define MR_IMAPD_LINK_H

#include <stdbool.h>

#include "runtime/base/attr.h"
#include "runtime/base/buf.h"
#include "runtime/base/loop.h"

struct err;
struct link;

#define LINK_IN_MAX   262144
#define LINK_OUT_SOFT 131072
#define LINK_OUT_MAX  (64u << 20)

struct link_ops {
    void (*input)(struct link *l);   /* more bytes stand in `in` */
    void (*drained)(struct link *l); /* all output was handed to the kernel */
    void (*closed)(struct link *l);  /* by the peer, the deadline, or an error */
};

struct link {
    struct loop *loop;
    struct loop_io io;
    struct loop_timer timer;
    struct loop_call flush;
    const struct link_ops *ops;
    int fd;
    struct buf in;
    struct buf out;
    bool paused;    /* no reading */
    bool finishing; /* close when the output is written */
    bool over;
};

/* fd becomes the link's, also on failure. */
must_check int link_init(struct link *l, struct loop *loop, int fd, const struct link_ops *ops,
                         struct err *err);
void link_done(struct link *l);
void link_consume(struct link *l, size_t n);
void link_pause(struct link *l, bool paused);
void link_put(struct link *l, struct str s);
void link_printf(struct link *l, const char *fmt, ...) fmt_printf(2, 3);
struct buf *link_out(struct link *l); /* to append to; then call link_wrote */
void link_wrote(struct link *l);
bool link_is_full(const struct link *l);
void link_finish(struct link *l);                /* `closed` once all is written */
void link_deadline(struct link *l, uint64_t ms); /* from now; moved by the next call */

#endif
