/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection may have been closed by a dnsd that was restarted since the last question: the first
 * failure on an old connection is not the answer, the question is asked once more on a new one.
 */
#include "mailstack/lib/net/dns.h"

#include <errno.h>
#include <stdlib.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"
#include "runtime/base/rand.h"

#include "mailstack/lib/net/dns_read.h"
#include "mailstack/lib/net/stream.h"
#include "mailstack/lib/proto/dns_msg.h"

struct dns {
    char *path;
    struct stream *stream; /* NULL: not connected */
    uint16_t last_id;
    struct buf message;
};

struct dns *dns_new(const char *socket_path)
{
    struct dns *d = mem_type(struct dns);

    d->path = mem_dup_c(socket_path);
    d->last_id = (uint16_t)rand_u64();
    buf_init(&d->message, DNS_MSG_MAX);
    return d;
}

static void hang_up(struct dns *d)
{
    stream_free(d->stream);
    d->stream = NULL;
}

void dns_free(struct dns *d)
{
    if (!d)
        return;
    hang_up(d);
    buf_done(&d->message);
    free(d->path);
    free(d);
}

static int read_message(struct dns *d, struct err *err)
{
    unsigned char head[2];

    if (stream_exact(d->stream, head, sizeof(head), err) < 0)
        return -1;
    size_t n = (size_t)head[0] << 8 | head[1];

    buf_reset(&d->message);
    char *to = buf_reserve(&d->message, n);

    if (n < DNS_MSG_HEAD_N || !to)
        return err_set(err, EBADMSG, "a DNS message of %zu bytes", n);
    if (stream_exact(d->stream, to, n, err) < 0)
        return -1;
    buf_commit(&d->message, n);
    return 0;
}

/* An answer with another id belongs to a question that was given up on. */
static bool is_answer_to(const struct dns *d, uint16_t id)
{
    const unsigned char *p = (const unsigned char *)d->message.p;

    return (p[0] << 8 | p[1]) == id;
}

static int exchange(struct dns *d, struct str query, uint16_t id, struct err *err)
{
    uint64_t end = clock_now_ms() + DNS_TIMEOUT_MS;

    if (!d->stream)
        d->stream = stream_dial_unix(d->path, DNS_TIMEOUT_MS, err);
    if (!d->stream || stream_write(d->stream, query, err) < 0)
        return -1;
    for (;;) {
        uint64_t now = clock_now_ms();

        if (now >= end)
            return err_set(err, ETIMEDOUT, "wait for dnsd");
        stream_set_timeout(d->stream, (uint32_t)(end - now));
        if (read_message(d, err) < 0)
            return -1;
        if (is_answer_to(d, id))
            return 0;
    }
}

void dns_ask(struct dns *d, struct str name, enum dns_type type, struct arena *a,
             struct dns_answer *out)
{
    own_buf struct buf query = BUF_INIT(DNS_MSG_NAME_TEXT + 64);
    bool was_open = d->stream != NULL;
    uint16_t id = ++d->last_id;
    struct err err = {0};

    *out = (struct dns_answer){.status = DNS_NXDOMAIN};
    if (dns_msg_format_query(&query, id, name, (uint16_t)type, &err) < 0)
        return; /* what is no name does not exist */
    *out = (struct dns_answer){.status = DNS_TEMP};
    int rc = exchange(d, buf_str(&query), id, &err);

    if (rc < 0)
        hang_up(d);
    if (rc < 0 && was_open && err.code != ETIMEDOUT) {
        rc = exchange(d, buf_str(&query), id, &err);
        if (rc < 0)
            hang_up(d);
    }
    if (rc == 0)
        dns_read(buf_str(&d->message), type, a, out);
}
