/* SPDX-License-Identifier: Apache-2.0 */
/* The size that was told is the size that is written, for any cut, and no LF stands alone. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "mailstack/lib/store/crlf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str raw = {(const char *)data, n};
    size_t cap = n == 0 ? 2 : 2 + data[0] % 30, told = crlf_size(raw, '\0'), got = 0;
    char out[32], last = '\0', before = '\0';

    while (raw.n > 0) {
        size_t now = crlf_convert(&raw, &last, out, cap);

        assert(now > 0 && now <= cap);
        for (size_t i = 0; i < now; i++) {
            assert(out[i] != '\n' || before == '\r');
            before = out[i];
        }
        got += now;
    }
    assert(got == told);
    return 0;
}
