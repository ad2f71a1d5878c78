/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/kernel/dbus.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"
#include "runtime/kernel/idmap.h"

#define HEAD_SIZE 16 /* before the fields: 12 bytes, and the length of their array */

enum field {
    FIELD_PATH = 1,
    FIELD_INTERFACE = 2,
    FIELD_MEMBER = 3,
    FIELD_ERROR = 4,
    FIELD_REPLY_SERIAL = 5,
    FIELD_DESTINATION = 6,
    FIELD_SIGNATURE = 8
};

/* --- appending -------------------------------------------------------------------------------- */

static void pad_to(struct buf *b, size_t to)
{
    while (b->n % to != 0 && !b->failed)
        buf_append_u8(b, 0);
}

static void put_le(struct buf *b, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_append_u8(b, (uint8_t)(v >> 8 * i));
}

void dbus_put_u32(struct buf *body, uint32_t v)
{
    pad_to(body, 4);
    put_le(body, v, 4);
}

void dbus_put_bool(struct buf *body, bool v)
{
    dbus_put_u32(body, v ? 1 : 0);
}

void dbus_put_u64(struct buf *body, uint64_t v)
{
    pad_to(body, 8);
    put_le(body, v, 8);
}

void dbus_put_str(struct buf *body, struct str v)
{
    dbus_put_u32(body, (uint32_t)v.n);
    buf_append(body, v);
    buf_append_u8(body, 0);
}

static void put_signature(struct buf *body, struct str s)
{
    assert(s.n < 256); /* our own, or one that a message of a byte's length held */
    buf_append_u8(body, (uint8_t)s.n);
    buf_append(body, s);
    buf_append_u8(body, 0);
}

void dbus_put_signature(struct buf *body, const char *sig)
{
    put_signature(body, str_of(sig));
}

void dbus_put_struct(struct buf *body)
{
    pad_to(body, 8);
}

size_t dbus_array_begin(struct buf *body, size_t align)
{
    size_t at = 0;

    dbus_put_u32(body, 0);
    at = body->n - 4;
    pad_to(body, align);
    return at;
}

/* The length counts from the first element, without the padding in front of it. */
void dbus_array_end(struct buf *body, size_t at, size_t align)
{
    size_t first = (at + 4 + align - 1) / align * align;
    uint32_t n = (uint32_t)(body->n - first);

    if (body->failed)
        return;
    for (size_t i = 0; i < 4; i++)
        body->p[at + i] = (char)(n >> 8 * i);
}

static void put_field(struct buf *out, enum field f, const char *sig, struct str value)
{
    if (value.n == 0)
        return;
    dbus_put_struct(out);
    buf_append_u8(out, (uint8_t)f);
    dbus_put_signature(out, sig);
    if (f == FIELD_SIGNATURE)
        put_signature(out, value);
    else
        dbus_put_str(out, value);
}

static void format(const struct dbus_msg *m, struct buf *out)
{
    size_t at = 0;

    buf_append_char(out, 'l');
    buf_append_u8(out, (uint8_t)m->type);
    buf_append_u8(out, 0);
    buf_append_u8(out, 1);
    dbus_put_u32(out, (uint32_t)m->body.n);
    dbus_put_u32(out, m->serial);
    at = dbus_array_begin(out, 8);
    put_field(out, FIELD_PATH, "o", m->path);
    put_field(out, FIELD_INTERFACE, "s", m->interface);
    put_field(out, FIELD_MEMBER, "s", m->member);
    put_field(out, FIELD_ERROR, "s", m->error);
    put_field(out, FIELD_DESTINATION, "s", m->destination);
    put_field(out, FIELD_SIGNATURE, "g", m->signature);
    if (m->reply_serial != 0) {
        dbus_put_struct(out);
        buf_append_u8(out, FIELD_REPLY_SERIAL);
        dbus_put_signature(out, "u");
        dbus_put_u32(out, m->reply_serial);
    }
    dbus_array_end(out, at, 8);
    pad_to(out, 8);
    buf_append(out, m->body);
}

