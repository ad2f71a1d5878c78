/* SPDX-License-Identifier: Apache-2.0 */
/* However the input is cut, the output is the same, and never longer than it may be. */
#include <assert.h>

#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool run(enum decode_kind kind, struct str in, size_t cut, struct buf *out)
{
    struct decode d = decode_start(kind);

    for (; in.n; in = str_skip(in, cut))
        decode_feed(&d, str_head(in, cut), out);
    decode_end(&d, out);
    return d.flawed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const enum decode_kind kinds[] = {DECODE_NONE, DECODE_BASE64, DECODE_QUOTED,
                                             DECODE_Q_HEADER};
    struct str in;

    if (n < 1)
        return 0;
    in = (struct str){(const char *)data + 1, n - 1};
    for (size_t i = 0; i < ARRAY_N(kinds); i++) {
        own_buf struct buf whole = BUF_INIT(1 << 20);
        own_buf struct buf cut = BUF_INIT(1 << 20);
        bool flawed = run(kinds[i], in, in.n + 1, &whole);

        assert(run(kinds[i], in, 1u + data[0] % 11u, &cut) == flawed);
        assert(str_eq(buf_str(&whole), buf_str(&cut)));
        assert(whole.n <= in.n + DECODE_HELD_MAX);
    }
    return 0;
}
