/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/dialmsg.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/num.h"

#define CODE_MAX 4095 /* the kernel's highest errno */

/* --- addresses ------------------------------------------------------------------------------- */

static struct str without_brackets(struct str host)
{
    if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        return str_sub(host, 1, host.n - 2);
    return host;
}

static bool parse_host(struct str host, uint16_t port, struct sockaddr_storage *out)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct str inner = without_brackets(host);
    bool bare = inner.n == host.n;
    char text[INET6_ADDRSTRLEN] = {0};

    if (inner.n >= sizeof(text) || str_has_nul(inner))
        return false;
    if (inner.n > 0)
        memcpy(text, inner.p, inner.n);
    *out = (struct sockaddr_storage){0};
    if (bare && inet_pton(AF_INET, text, &in4.sin_addr) == 1) {
        memcpy(out, &in4, sizeof(in4));
        return true;
    }
    if (host.n > 0 && inet_pton(AF_INET6, text, &in6.sin6_addr) != 1)
        return false;
    memcpy(out, &in6, sizeof(in6));
    return true;
}

int dialmsg_parse_addr(struct str host, uint16_t port, struct sockaddr_storage *out,
                       struct err *err)
{
    struct sockaddr_storage addr;

    if (!parse_host(host, port, &addr))
        return err_set(err, EINVAL, "found '%.*s', expected an IPv4 or IPv6 address",
                       STR_ARG(str_head(host, 64)));
    *out = addr;
    return 0;
}

int dialmsg_parse_endpoint(struct str text, struct sockaddr_storage *out, struct err *err)
{
    struct str host;
    struct str port;
    uint32_t n;

    if (!str_rcut(text, ':', &host, &port) || (str_find(host, ':') >= 0 && host.p[0] != '['))
        return err_set(err, EINVAL, "found '%.*s', expected ADDRESS:PORT, [ADDRESS]:PORT or :PORT",
                       STR_ARG(str_head(text, 64)));
    if (num_parse_u32(port, 0, UINT16_MAX, &n, err) < 0)
        return err_wrap(err, "port of '%.*s'", STR_ARG(str_head(text, 64)));
    return dialmsg_parse_addr(host, (uint16_t)n, out, err);
}

/* The parts of an address as text and number; false for a family that is not spoken here. */
static bool addr_parts(const struct sockaddr_storage *a, char text[INET6_ADDRSTRLEN],
                       unsigned *port)
{
    struct sockaddr_in6 in6;
    struct sockaddr_in in4;

    if (a->ss_family == AF_INET) {
        memcpy(&in4, a, sizeof(in4));
        *port = ntohs(in4.sin_port);
        return inet_ntop(AF_INET, &in4.sin_addr, text, INET6_ADDRSTRLEN) != NULL;
    }
    if (a->ss_family != AF_INET6)
        return false;
    memcpy(&in6, a, sizeof(in6));
    *port = ntohs(in6.sin6_port);
    return inet_ntop(AF_INET6, &in6.sin6_addr, text, INET6_ADDRSTRLEN) != NULL;
}

void dialmsg_format_addr(const struct sockaddr_storage *a, struct buf *out)
{
    char text[INET6_ADDRSTRLEN];
    unsigned port;

    if (!addr_parts(a, text, &port))
        buf_append_c(out, "unknown");
    else if (a->ss_family == AF_INET)
        buf_printf(out, "%s:%u", text, port);
    else
        buf_printf(out, "[%s]:%u", text, port);
}

/* --- requests -------------------------------------------------------------------------------- */

/* The next field up to a space; false if there is none or it is empty. */
static bool field(struct str *rest, struct str *out)
{
    return str_next(rest, ' ', out) && out->n > 0;
}

static int parse_ids(struct str *rest, uint64_t *id, struct err *err)
{
    struct str text;

    if (!field(rest, &text))
        return err_set(err, EPROTO, "dial message without an id");
    return num_parse_u64(text, 0, UINT64_MAX, id, err);
}

