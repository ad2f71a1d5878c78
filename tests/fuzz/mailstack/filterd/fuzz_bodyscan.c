/* SPDX-License-Identifier: Apache-2.0 */
/* The same is found however the body was cut, and the state stays within its limits. */
#include "runtime/base/str.h"

#include "mailstack/filterd/bodyscan.h"
#include "mailstack/lib/mail/header.h"

#undef NDEBUG
#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void run(struct bodyscan *s, struct str message, size_t step)
{
    size_t end = header_end(message);

    bodyscan_init(s, str_head(message, end));
    for (struct str in = str_skip(message, end); in.n > 0; in = str_skip(in, step)) {
        bodyscan_feed(s, str_head(in, step));
        assert(s->open_n <= BODYSCAN_DEPTH_MAX && s->header.n <= BODYSCAN_HEADER_MAX &&
               s->line_n < BODYSCAN_LINE_MAX);
    }
    bodyscan_end(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct bodyscan whole, cut;
    struct str in;

    if (n < 1)
        return 0;
    in = (struct str){(const char *)data + 1, n - 1};
    run(&whole, in, in.n + 1);
    run(&cut, in, 1u + data[0] % 13u);
    assert(whole.gtube == cut.gtube && whole.program == cut.program);
    assert(strcmp(whole.why, cut.why) == 0);
    bodyscan_done(&whole);
    bodyscan_done(&cut);
    return 0;
}
