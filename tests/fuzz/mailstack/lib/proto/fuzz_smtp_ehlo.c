/* SPDX-License-Identifier: Apache-2.0 */
/* A reply is the same however it was cut; what EHLO says stays within it. */
#include <assert.h>
#include <stdint.h>

#include "runtime/base/err.h"

#include "mailstack/lib/proto/smtp_ehlo.h"
#include "mailstack/lib/proto/smtp_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str in = {(const char *)data, n};
    struct smtp_reply r;
    struct smtp_ehlo e;
    struct err err;
    struct str name;
    size_t used;

    if (smtp_reply_parse(in, &r, &used, &err) != PARSE_DONE)
        return 0;
    assert(used > 0 && used <= n && r.code >= 200 && r.code < 600);
    for (size_t i = 0; i < used && n < 512; i++) {
        struct smtp_reply cut;
        size_t none;

        assert(smtp_reply_parse(str_head(in, i), &cut, &none, &err) != PARSE_DONE && none == 0);
    }
    smtp_ehlo_read(&r, &e, &name);
    assert(name.n == 0 || (name.p >= in.p && name.p + name.n <= in.p + used));
    assert(e.size || e.size_max == 0);
    return 0;
}
