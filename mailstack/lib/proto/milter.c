/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/proto/milter.h"

#include <errno.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"

static const struct {
    char command;
    uint32_t no_reply;
    uint32_t no_send;
} bits[] = {
    {MILTER_CONNECT, MILTER_P_NR_CONNECT, MILTER_P_NO_CONNECT},
    {MILTER_HELO, MILTER_P_NR_HELO, MILTER_P_NO_HELO},
    {MILTER_MAIL, MILTER_P_NR_MAIL, MILTER_P_NO_MAIL},
    {MILTER_RCPT, MILTER_P_NR_RCPT, MILTER_P_NO_RCPT},
    {MILTER_DATA, MILTER_P_NR_DATA, MILTER_P_NO_DATA},
    {MILTER_UNKNOWN, MILTER_P_NR_UNKNOWN, MILTER_P_NO_UNKNOWN},
    {MILTER_HEADER, MILTER_P_NR_HEADER, MILTER_P_NO_HEADERS},
    {MILTER_EOH, MILTER_P_NR_EOH, MILTER_P_NO_EOH},
    {MILTER_BODY, MILTER_P_NR_BODY, MILTER_P_NO_BODY},
};

uint32_t milter_no_reply_bit(char command)
{
    for (size_t i = 0; i < ARRAY_N(bits); i++) {
        if (bits[i].command == command)
            return bits[i].no_reply;
    }
    return 0;
}

uint32_t milter_no_send_bit(char command)
{
    for (size_t i = 0; i < ARRAY_N(bits); i++) {
        if (bits[i].command == command)
            return bits[i].no_send;
    }
    return 0;
}

static uint32_t be32(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;

    return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

static int short_packet(const struct milter_packet *p, struct err *err)
{
    return err_set(err, EBADMSG, "milter: a malformed packet of kind 0x%02x",
                   (unsigned)(unsigned char)p->command);
}

enum parse_result milter_parse(struct str in, struct milter_packet *out, size_t *used,
                               struct err *err)
{
    uint32_t n;

    *used = 0;
    if (in.n < 4)
        return PARSE_MORE;
    n = be32(in.p);
    if (n == 0 || n > MILTER_PACKET_MAX) {
        (void)err_set(err, EMSGSIZE, "milter: a packet of %lu bytes, where 1 to %u are possible",
                      (unsigned long)n, MILTER_PACKET_MAX);
        return PARSE_ERROR;
    }
    if (in.n - 4 < n)
        return PARSE_MORE;
    out->command = in.p[4];
    out->data = str_sub(in, 5, n - 1);
    *used = 4 + (size_t)n;
    return PARSE_DONE;
}

/* --- formatting: a packet's length is written when its data are there --- */

static size_t begin(struct buf *to, char command)
{
    size_t at = to->n;

    buf_append_be32(to, 0);
    buf_append_char(to, command);
    return at;
}

static void end(struct buf *to, size_t at)
{
    size_t n;

    if (to->failed)
        return;
    n = to->n - at - 4;
    if (n > MILTER_PACKET_MAX) {
        to->failed = true;
        return;
    }
    for (int i = 0; i < 4; i++)
        to->p[at + (size_t)i] = (char)(unsigned char)(n >> (24 - 8 * i));
}

/* Text up to a NUL: one inside would end it early, so it is dropped. */
static void text_z(struct buf *to, struct str s)
{
    ptrdiff_t nul = str_find(s, '\0');

    while (nul >= 0) {
        buf_append(to, str_head(s, (size_t)nul));
        s = str_skip(s, (size_t)nul + 1);
        nul = str_find(s, '\0');
    }
    buf_append(to, s);
    buf_append_char(to, '\0');
}

void milter_format(struct buf *to, char command, struct str data)
{
    size_t at = begin(to, command);

    buf_append(to, data);
    end(to, at);
}

/* --- negotiation --- */

int milter_read_options(const struct milter_packet *p, struct milter_options *out, struct err *err)
{
    if (p->data.n < 12)
        return short_packet(p, err);
    out->version = be32(p->data.p);
    out->changes = be32(p->data.p + 4);
    out->protocol = be32(p->data.p + 8);
    return 0;
}

void milter_format_options(struct buf *to, const struct milter_options *o)
{
    size_t at = begin(to, MILTER_OPTNEG);

    buf_append_be32(to, o->version);
    buf_append_be32(to, o->changes);
    buf_append_be32(to, o->protocol);
    end(to, at);
}

/* --- MTA to filter --- */

int milter_read_connect(const struct milter_packet *p, struct milter_connect *out, struct err *err)
{
    struct milter_connect c = {0};
    struct str rest;

    if (!str_cut(p->data, '\0', &c.host, &rest) || rest.n == 0)
        return short_packet(p, err);
    switch (rest.p[0]) {
    case MILTER_FAMILY_UNKNOWN:
        c.family = MILTER_FAMILY_UNKNOWN;
        *out = c;
        return 0;
    case MILTER_FAMILY_UNIX:
    case MILTER_FAMILY_4:
    case MILTER_FAMILY_6:
        break;
    default:
        return short_packet(p, err);
    }
    c.family = (enum milter_family)rest.p[0];
    if (rest.n < 4 || !str_cut(str_skip(rest, 3), '\0', &c.addr, &(struct str){0}))
        return short_packet(p, err);
    c.port = (uint16_t)((unsigned char)rest.p[1] << 8 | (unsigned char)rest.p[2]);
    if (c.family == MILTER_FAMILY_6 && str_istarts(c.addr, STR("IPv6:")))
        c.addr = str_skip(c.addr, 5);
    *out = c;
    return 0;
}

void milter_format_connect(struct buf *to, const struct milter_connect *c)
{
    size_t at = begin(to, MILTER_CONNECT);

    text_z(to, c->host);
    buf_append_char(to, (char)c->family);
    if (c->family != MILTER_FAMILY_UNKNOWN) {
        buf_append_be16(to, c->port);
        text_z(to, c->addr);
    }
    end(to, at);
}

int milter_read_macros(const struct milter_packet *p, struct milter_macros *out, struct err *err)
{
    if (p->data.n == 0)
        return short_packet(p, err);
    out->command = p->data.p[0];
    out->rest = str_skip(p->data, 1);
    return 0;
}

bool milter_next_macro(struct milter_macros *m, struct str *name, struct str *value)
{
    return str_cut(m->rest, '\0', name, &m->rest) && str_cut(m->rest, '\0', value, &m->rest);
}

void milter_format_macros(struct buf *to, char command, const struct milter_pair *pairs, size_t n)
{
    size_t at = begin(to, MILTER_MACRO);

    buf_append_char(to, command);
    for (size_t i = 0; i < n; i++) {
        text_z(to, pairs[i].name);
        text_z(to, pairs[i].value);
    }
    end(to, at);
}

int milter_read_text(const struct milter_packet *p, struct str *out, struct err *err)
{
    struct str rest;

    if (!str_cut(p->data, '\0', out, &rest))
        return short_packet(p, err);
    return 0;
}

void milter_format_text(struct buf *to, char command, struct str text)
{
    size_t at = begin(to, command);

    text_z(to, text);
    end(to, at);
}

int milter_read_path(const struct milter_packet *p, struct milter_path *out, struct err *err)
{
    struct str path;
    struct str params;

    if (!str_cut(p->data, '\0', &path, &params))
        return short_packet(p, err);
    if (params.n && params.p[params.n - 1] != '\0')
        return short_packet(p, err);
    *out = (struct milter_path){path, params};
    return 0;
}

void milter_format_path(struct buf *to, char command, struct str path, const struct str *params,
                        size_t params_n)
{
    size_t at = begin(to, command);

    text_z(to, path);
    for (size_t i = 0; i < params_n; i++)
        text_z(to, params[i]);
    end(to, at);
}

int milter_read_header(const struct milter_packet *p, struct milter_pair *out, struct err *err)
{
    struct milter_pair h;
    struct str rest;

    if (!str_cut(p->data, '\0', &h.name, &rest) || !str_cut(rest, '\0', &h.value, &rest))
        return short_packet(p, err);
    *out = h;
    return 0;
}

/* Header values travel with LF; a CR has no place in them. */
static void value_z(struct buf *to, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '\r' && s.p[i] != '\0')
            buf_append_char(to, s.p[i]);
    }
    buf_append_char(to, '\0');
}

