/* SPDX-License-Identifier: Apache-2.0 */
/* A name has one spelling: what decodes encodes to the same bytes, and any UTF-8 survives both
 * ways. */
#include <assert.h>
#include <stdint.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"

#include "mailstack/lib/proto/imap_utf7.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str in = {(const char *)data, n};
    own_buf struct buf there = BUF_INIT(1 << 20);
    own_buf struct buf back = BUF_INIT(1 << 20);
    struct err err = {0};

    if (imap_utf7_decode(in, &there, &err) == 0) {
        assert(str_is_utf8(buf_str(&there)));
        assert(imap_utf7_encode(buf_str(&there), &back, &err) == 0);
        assert(str_eq(buf_str(&back), in));
    }
    buf_reset(&there);
    buf_reset(&back);
    if (imap_utf7_encode(in, &there, &err) == 0) {
        assert(imap_utf7_decode(buf_str(&there), &back, &err) == 0);
        assert(str_eq(buf_str(&back), in));
    } else {
        assert(!str_is_utf8(in));
    }
    return 0;
}
