/* SPDX-License-Identifier: Apache-2.0 */
/* What parses prints back as the same number; results stay within their limits; refusals change
 * nothing. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "runtime/base/err.h"
#include "runtime/base/num.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define UNTOUCHED 0x5aa5

static void check_u64(struct str s)
{
    struct err err;
    uint64_t v = UNTOUCHED;
    uint64_t again;
    char text[32];

    if (num_parse_u64(s, 1, UINT64_MAX - 1, &v, &err) < 0) {
        assert(v == UNTOUCHED && err.text[0] != '\0');
        return;
    }
    assert(v >= 1 && v < UINT64_MAX);
    (void)snprintf(text, sizeof(text), "%" PRIu64, v);
    assert(num_parse_u64(str_of(text), 0, UINT64_MAX, &again, &err) == 0 && again == v);
    assert(s.n >= str_of(text).n && str_ends(s, str_of(text)));
}

static void check_i64(struct str s)
{
    struct err err;
    int64_t v = UNTOUCHED;
    int64_t again;
    char text[32];

    if (num_parse_i64(s, INT64_MIN, INT64_MAX, &v, &err) < 0) {
        assert(v == UNTOUCHED);
        return;
    }
    (void)snprintf(text, sizeof(text), "%" PRId64, v);
    assert(num_parse_i64(str_of(text), INT64_MIN, INT64_MAX, &again, &err) == 0 && again == v);
}

static void check_units(struct str s)
{
    const uint64_t max = 1ULL << 42;
    struct err err;
    uint64_t size = UNTOUCHED;
    uint64_t seconds = UNTOUCHED;
    uint32_t octal = UNTOUCHED;
    uint64_t hex = UNTOUCHED;
    char shown[NUM_TEXT_MAX];

    if (num_parse_size(s, max, &size, &err) == 0) {
        assert(size <= max);
        num_format_size(size, shown);
        assert(shown[0] != '\0');
    } else {
        assert(size == UNTOUCHED);
    }
    assert(num_parse_seconds(s, max, &seconds, &err) == 0 ? seconds <= max : seconds == UNTOUCHED);
    assert(num_parse_octal(s, 07777, &octal, &err) == 0 ? octal <= 07777 : octal == UNTOUCHED);
    assert(num_parse_hex(s, 0xffff, &hex, &err) == 0 ? hex <= 0xffff : hex == UNTOUCHED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str s = {(const char *)data, n};

    check_u64(s);
    check_i64(s);
    check_units(s);
    return 0;
}
