/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers lie within the given bytes, are not empty and have no zero in front. */
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/keyder.h"

#undef NDEBUG
#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_view(struct str in, struct str s)
{
    assert(s.n > 0 && s.p >= in.p && s.p + s.n <= in.p + in.n);
}

static void check(struct str in, const struct keyder *k, size_t n)
{
    if (k->kind == KEYDER_ED25519) {
        check_view(in, k->seed);
        assert(k->seed.n == KEYDER_SEED_N && keyder_bits(k) == 0);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        check_view(in, k->rsa[i]);
        assert(k->rsa[i].n == 1 || k->rsa[i].p[0] != 0);
    }
    assert(keyder_bits(k) <= k->rsa[0].n * 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str in = {(const char *)data, n};
    own_buf struct buf der = BUF_INIT(16384);
    struct keyder k;
    struct err err = {0};

    if (keyder_public(in, &k, &err) == 0)
        check(in, &k, 2);
    if (keyder_private(in, &k, &err) == 0)
        check(in, &k, KEYDER_NUMBERS);
    if (keyder_unpem(in, &der, &err) == 0)
        assert(der.n <= in.n);
    return 0;
}
