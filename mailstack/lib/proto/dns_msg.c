/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/proto/dns_msg.h"

#include <errno.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"

#define LABEL_MAX 63
#define POINTER   0xc0
#define RR_HEAD_N 10 /* type, class, TTL, length */

static unsigned byte_at(struct str s, size_t at)
{
    return (unsigned char)s.p[at];
}

static uint16_t u16_at(struct str s, size_t at)
{
    return (uint16_t)(byte_at(s, at) << 8 | byte_at(s, at + 1));
}

static uint32_t u32_at(struct str s, size_t at)
{
    return (uint32_t)u16_at(s, at) << 16 | u16_at(s, at + 2);
}

enum parse_result dns_msg_unframe(struct str in, struct str *message, size_t *used, struct err *err)
{
    if (in.n < 2)
        return PARSE_MORE;
    size_t n = u16_at(in, 0);

    if (n < DNS_MSG_HEAD_N) {
        (void)err_set(err, EBADMSG, "a DNS message of %zu bytes", n);
        return PARSE_ERROR;
    }
    if (in.n < n + 2)
        return PARSE_MORE;
    *message = str_sub(in, 2, n);
    *used = n + 2;
    return PARSE_DONE;
}

/* --- names ------------------------------------------------------------------------------------ */

static bool is_plain(unsigned char c)
{
    return c > ' ' && c < 0x7f && c != '.' && c != '\\';
}

static void append_label(struct buf *out, struct str label)
{
    for (size_t i = 0; i < label.n; i++) {
        if (is_plain((unsigned char)label.p[i]))
            buf_append_char(out, label.p[i]);
        else
            buf_printf(out, "\\%03u", byte_at(label, i));
    }
}

int dns_msg_name(struct str whole, size_t at, struct buf *out, size_t *next, struct err *err)
{
    size_t wire_n = 1; /* of the whole name, with the root's label */
    size_t end = 0;    /* behind the first pointer, once there was one */
    size_t lowest = at;
    bool first = true;

    for (;;) {
        if (at >= whole.n)
            return err_set(err, EBADMSG, "a DNS name beyond the end of its message");
        size_t n = byte_at(whole, at);

        if (n == 0)
            break;
        if ((n & POINTER) == POINTER) {
            if (at + 1 >= whole.n)
                return err_set(err, EBADMSG, "half a DNS compression pointer");
            end = end ? end : at + 2;
            at = u16_at(whole, at) & 0x3fffU;
            if (at >= lowest)
                return err_set(err, EBADMSG, "a DNS compression pointer that leads forward");
            lowest = at;
            continue;
        }
        wire_n += n + 1;
        if (n > LABEL_MAX || wire_n > DNS_MSG_NAME_WIRE || at + 1 + n > whole.n)
            return err_set(err, EBADMSG, "a DNS name that is too long");
        if (out && !first)
            buf_append_char(out, '.');
        if (out)
            append_label(out, str_sub(whole, at + 1, n));
        first = false;
        at += n + 1;
    }
    *next = end ? end : at + 1;
    return out ? buf_check(out, "a DNS name", err) : 0;
}

/* One byte of a label in text, with \DDD and \X; -1 if it is damaged. */
static int take_byte(struct str *text)
{
    unsigned v = 0;

    if (text->p[0] != '\\') {
        int c = (unsigned char)text->p[0];

        *text = str_skip(*text, 1);
        return c;
    }
    if (text->n >= 2 && !ascii_is_digit(text->p[1])) {
        int c = (unsigned char)text->p[1];

        *text = str_skip(*text, 2);
        return c;
    }
    if (text->n < 4)
        return -1;
    for (size_t i = 1; i < 4; i++) {
        if (!ascii_is_digit(text->p[i]))
            return -1;
        v = v * 10 + (unsigned)(text->p[i] - '0');
    }
    *text = str_skip(*text, 4);
    return v > 255 ? -1 : (int)v;
}

static int format_name(struct buf *out, struct str text, struct err *err)
{
    size_t start = out->n;

    if (text.n && text.p[text.n - 1] == '.' && (text.n < 2 || text.p[text.n - 2] != '\\'))
        text.n--;
    while (text.n) {
        char label[LABEL_MAX];
        size_t n = 0;

        while (text.n && text.p[0] != '.') {
            int c = take_byte(&text);

            if (c < 0 || n == LABEL_MAX)
                return err_set(err, EINVAL, "not a DNS name");
            label[n++] = (char)c;
        }
        if (n == 0)
            return err_set(err, EINVAL, "a DNS name with an empty label");
        buf_append_u8(out, (uint8_t)n);
        buf_append_n(out, label, n);
        if (text.n == 1)
            return err_set(err, EINVAL, "a DNS name with an empty label");
        text = str_skip(text, 1);
    }
    buf_append_u8(out, 0);
    if (out->n - start > DNS_MSG_NAME_WIRE)
        return err_set(err, EINVAL, "a DNS name of more than %d bytes", DNS_MSG_NAME_WIRE);
    return 0;
}

