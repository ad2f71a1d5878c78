/* SPDX-License-Identifier: Apache-2.0 */
/* The fields and the rest are the whole input; names are names; unfolding gives one line. */
#include <assert.h>
#include <stdint.h>

#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str in = {(const char *)data, n};
    struct header_walk w = header_walk(in);
    struct header_field f;
    size_t at = 0;
    size_t from = 0;
    size_t end = 0;

    while (header_next(&w, &f)) {
        own_buf struct buf line = BUF_INIT(1 << 20);

        assert(f.raw.p == in.p + at && f.raw.n > 0);
        at += f.raw.n;
        assert(f.name.n == 0 || header_is_name(f.name));
        assert(f.value.n <= f.raw.n);
        header_unfold(f.value, &line);
        assert(str_find_any(buf_str(&line), "\r\n") < 0 && !str_has_nul(buf_str(&line)));
        assert(line.n <= f.value.n);
    }
    assert(header_end(in) == n - w.rest.n);
    assert(n - w.rest.n - at <= 2);
    if (header_end_seen(in, &from, &end))
        assert(end == header_end(in));
    else
        assert(w.rest.n == 0);
    return 0;
}
