/* SPDX-License-Identifier: Apache-2.0 */
/* What was accepted lies within the input, has a user, and formats to what parses to the same. */
#include <assert.h>
#include <stdint.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"

#include "mailstack/lib/proto/handoff.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void within(struct str view, struct str in)
{
    assert(view.n == 0 || (view.p >= in.p && view.p + view.n <= in.p + in.n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str in = {(const char *)data, n};
    own_buf struct buf b = BUF_INIT(4 * HANDOFF_MAX);
    struct handoff h;
    struct handoff again;
    struct err err = {0};

    if (handoff_parse(in, &h, &err) < 0) {
        assert(err.text[0] != '\0');
        return 0;
    }
    assert(h.user.n > 0 && n <= HANDOFF_MAX);
    within(h.user, in);
    within(h.remote, in);
    within(h.tag, in);
    within(h.input, in);
    handoff_format(&h, &b);
    if (b.n > HANDOFF_MAX)
        return 0;
    assert(handoff_parse(buf_str(&b), &again, &err) == 0);
    assert(str_eq(h.user, again.user) && str_eq(h.remote, again.remote));
    assert(str_eq(h.tag, again.tag) && str_eq(h.input, again.input));
    assert(h.quota == again.quota && h.tls == again.tls);
    return 0;
}
