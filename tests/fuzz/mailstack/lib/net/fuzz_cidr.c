/* SPDX-License-Identifier: Apache-2.0 */
/* A network holds its own first address, and no other network's that lies beside it. */
#include <assert.h>
#include <stdint.h>

#include "runtime/base/err.h"

#include "mailstack/lib/net/cidr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct cidr c;
    struct err err = {0};
    struct in6_addr beside;

    if (cidr_parse((struct str){(const char *)data, n}, &c, &err) < 0) {
        assert(err.text[0] != '\0');
        return 0;
    }
    assert(c.bits <= 128);
    assert(cidr_has(&c, &c.net));
    if (c.bits == 0)
        return 0;
    beside = c.net;
    beside.s6_addr[(c.bits - 1) / 8] ^= (uint8_t)(0x80 >> (c.bits - 1) % 8);
    assert(!cidr_has(&c, &beside));
    return 0;
}
