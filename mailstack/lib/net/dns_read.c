/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/net/dns_read.h"

#include <errno.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"

#include "mailstack/lib/proto/dns_msg.h"

static int read_name(const struct dns_msg *m, size_t at, struct arena *a, struct str *out,
                     struct err *err)
{
    own_buf struct buf text = BUF_INIT(DNS_MSG_NAME_TEXT);
    size_t next;

    if (dns_msg_name(m->whole, at, &text, &next, err) < 0)
        return -1;
    *out = arena_str(a, buf_str(&text));
    return 0;
}

static int read_mx(const struct dns_msg *m, const struct dns_msg_rr *rr, struct arena *a,
                   struct dns_record *out, struct err *err)
{
    if (rr->data.n < 3)
        return err_set(err, EBADMSG, "half an MX record");
    out->preference = (uint16_t)((unsigned char)rr->data.p[0] << 8 | (unsigned char)rr->data.p[1]);
    return read_name(m, rr->data_at + 2, a, &out->text, err);
}

/* The strings joined, as SPF and DKIM want them (RFC 7208 section 3.3). */
static int read_txt(struct str data, struct arena *a, struct dns_record *out, struct err *err)
{
    own_buf struct buf text = BUF_INIT(DNS_MSG_MAX);

    while (data.n) {
        size_t n = (unsigned char)data.p[0];

        if (data.n < n + 1)
            return err_set(err, EBADMSG, "half a TXT record");
        buf_append(&text, str_sub(data, 1, n));
        data = str_skip(data, n + 1);
    }
    out->text = arena_str(a, buf_str(&text));
    return 0;
}

static int read_raw(struct str data, size_t want, struct arena *a, struct dns_record *out,
                    struct err *err)
{
    if (want && data.n != want)
        return err_set(err, EBADMSG, "an address of %zu bytes", data.n);
    out->text = arena_str(a, data);
    return 0;
}

static int read_rr(const struct dns_msg *m, const struct dns_msg_rr *rr, struct arena *a,
                   struct dns_record *out, struct err *err)
{
    out->ttl_s = rr->ttl_s;
    switch ((enum dns_type)rr->type) {
    case DNS_A:
        return read_raw(rr->data, 4, a, out, err);
    case DNS_AAAA:
        return read_raw(rr->data, 16, a, out, err);
    case DNS_MX:
        return read_mx(m, rr, a, out, err);
    case DNS_TXT:
        return read_txt(rr->data, a, out, err);
    case DNS_TLSA:
        return read_raw(rr->data, 0, a, out, err);
    case DNS_CNAME:
    case DNS_PTR:
        return read_name(m, rr->data_at, a, &out->text, err);
    }
    return err_set(err, EBADMSG, "a record of type %u", rr->type);
}

static int read_records(const struct dns_msg *m, enum dns_type type, struct arena *a,
                        struct dns_answer *out, struct err *err)
{
    size_t max = m->counts[1] < DNS_RECORDS_MAX ? m->counts[1] : DNS_RECORDS_MAX;
    struct dns_record *v = arena_array(a, max, sizeof(*v));
    struct dns_msg_walk w = {0};
    struct dns_msg_rr rr;
    size_t n = 0;

    while (w.seen < m->counts[1] && n < max) {
        if (dns_msg_next(m, &w, &rr, err) != 1)
            return err_set(err, EBADMSG, "a damaged answer");
        if (rr.type == type && rr.class_ == DNS_MSG_CLASS_IN &&
            read_rr(m, &rr, a, &v[n++], err) < 0)
            return -1;
    }
    out->records = v;
    out->records_n = n;
    return 0;
}

void dns_read(struct str message, enum dns_type type, struct arena *a, struct dns_answer *out)
{
    struct err ignored = {0}; /* dnsd logs what is wrong with the world's answers */
    struct dns_msg m;

    *out = (struct dns_answer){.status = DNS_TEMP};
    if (dns_msg_parse(message, &m, &ignored) < 0 || !(m.flags & DNS_MSG_QR))
        return;
    switch (m.flags & DNS_MSG_RCODE) {
    case DNS_MSG_NOERROR:
        if (read_records(&m, type, a, out, &ignored) < 0 || arena_failed(a)) {
            *out = (struct dns_answer){.status = DNS_TEMP};
            return;
        }
        out->status = out->records_n ? DNS_OK : DNS_NODATA;
        break;
    case DNS_MSG_NXDOMAIN:
        out->status = DNS_NXDOMAIN;
        break;
    default:
        return;
    }
    out->secure = (m.flags & DNS_MSG_AD) != 0;
}
