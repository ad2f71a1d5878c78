/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The content of a message as DATA and BDAT bring it. A message that is refused is read to its end
 * all the same, so that the client hears why: nothing of it is kept.
 */
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/counter.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"

#include "mailstack/lib/net/conn.h"
#include "mailstack/smtpd/conf.h"
#include "mailstack/smtpd/deliver.h"
#include "mailstack/smtpd/session.h"
#include "mailstack/smtpd/smtpd.h"
#include "mailstack/smtpd/txn.h"

static void begin(struct session *s)
{
    s->is_cr = false;
    s->is_in_line = false;
    s->is_bare = false;
    s->is_too_big = false;
    s->is_broken = false;
}

static void broken(struct session *s, const struct err *err)
{
    if (!s->is_broken)
        log_error("smtp.spool", LOG_S("id", s->txn->id), LOG_S("error", err->text));
    s->is_broken = true;
    spool_drop(&s->txn->spool);
}

static void check_size(struct session *s)
{
    if (s->txn->size > s->d->conf->message_size)
        s->is_too_big = true;
}

/* Where the next bytes go; of a message that is refused already, to nowhere. */
static struct buf *tail(struct session *s)
{
    struct spool *spool = &s->txn->spool;
    struct err err = {0};

    if (s->is_too_big || s->is_bare || s->is_broken)
        spool_drop(spool);
    struct buf *b = spool_tail(spool, &err);

    if (b)
        return b;
    broken(s, &err); /* empty now: there is room */
    return &spool->memory;
}

static void refuse(struct session *s, const char *reply)
{
    const struct txn *t = s->txn;

    counter_add(s->d->refused_messages, 1);
    log_info("smtp.refuse", LOG_S("id", t->id), LOG_STR("from", t->from),
             LOG_U("rcpts", t->rcpts_n), LOG_STR("to", t->rcpts[0].address),
             LOG_U("bytes", t->size), LOG_S("client", s->addr), LOG_S("service", s->service->name),
             LOG_S("tls", s->tls), LOG_S("reply", reply));
    session_reset(s);
    session_reply(s, "%s", reply);
}

/* All of it is there. */
static void finish(struct session *s)
{
    s->phase = PHASE_COMMAND;
    if (s->is_bare) {
        refuse(s, "554 5.6.0 bare CR or LF in the message");
        return;
    }
    if (s->is_too_big) {
        refuse(s, "552 5.3.4 message too large");
        return;
    }
    if (s->is_broken) {
        refuse(s, "452 4.3.1 no room for this message now, try again later");
        return;
    }
    session_wait(s);
    deliver_begin(s->txn);
}

/* --- DATA ------------------------------------------------------------------------------------- */

void content_begin_data(struct session *s)
{
    begin(s);
    s->dot = dot_in_start();
    s->phase = PHASE_DATA;
}

static bool take_data(struct session *s)
{
    bool over = false;

    while (!over) {
        struct str in = conn_in(s->conn);
        size_t used;

        if (in.n == 0)
            return false;
        over = dot_in_feed(&s->dot, in, &used, tail(s));
        conn_consume(s->conn, used);
        s->txn->size = s->dot.size;
        s->is_bare = s->dot.bare;
        check_size(s);
        if (!over && used == in.n)
            return false;
    }
    finish(s);
    return true;
}

/* --- BDAT ------------------------------------------------------------------------------------- */

/* Without BINARYMIME a chunk is text: lines end in CRLF, across chunks too. */
static void look_for_bare(struct session *s, struct str in)
{
    for (size_t at = 0; at < in.n && !s->is_bare;) {
        if (s->is_cr) {
            s->is_bare = in.p[at] != '\n';
            s->is_cr = false;
            at++;
            continue;
        }
        ptrdiff_t next = str_find_any(str_skip(in, at), "\r\n");

        if (next < 0)
            return;
        at += (size_t)next;
        s->is_bare = in.p[at] == '\n';
        s->is_cr = true;
        at++;
    }
}

static void keep(struct session *s, struct str in)
{
    s->txn->size += in.n;
    check_size(s);
    look_for_bare(s, in);
    if (in.n)
        s->is_in_line = in.p[in.n - 1] != '\n';
    while (in.n) {
        struct buf *b = tail(s);
        struct str piece = str_head(in, buf_room(b));

        buf_append(b, piece);
        in = str_skip(in, piece.n);
    }
}

/* A last line without its end gets one: the next server is owed lines. */
static void end_last_line(struct session *s)
{
    if (s->is_cr)
        s->is_bare = true;
    else if (s->is_in_line)
        buf_append(tail(s), STR("\r\n"));
}

static void end_chunk(struct session *s)
{
    s->phase = PHASE_COMMAND;
    if (s->chunk_is_void) {
        s->chunk_is_void = false;
        session_bad(s, "503 5.5.1 no valid recipients for BDAT");
        return;
    }
    if (!s->chunk_is_last) {
        session_reply(s, "250 2.0.0 chunk taken");
        return;
    }
    end_last_line(s);
    finish(s);
}

void content_begin_chunk(struct session *s, uint64_t size, bool is_last)
{
    if (!s->is_chunked && !s->chunk_is_void)
        begin(s);
    s->is_chunked = !s->chunk_is_void;
    s->chunk_left = size;
    s->chunk_is_last = is_last;
    s->phase = PHASE_BDAT;
    if (size == 0)
        end_chunk(s);
}

static bool take_chunk(struct session *s)
{
    struct str in = conn_in(s->conn);

    if (s->chunk_left < in.n)
        in.n = (size_t)s->chunk_left;
    if (!s->chunk_is_void)
        keep(s, in);
    s->chunk_left -= in.n;
    conn_consume(s->conn, in.n);
    if (s->chunk_left)
        return false;
    end_chunk(s);
    return true;
}

bool content_take(struct session *s)
{
    return s->phase == PHASE_DATA ? take_data(s) : take_chunk(s);
}
