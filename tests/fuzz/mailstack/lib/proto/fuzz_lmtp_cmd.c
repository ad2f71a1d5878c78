/* SPDX-License-Identifier: Apache-2.0 */
/* An address that was accepted is UTF-8, has no control character, and a recipient has a domain. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "runtime/base/err.h"

#include "mailstack/lib/proto/lmtp_cmd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct err err = {0};
    struct lmtp_cmd c;

    if (lmtp_cmd_parse((struct str){(const char *)data, n}, &c, &err) < 0) {
        assert(err.text[0] != '\0');
        return 0;
    }
    assert(str_is_utf8(str_of(c.addr)) && strlen(c.addr) <= LMTP_ADDR_MAX);
    for (const char *p = c.addr; *p != '\0'; p++)
        assert((unsigned char)*p >= 0x20 && *p != 0x7f);
    assert(c.verb != LMTP_RCPT || strrchr(c.addr, '@') != NULL);
    return 0;
}
