/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/rand.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void rand_bytes(void *p, size_t n)
{
    unsigned char *at = p;

    while (n > 0) {
        ssize_t got = getrandom(at, n, 0);

        /* Without randomness nothing that asked for it may go on. */
        if (got < 0 && errno != EINTR)
            abort();
        if (got > 0) {
            at += got;
            n -= (size_t)got;
        }
    }
}

uint64_t rand_u64(void)
{
    uint64_t v;

    rand_bytes(&v, sizeof(v));
    return v;
}

uint64_t rand_below(uint64_t n)
{
    uint64_t v;

    assert(n > 0);
    /* The values below 2^64 mod n would make the small results more frequent. */
    do
        v = rand_u64();
    while (v < (0 - n) % n);
    return v % n;
}

void rand_hex(char *out, size_t n)
{
    static const char digits[] = "0123456789abcdef";

    rand_bytes(out, n);
    for (size_t i = 0; i < n; i++)
        out[i] = digits[(unsigned char)out[i] & 15];
    out[n] = '\0';
}