int dialmsg_parse_request(struct str in, struct dialmsg_request *out, struct err *err)
{
    struct str verb;
    struct str host;
    struct str port_text;
    struct dialmsg_request r;
    uint32_t port;

    if (in.n > DIALMSG_MAX || !field(&in, &verb) || !str_eq_c(verb, "dial"))
        return err_set(err, EPROTO, "dial request that does not begin with 'dial'");
    if (parse_ids(&in, &r.id, err) < 0)
        return -1;
    if (!field(&in, &host) || !field(&in, &port_text))
        return err_set(err, EPROTO, "dial request without an address and a port");
    if (num_parse_u32(port_text, 1, UINT16_MAX, &port, err) < 0 ||
        dialmsg_parse_addr(host, (uint16_t)port, &r.addr, err) < 0 ||
        num_parse_u32(in, 0, UINT32_MAX, &r.timeout_ms, err) < 0)
        return err_wrap(err, "dial request");
    *out = r;
    return 0;
}

void dialmsg_format_request(const struct dialmsg_request *r, struct buf *out)
{
    char host[INET6_ADDRSTRLEN] = "";
    unsigned port = 0;

    (void)addr_parts(&r->addr, host, &port); /* an unknown family makes a request that is refused */
    buf_printf(out, "dial %llu %s %u %u", (unsigned long long)r->id, host, port, r->timeout_ms);
}

/* --- answers --------------------------------------------------------------------------------- */

static const struct str verbs[] = {
    [DIALMSG_OK] = STR_INIT("ok"),
    [DIALMSG_REFUSED] = STR_INIT("refused"),
    [DIALMSG_ERROR] = STR_INIT("error"),
};

static int parse_kind(struct str verb, enum dialmsg_kind *out, struct err *err)
{
    for (unsigned i = 0; i < ARRAY_N(verbs); i++) {
        if (str_eq(verb, verbs[i])) {
            *out = (enum dialmsg_kind)i;
            return 0;
        }
    }
    return err_set(err, EPROTO, "dial answer that is neither 'ok', 'refused' nor 'error'");
}

static bool is_text(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
            return false;
    }
    return true;
}

static int parse_code(struct str *rest, int *code, struct err *err)
{
    struct str text;
    uint32_t n;

    if (!field(rest, &text))
        return err_set(err, EPROTO, "dial error without a number");
    if (num_parse_u32(text, 0, CODE_MAX, &n, err) < 0)
        return err_wrap(err, "dial error");
    *code = (int)n;
    return 0;
}

int dialmsg_parse_answer(struct str in, struct dialmsg_answer *out, struct err *err)
{
    struct dialmsg_answer a = {.code = 0};
    struct str verb;

    if (in.n > DIALMSG_MAX || !field(&in, &verb))
        return err_set(err, EPROTO, "dial answer of %zu bytes", in.n);
    if (parse_kind(verb, &a.kind, err) < 0 || parse_ids(&in, &a.id, err) < 0)
        return -1;
    if (a.kind == DIALMSG_ERROR && parse_code(&in, &a.code, err) < 0)
        return -1;
    if (!is_text(in) || (a.kind == DIALMSG_OK && in.n > 0))
        return err_set(err, EPROTO, "dial answer with bytes that do not belong there");
    a.text = in;
    *out = a;
    return 0;
}

/* Text from anywhere, cut so that the message stays within its limit, without control bytes. */
static void append_text(struct buf *out, struct str text)
{
    struct str cut = str_head(text, DIALMSG_MAX / 2);

    if (cut.n > 0)
        buf_append_char(out, ' ');
    for (size_t i = 0; i < cut.n; i++)
        buf_append_char(out, is_text(str_sub(cut, i, 1)) ? cut.p[i] : '?');
}

void dialmsg_format_answer(const struct dialmsg_answer *a, struct buf *out)
{
    buf_append(out, verbs[a->kind]);
    buf_printf(out, " %llu", (unsigned long long)a->id);
    if (a->kind == DIALMSG_ERROR)
        buf_printf(out, " %d", a->code);
    if (a->kind != DIALMSG_OK)
        append_text(out, a->text);
}
