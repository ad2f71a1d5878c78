/* SPDX-License-Identifier: Apache-2.0 */
/* A cleaned path stays cleaned, an absolute one never leaves the root, and joining keeps both. */
#include <assert.h>

#include "runtime/base/buf.h"
#include "runtime/base/own.h"
#include "runtime/base/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_clean(struct str p)
{
    struct str rest = p;
    struct str part;
    bool named = false;

    assert(path_is_clean(p));
    assert(str_find_str(p, STR("//")) < 0 && (p.n == 1 || p.p[p.n - 1] != '/'));
    while (str_next(&rest, '/', &part)) {
        bool up = str_eq_c(part, "..");

        assert(!(up &&
                 (named || path_is_absolute(p)))); /* ".." only in front, and never at the root */
        assert(!str_eq_c(part, ".") || p.n == 1);
        named = named || (part.n > 0 && !up);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str s = {(const char *)data, n};
    struct str base = str_head(s, n / 2);
    own_buf struct buf clean = BUF_INIT(n + 2);
    own_buf struct buf joined = BUF_INIT(n + 2);

    path_clean(s, &clean);
    assert(!clean.failed);
    check_clean(buf_str(&clean));
    assert(path_is_absolute(s) == path_is_absolute(buf_str(&clean)));
    path_join(base, str_skip(s, n / 2), &joined);
    assert(!joined.failed);
    check_clean(buf_str(&joined));
    return 0;
}
