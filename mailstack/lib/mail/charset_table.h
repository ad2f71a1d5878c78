/* SPDX-License-Identifier: Apache-2.0 */
/*
 * charset_table - the upper halves of the 8-bit character sets that mail uses
 *
 * Tests:     tests/unit/mailstack/lib/mail/test_charset.c
 */
#ifndef MR_MAIL_CHARSET_TABLE_H
#define MR_MAIL_CHARSET_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct charset_table {
    const char *name;
    uint16_t upper[128]; /* code points of the bytes 0x80 to 0xff */
};

extern const struct charset_table charset_tables[];
extern const size_t charset_tables_n;

#endif