void milter_format_header(struct buf *to, const struct milter_pair *h)
{
    size_t at = begin(to, MILTER_HEADER);

    text_z(to, h->name);
    value_z(to, h->value);
    end(to, at);
}

/* --- filter to MTA --- */

bool milter_is_verdict(char command)
{
    switch (command) {
    case MILTER_ACCEPT:
    case MILTER_CONTINUE:
    case MILTER_DISCARD:
    case MILTER_CONN_FAIL:
    case MILTER_REJECT:
    case MILTER_SKIP:
    case MILTER_TEMPFAIL:
    case MILTER_REPLY:
    case MILTER_SHUTDOWN:
        return true;
    default:
        return false;
    }
}

int milter_read_reply(const struct milter_packet *p, struct str *out, struct err *err)
{
    struct str text;

    if (milter_read_text(p, &text, err) < 0)
        return -1;
    if (text.n < 4 || (text.p[0] != '4' && text.p[0] != '5') || !ascii_is_digit(text.p[1]) ||
        !ascii_is_digit(text.p[2]) || (text.p[3] != ' ' && text.p[3] != '-'))
        return short_packet(p, err);
    *out = text;
    return 0;
}

void milter_format_reply(struct buf *to, unsigned code, struct str status, struct str text)
{
    size_t at = begin(to, MILTER_REPLY);

    buf_printf(to, "%03u %.*s ", code % 1000, STR_ARG(status));
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];

        if (c == '%')
            buf_append_char(to, '%');
        buf_append_char(to, (unsigned char)c < ' ' || c == 0x7f ? ' ' : c);
    }
    buf_append_char(to, '\0');
    end(to, at);
}

int milter_read_header_change(const struct milter_packet *p, struct milter_header_change *out,
                              struct err *err)
{
    struct milter_header_change h = {.command = p->command};
    struct str rest = p->data;

    if (p->command != MILTER_ADD_HEADER) {
        if (rest.n < 4)
            return short_packet(p, err);
        h.index = be32(rest.p);
        rest = str_skip(rest, 4);
    }
    if (!str_cut(rest, '\0', &h.name, &rest) || !str_cut(rest, '\0', &h.value, &rest) ||
        h.name.n == 0)
        return short_packet(p, err);
    *out = h;
    return 0;
}

void milter_format_header_change(struct buf *to, const struct milter_header_change *h)
{
    size_t at = begin(to, h->command);

    if (h->command != MILTER_ADD_HEADER)
        buf_append_be32(to, h->index);
    text_z(to, h->name);
    value_z(to, h->value);
    end(to, at);
}

int milter_read_change_text(const struct milter_packet *p, struct str *out, struct err *err)
{
    return milter_read_text(p, out, err);
}
