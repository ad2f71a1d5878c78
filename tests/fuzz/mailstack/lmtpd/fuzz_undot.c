/* SPDX-License-Identifier: Apache-2.0 */
/* The same content and end for any cut; nothing is invented; the end is CRLF.CRLF. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/lmtpd/undot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Pieces of `step` bytes; what was used, or SIZE_MAX without an end. */
static size_t feed(struct str in, size_t step, struct buf *out)
{
    struct undot u = {0};
    size_t at = 0;

    while (at < in.n) {
        struct str now = str_sub(in, at, step), rest = now, piece;

        while (rest.n > 0) {
            bool end = undot_next(&u, &rest, &piece);

            buf_append(out, piece);
            if (end)
                return at + now.n - rest.n;
        }
        at += now.n;
    }
    return SIZE_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str in = {(const char *)data, n};
    own_buf struct buf whole = BUF_INIT(1 << 20), cut = BUF_INIT(1 << 20);
    size_t used = feed(in, n + 1, &whole);

    for (size_t step = 1; step < 4; step++) {
        buf_reset(&cut);
        assert(feed(in, step, &cut) == used);
        assert(str_eq(buf_str(&whole), buf_str(&cut)));
    }
    assert(whole.n <= n);
    if (used != SIZE_MAX) {
        assert(used >= 3 && memcmp(in.p + used - 3, ".\r\n", 3) == 0);
        assert(used == 3 || (used >= 5 && memcmp(in.p + used - 5, "\r\n", 2) == 0));
    }
    return 0;
}
