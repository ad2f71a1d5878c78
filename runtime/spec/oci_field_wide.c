/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Marks numbers that need the 64th bit, before the text is parsed: see "Numbers" in the header. It
 * knows as much of JSON as tells numbers from strings; whatever else is wrong the parser will say.
 */
#include <inttypes.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/num.h"
#include "runtime/spec/oci_field.h"

#define WIDE_DIGITS 19 /* of INT64_MAX */

/* The length of the string at the front of text, with its quotes. */
static size_t string_n(struct str text)
{
    for (size_t i = 1; i < text.n; i++) {
        if (text.p[i] == '"')
            return i + 1;
        if (text.p[i] == '\\')
            i++;
    }
    return text.n;
}

/* The length of what may be a number: digits, and what would make it a fraction. */
static size_t number_n(struct str text)
{
    size_t n = 0;

    while (n < text.n && (ascii_is_alnum(text.p[n]) || strchr("+-.", text.p[n]) != NULL))
        n++;
    return n;
}

static void widen_number(struct str word, struct buf *out)
{
    struct err ignored; /* what is no plain number is left to the parser */
    uint64_t v;

    if (num_parse_u64(word, 0, UINT64_MAX, &v, &ignored) == 0 && v > INT64_MAX)
        buf_printf(out, "\"\\u%04x%" PRIu64 "\"", (unsigned)OCI_FIELD_MARK, v);
    else
        buf_append(out, word);
}

bool oci_field_is_wide(struct str text)
{
    size_t digits = 0;

    for (size_t i = 0; i < text.n; i++) {
        digits = ascii_is_digit(text.p[i]) ? digits + 1 : 0;
        if (digits == WIDE_DIGITS)
            return true;
    }
    return false;
}

int oci_field_widen(struct str text, struct buf *out, struct err *err)
{
    while (text.n > 0) {
        size_t n;

        if (text.p[0] == '"') {
            n = string_n(text);
            buf_append(out, str_head(text, n));
        } else if (ascii_is_digit(text.p[0]) || text.p[0] == '-') {
            n = number_n(text);
            widen_number(str_head(text, n), out);
        } else {
            n = 1;
            buf_append_char(out, text.p[0]);
        }
        text = str_skip(text, n == 0 ? 1 : n);
    }
    return buf_check(out, "the document", err);
}
