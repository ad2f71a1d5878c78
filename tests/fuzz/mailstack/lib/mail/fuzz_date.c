/* SPDX-License-Identifier: Apache-2.0 */
/* A date that is read is written and read again as the same one. */
#include <assert.h>
#include <stdint.h>

#include "runtime/base/err.h"

#include "mailstack/lib/mail/date.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct date d;
    struct date again;
    struct err err;
    char text[DATE_TEXT_MAX];

    if (date_parse((struct str){(const char *)data, n}, &d, &err) < 0)
        return 0;
    date_format(text, d.unix_s, d.zone_min);
    assert(date_parse(str_of(text), &again, &err) == 0);
    assert(again.unix_s == d.unix_s && again.zone_min == d.zone_min);
    return 0;
}
