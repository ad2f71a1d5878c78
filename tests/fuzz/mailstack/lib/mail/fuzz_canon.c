/* SPDX-License-Identifier: Apache-2.0 */
/* The canonical form is the same however the body was cut, and its own canonical form. */
#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/canon.h"

#undef NDEBUG
#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void collect(void *ctx, struct str bytes)
{
    buf_append(ctx, bytes);
}

static void run(enum canon_kind kind, struct str in, size_t step, struct buf *out)
{
    struct canon_body c = canon_body_start(kind, collect, out);

    for (; in.n > 0; in = str_skip(in, step))
        canon_body_feed(&c, str_head(in, step));
    canon_body_end(&c);
}

static void check_header(enum canon_kind kind, struct str in)
{
    own_buf struct buf once = BUF_INIT(1 << 20);
    own_buf struct buf twice = BUF_INIT(1 << 20);

    canon_header(kind, in, &once);
    canon_header(kind, buf_str(&once), &twice);
    assert(str_eq(buf_str(&once), buf_str(&twice)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const enum canon_kind kinds[] = {CANON_SIMPLE, CANON_RELAXED};
    struct str in;

    if (n < 1)
        return 0;
    in = (struct str){(const char *)data + 1, n - 1};
    for (size_t i = 0; i < ARRAY_N(kinds); i++) {
        own_buf struct buf whole = BUF_INIT(1 << 20);
        own_buf struct buf cut = BUF_INIT(1 << 20);
        own_buf struct buf again = BUF_INIT(1 << 20);

        run(kinds[i], in, in.n + 1, &whole);
        run(kinds[i], in, 1u + data[0] % 7u, &cut);
        run(kinds[i], buf_str(&whole), in.n + 1, &again);
        assert(str_eq(buf_str(&whole), buf_str(&cut)));
        assert(str_eq(buf_str(&whole), buf_str(&again)));
        assert(whole.n == 0 || str_ends(buf_str(&whole), STR("\r\n")));
        assert(whole.n <= in.n + 3);
        check_header(kinds[i], in);
    }
    return 0;
}
