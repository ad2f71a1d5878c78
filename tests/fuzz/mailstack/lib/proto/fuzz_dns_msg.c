/* SPDX-License-Identifier: Apache-2.0 */
/* A message that parses can be walked to its end within its counts; a name that was read is
 * written and read again the same. */
#include <assert.h>
#include <stdint.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"

#include "mailstack/lib/proto/dns_msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_name(const char *name)
{
    own_buf struct buf b = BUF_INIT(4096);
    struct dns_msg again;
    struct err err;

    assert(dns_msg_format_query(&b, 1, str_of(name), 1, &err) == 0);
    assert(dns_msg_parse(str_skip(buf_str(&b), 2), &again, &err) == 0);
    assert(str_eq_c(str_of(name), again.name));
}

static void check_walk(const struct dns_msg *m)
{
    own_buf struct buf name = BUF_INIT(DNS_MSG_NAME_TEXT - 1);
    struct dns_msg_walk w = {0};
    struct dns_msg_rr rr;
    struct err err;
    size_t next = 0;

    while (dns_msg_next(m, &w, &rr, &err) == 1) {
        assert(rr.data_at + rr.data.n <= m->whole.n && w.at == rr.data_at + rr.data.n);
        buf_reset(&name);
        if (dns_msg_name(m->whole, rr.data_at, &name, &next, &err) == 0)
            assert(next <= m->whole.n && next > rr.data_at);
    }
    assert(w.seen <= (size_t)m->counts[1] + m->counts[2] + m->counts[3]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str in = {(const char *)data, n};
    own_buf struct buf out = BUF_INIT(DNS_MSG_MAX + 2);
    struct str message;
    struct dns_msg m;
    struct err err;
    size_t used = 0;

    if (dns_msg_unframe(in, &message, &used, &err) == PARSE_DONE)
        assert(used <= n && message.n + 2 == used);
    if (n > DNS_MSG_MAX)
        return 0;
    if (dns_msg_parse(in, &m, &err) == 0) {
        check_name(m.name);
        check_walk(&m);
    }
    dns_msg_format_error(&out, &m, DNS_MSG_SERVFAIL);
    assert(out.n >= 2 + DNS_MSG_HEAD_N);
    return 0;
}