/* --- reading ---------------------------------------------------------------------------------- */

static int parse_question(struct dns_msg *m, struct err *err)
{
    own_buf struct buf name = BUF_INIT(DNS_MSG_NAME_TEXT - 1);
    size_t at = 0;

    if (m->counts[0] != 1)
        return err_set(err, EBADMSG, "a DNS message with %u questions", m->counts[0]);
    if (dns_msg_name(m->whole, DNS_MSG_HEAD_N, &name, &at, err) < 0)
        return -1;
    if (at + 4 > m->whole.n)
        return err_set(err, EBADMSG, "half a DNS question");
    for (size_t i = 0; i < name.n; i++)
        m->name[i] = ascii_lower(name.p[i]);
    m->name[name.n] = '\0';
    m->type = u16_at(m->whole, at);
    m->class_ = u16_at(m->whole, at + 2);
    m->after = at + 4;
    return 0;
}

int dns_msg_parse(struct str in, struct dns_msg *out, struct err *err)
{
    *out = (struct dns_msg){.whole = in};
    if (in.n < DNS_MSG_HEAD_N)
        return err_set(err, EBADMSG, "a DNS message of %zu bytes", in.n);
    out->id = u16_at(in, 0);
    out->flags = u16_at(in, 2);
    for (size_t i = 0; i < 4; i++)
        out->counts[i] = u16_at(in, 4 + 2 * i);
    return parse_question(out, err);
}

int dns_msg_next(const struct dns_msg *m, struct dns_msg_walk *w, struct dns_msg_rr *rr,
                 struct err *err)
{
    size_t at = w->seen ? w->at : m->after;

    if (w->seen >= (size_t)m->counts[1] + m->counts[2] + m->counts[3])
        return 0;
    if (dns_msg_name(m->whole, at, NULL, &at, err) < 0)
        return -1;
    if (at + RR_HEAD_N > m->whole.n)
        return err_set(err, EBADMSG, "half a DNS record");
    size_t n = u16_at(m->whole, at + 8);

    if (at + RR_HEAD_N + n > m->whole.n)
        return err_set(err, EBADMSG, "a DNS record beyond the end of its message");
    rr->type = u16_at(m->whole, at);
    rr->class_ = u16_at(m->whole, at + 2);
    rr->ttl_s = u32_at(m->whole, at + 4);
    rr->data_at = at + RR_HEAD_N;
    rr->data = str_sub(m->whole, rr->data_at, n);
    w->at = rr->data_at + n;
    w->seen++;
    return 1;
}

/* --- writing ---------------------------------------------------------------------------------- */

static void append_head(struct buf *out, uint16_t id, unsigned flags, uint16_t questions)
{
    buf_append_be16(out, id);
    buf_append_be16(out, (uint16_t)flags);
    buf_append_be16(out, questions);
    buf_append_be16(out, 0);
    buf_append_be32(out, 0);
}

static void append_framed(struct buf *out, const struct buf *message)
{
    buf_append_be16(out, (uint16_t)message->n);
    buf_append(out, buf_str(message));
}

int dns_msg_format_query(struct buf *out, uint16_t id, struct str name, uint16_t type,
                         struct err *err)
{
    own_buf struct buf message = BUF_INIT(DNS_MSG_HEAD_N + DNS_MSG_NAME_TEXT + 4);

    append_head(&message, id, DNS_MSG_RD, 1);
    if (format_name(&message, name, err) < 0)
        return -1;
    buf_append_be16(&message, type);
    buf_append_be16(&message, DNS_MSG_CLASS_IN);
    if (buf_check(&message, "a DNS query", err) < 0)
        return -1;
    append_framed(out, &message);
    return 0;
}

void dns_msg_format_error(struct buf *out, const struct dns_msg *query, enum dns_msg_rcode rcode)
{
    own_buf struct buf message = BUF_INIT(DNS_MSG_MAX);
    unsigned kept = query->flags & (DNS_MSG_OPCODE | DNS_MSG_RD | DNS_MSG_CD);

    append_head(&message, query->id, kept | DNS_MSG_QR | DNS_MSG_RA | (unsigned)rcode,
                query->after ? 1 : 0);
    if (query->after)
        buf_append(&message, str_sub(query->whole, DNS_MSG_HEAD_N, query->after - DNS_MSG_HEAD_N));
    append_framed(out, &message);
}
