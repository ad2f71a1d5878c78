/* SPDX-License-Identifier: Apache-2.0 */
/* base64 and the escaping of log values: two formatters for bytes from outside. What decodes
 * encodes to the same text; what is encoded decodes to the same bytes; no value makes a second line
 * or exceeds the room it has. */
#include <assert.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/own.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_base64(struct str s)
{
    own_buf struct buf a = BUF_INIT(1 << 16);
    own_buf struct buf b = BUF_INIT(1 << 16);
    struct err err;

    if (buf_append_unbase64(&a, s, &err) == 0) {
        buf_append_base64(&b, buf_str(&a));
        assert(str_eq(buf_str(&b), s));
    }
    buf_reset(&a);
    buf_reset(&b);
    buf_append_base64(&a, s);
    assert(buf_append_unbase64(&b, buf_str(&a), &err) == 0);
    assert(str_eq(buf_str(&b), s));
}

static void check_log(struct str s)
{
    for (size_t max = 0; max < 200; max += 19) {
        own_buf struct buf b = BUF_INIT(max);

        log_format_field(&b, &LOG_STR("key", s));
        assert(!b.failed && str_is_utf8(buf_str(&b)));
        assert(str_find(buf_str(&b), '\n') < 0 && str_find(buf_str(&b), '\r') < 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str s = {(const char *)data, n};

    check_base64(s);
    check_log(s);
    return 0;
}
