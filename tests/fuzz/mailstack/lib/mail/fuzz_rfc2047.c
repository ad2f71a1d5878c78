/* SPDX-License-Identifier: Apache-2.0 */
/* What is decoded is one line; what is encoded from UTF-8 is ASCII and decodes to the same. */
#include <assert.h>
#include <stdint.h>

#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/rfc2047.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str in = {(const char *)data, n};
    own_buf struct buf out = BUF_INIT(8 << 20);
    own_buf struct buf encoded = BUF_INIT(8 << 20);
    own_buf struct buf back = BUF_INIT(8 << 20);

    rfc2047_decode(in, &out);
    assert(!out.failed && out.n <= 3 * n + 3);
    assert(str_find_any(buf_str(&out), "\r\n") < 0 && !str_has_nul(buf_str(&out)));
    if (!str_is_utf8(buf_str(&out)) || !str_eq(buf_str(&out), str_trim(buf_str(&out))))
        return 0;
    rfc2047_encode(buf_str(&out), &encoded);
    assert(str_is_ascii(buf_str(&encoded)));
    rfc2047_decode(buf_str(&encoded), &back);
    assert(str_eq(buf_str(&back), buf_str(&out)));
    return 0;
}
