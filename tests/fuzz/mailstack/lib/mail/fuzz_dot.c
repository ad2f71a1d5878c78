/* SPDX-License-Identifier: Apache-2.0 */
/* However the input is cut, reading gives the same; what is written, is read back as itself. */
#include <assert.h>
#include <stdint.h>

#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/dot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool read_cut(struct str in, size_t cut, struct buf *out, size_t *used, bool *bare)
{
    struct dot_in d = dot_in_start();
    bool ended = false;

    *used = 0;
    while (*used < in.n && !ended) {
        size_t k;

        ended = dot_in_feed(&d, str_sub(in, *used, cut), &k, out);
        *used += k;
    }
    *bare = d.bare;
    return ended;
}

static void check_round(struct str in)
{
    struct dot_out d = dot_out_start();
    own_buf struct buf out = BUF_INIT(4 << 20);
    own_buf struct buf back = BUF_INIT(4 << 20);
    own_buf struct buf out2 = BUF_INIT(4 << 20);
    size_t used;
    bool bare;

    dot_out_feed(&d, in, &out);
    assert(out.n <= DOT_OUT_MAX(in.n));
    dot_out_end(&d, &out);
    assert(read_cut(buf_str(&out), out.n, &back, &used, &bare) && used == out.n && !bare);
    d = dot_out_start();
    dot_out_feed(&d, buf_str(&back), &out2);
    dot_out_end(&d, &out2);
    assert(str_eq(buf_str(&out), buf_str(&out2)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str in = {(const char *)data, n};
    own_buf struct buf whole = BUF_INIT(1 << 20);
    own_buf struct buf cut = BUF_INIT(1 << 20);
    size_t used;
    size_t used2;
    bool bare;
    bool bare2;
    bool ended;

    if (n < 2)
        return 0;
    ended = read_cut(str_skip(in, 1), n, &whole, &used, &bare);
    assert(read_cut(str_skip(in, 1), 1u + data[0] % 7u, &cut, &used2, &bare2) == ended);
    assert(used == used2 && bare == bare2 && str_eq(buf_str(&whole), buf_str(&cut)));
    check_round(in);
    return 0;
}
