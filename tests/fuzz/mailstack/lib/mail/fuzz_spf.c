/* SPDX-License-Identifier: Apache-2.0 */
/* Records that are taken expand within their limits, and to nothing that ends in a dot. */
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/spf.h"

#undef NDEBUG
#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const struct spf_macros macros = {
    .local = STR_INIT("strong-bad"),
    .sender = STR_INIT("email.example.com"),
    .domain = STR_INIT("email.example.com"),
    .helo = STR_INIT("x..y"),
    .validated = STR_INIT("unknown"),
    .addr = {192, 0, 2, 3},
    .addr_n = 4,
};

static void expand(struct str spec)
{
    own_buf struct buf out = BUF_INIT(SPF_NAME_MAX);

    spf_expand(spec, &macros, &out);
    assert(!out.failed);
    (void)spf_wants_name(spec);
    if (spf_is_name(buf_str(&out)))
        assert(out.n > 0 && out.n <= SPF_NAME_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena *a = arena_new(1 << 20);
    struct str in = {(const char *)data, n};
    struct spf_record r;
    struct err err = {0};

    if (spf_is_record(in)) {
        if (spf_parse(in, a, &r, &err) == 0) {
            assert(r.terms_n <= SPF_TERMS_MAX);
            for (size_t i = 0; i < r.terms_n; i++) {
                assert(r.terms[i].prefix4 <= 32 && r.terms[i].prefix6 <= 128);
                expand(r.terms[i].domain);
            }
            expand(r.redirect);
        } else {
            assert(err.text[0] != '\0');
        }
    }
    arena_free(a);
    return 0;
}