/* Alignment counts from the beginning of the message. */
void dbus_format(const struct dbus_msg *m, struct buf *out)
{
    own_buf struct buf one = BUF_INIT(DBUS_MESSAGE_MAX);

    format(m, &one);
    if (one.failed)
        out->failed = true;
    else
        buf_append(out, buf_str(&one));
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool skip_to(struct dbus_reader *r, size_t to)
{
    size_t at = (r->at + to - 1) / to * to;

    if (at > r->body.n)
        return false;
    r->at = at;
    return true;
}

static uint32_t le32(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;

    return (uint32_t)u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
}

bool dbus_get_u32(struct dbus_reader *r, uint32_t *out)
{
    if (!skip_to(r, 4) || r->body.n - r->at < 4)
        return false;
    *out = le32(r->body.p + r->at);
    r->at += 4;
    return true;
}

static bool get_bytes(struct dbus_reader *r, size_t n, struct str *out)
{
    /* With the NUL behind. */
    if (r->body.n - r->at < 1 || n > r->body.n - r->at - 1 || r->body.p[r->at + n] != '\0')
        return false;
    *out = str_sub(r->body, r->at, n);
    r->at += n + 1;
    return true;
}

bool dbus_get_str(struct dbus_reader *r, struct str *out)
{
    uint32_t n = 0;

    return dbus_get_u32(r, &n) && get_bytes(r, n, out);
}

static bool get_signature(struct dbus_reader *r, struct str *out)
{
    size_t n = 0;

    if (r->at >= r->body.n)
        return false;
    n = (unsigned char)r->body.p[r->at++];
    return get_bytes(r, n, out);
}

/* The value of a field: s, o, g or u; other types are in no field that there is. */
static bool get_value(struct dbus_reader *r, struct str sig, struct str *text, uint32_t *number)
{
    if (str_eq_c(sig, "s") || str_eq_c(sig, "o"))
        return dbus_get_str(r, text);
    if (str_eq_c(sig, "g"))
        return get_signature(r, text);
    return str_eq_c(sig, "u") && dbus_get_u32(r, number);
}

static bool parse_fields(struct str in, struct dbus_msg *out)
{
    struct dbus_reader r = {.body = in};
    struct str *const places[] = {
        [FIELD_PATH] = &out->path,
        [FIELD_INTERFACE] = &out->interface,
        [FIELD_MEMBER] = &out->member,
        [FIELD_ERROR] = &out->error,
        [FIELD_REPLY_SERIAL] = NULL,
        [FIELD_DESTINATION] = &out->destination,
        [7] = NULL,
        [FIELD_SIGNATURE] = &out->signature,
    };

    while (skip_to(&r, 8) && r.at < in.n) {
        unsigned field = (unsigned char)in.p[r.at++];
        struct str sig = STR_NONE, text = STR_NONE;
        uint32_t number = 0;

        if (!get_signature(&r, &sig) || !get_value(&r, sig, &text, &number))
            return false;
        if (field == FIELD_REPLY_SERIAL)
            out->reply_serial = number;
        else if (field < ARRAY_N(places) && places[field] != NULL)
            *places[field] = text;
    }
    return true;
}

static enum dbus_parsed malformed(struct err *err)
{
    (void)err_set(err, EBADMSG, "a D-Bus message is malformed");
    return DBUS_PARSE_ERROR;
}

enum dbus_parsed dbus_parse(struct str in, struct dbus_msg *out, size_t *used, struct err *err)
{
    size_t fields_n = 0, body_n = 0, fields_end = 0;
    struct dbus_msg m = {.type = DBUS_CALL};

    *used = 0;
    if (in.n > 0 && in.p[0] != 'l')
        return malformed(err);
    if (in.n < HEAD_SIZE)
        return DBUS_PARSE_MORE;
    body_n = le32(in.p + 4);
    fields_n = le32(in.p + 12);
    if (in.p[1] < DBUS_CALL || in.p[1] > DBUS_SIGNAL || in.p[3] != 1 || body_n > DBUS_MESSAGE_MAX ||
        fields_n > DBUS_MESSAGE_MAX)
        return malformed(err);
    fields_end = (HEAD_SIZE + fields_n + 7) / 8 * 8;
    if (fields_end + body_n > DBUS_MESSAGE_MAX)
        return malformed(err);
    if (in.n < fields_end + body_n)
        return DBUS_PARSE_MORE;
    m.type = (enum dbus_type)in.p[1];
    m.serial = le32(in.p + 8);
    /* Fields are aligned from the message's beginning, and 16 is a multiple of 8. */
    if (!parse_fields(str_sub(in, HEAD_SIZE, fields_n), &m))
        return malformed(err);
    m.body = str_sub(in, fields_end, body_n);
    *out = m;
    *used = fields_end + body_n;
    return DBUS_PARSE_DONE;
}

/* --- a connection ----------------------------------------------------------------------------- */

struct dbus {
    int fd;
    uint32_t serial;
    struct buf in;
    size_t taken; /* bytes at its beginning that the last message given out looks into */
};

static int receive(struct dbus *d, uint64_t until_ms, struct err *err)
{
    struct pollfd fd = {.fd = d->fd, .events = POLLIN};
    uint64_t now_ms = clock_now_ms();
    char *room = buf_reserve(&d->in, 4096);
    ssize_t n = 0;

    if (room == NULL)
        return err_set(err, EMSGSIZE, "a D-Bus message is too long");
    if (poll(&fd, 1, now_ms >= until_ms ? 0 : (int)(until_ms - now_ms)) == 0)
        return err_set(err, ETIMEDOUT, "wait for an answer on the bus");
    n = recv(d->fd, room, 4096, MSG_DONTWAIT);
    if (n == 0)
        return err_set(err, ECONNRESET, "the bus closed the connection");
    if (n < 0 && errno != EINTR && errno != EAGAIN)
        return err_set(err, errno, "read from the bus");
    buf_commit(&d->in, n < 0 ? 0 : (size_t)n);
    return 0;
}

int dbus_next(struct dbus *d, uint64_t until_ms, struct dbus_msg *out, struct err *err)
{
    enum dbus_parsed r = DBUS_PARSE_MORE;

    buf_consume(&d->in, d->taken);
    d->taken = 0;
    while ((r = dbus_parse(buf_str(&d->in), out, &d->taken, err)) == DBUS_PARSE_MORE)
        if (receive(d, until_ms, err) < 0)
            return -1;
    return r == DBUS_PARSE_DONE ? 0 : -1;
}

static int send_msg(struct dbus *d, struct dbus_msg *m, struct err *err)
{
    own_buf struct buf out = BUF_INIT(DBUS_MESSAGE_MAX);

    m->type = DBUS_CALL;
    m->serial = ++d->serial;
    dbus_format(m, &out);
    if (buf_check(&out, "a D-Bus message", err) < 0)
        return -1;
    return fd_send(d->fd, buf_str(&out), NULL, 0, err);
}

int dbus_call(struct dbus *d, struct dbus_msg *call, struct dbus_msg *reply, struct err *err)
{
    uint64_t until_ms = clock_now_ms() + DBUS_WAIT_MS;
    struct dbus_reader r;
    struct str text = STR_NONE;

    if (send_msg(d, call, err) < 0)
        return -1;
    do {
        if (dbus_next(d, until_ms, reply, err) < 0)
            return -1;
    } while ((reply->type != DBUS_REPLY && reply->type != DBUS_ERROR) ||
             reply->reply_serial != call->serial);
    if (reply->type == DBUS_REPLY)
        return 0;
    r = (struct dbus_reader){.body = reply->body};
    if (!str_starts(reply->signature, STR("s")) || !dbus_get_str(&r, &text))
        text = STR_NONE;
    return err_set(err, 0, "%.*s: %.*s", STR_ARG(reply->error), STR_ARG(str_head(text, 512)));
}

/* The handshake in lines: who we are is told by the socket itself. */
static int authenticate(struct dbus *d, struct err *err)
{
    own_buf struct buf text = BUF_INIT(256);
    char uid[16];
    uint64_t until_ms = clock_now_ms() + DBUS_WAIT_MS;
    ptrdiff_t end = -1;

    (void)snprintf(uid, sizeof uid, "%u", idmap_outside(geteuid()));
    buf_append_u8(&text, 0);
    buf_append_c(&text, "AUTH EXTERNAL ");
    buf_append_hex(&text, str_of(uid));
    buf_append_c(&text, "\r\n");
    if (fd_send(d->fd, buf_str(&text), NULL, 0, err) < 0)
        return -1;
    while ((end = str_find_str(buf_str(&d->in), STR("\r\n"))) < 0)
        if (receive(d, until_ms, err) < 0)
            return -1;
    if (!str_starts(buf_str(&d->in), STR("OK ")))
        return err_set(err, EACCES, "the bus refuses us");
    buf_consume(&d->in, (size_t)end + 2);
    return fd_send(d->fd, STR("BEGIN\r\n"), NULL, 0, err);
}

static int hello(struct dbus *d, struct err *err)
{
    struct dbus_msg call = {.path = STR("/org/freedesktop/DBus"),
                            .interface = STR("org.freedesktop.DBus"),
                            .member = STR("Hello"),
                            .destination = STR("org.freedesktop.DBus")};
    struct dbus_msg reply;

    return dbus_call(d, &call, &reply, err);
}

static int connect_first(const char *address, struct err *err)
{
    struct str rest = str_of(address), one = STR_NONE, path = STR_NONE;

    while (str_next(&rest, ';', &one)) {
        own_free char *c = NULL;
        int fd = -1;

        if (!str_starts(one, STR("unix:path=")))
            continue;
        path = str_skip(one, sizeof "unix:path=" - 1);
        (void)str_cut(path, ',', &path, &one); /* a guid may follow */
        c = str_dup_c(path, err);
        fd = c == NULL ? -1 : fd_unix_connect(c, SOCK_STREAM, err);
        if (fd >= 0)
            return fd;
    }
    return path.n > 0 ? -1 : err_set(err, EINVAL, "bus address '%.128s'", address);
}

struct dbus *dbus_open(const char *address, struct err *err)
{
    int fd = connect_first(address, err);
    struct dbus *d = NULL;

    if (fd < 0)
        return NULL;
    d = mem_new(sizeof *d);
    *d = (struct dbus){.fd = fd, .in = BUF_INIT(DBUS_MESSAGE_MAX + 4096)};
    if (authenticate(d, err) == 0 && hello(d, err) == 0)
        return d;
    dbus_close(d);
    return NULL;
}

void dbus_close(struct dbus *d)
{
    if (d == NULL)
        return;
    (void)close(d->fd);
    buf_done(&d->in);
    free(d);
}
