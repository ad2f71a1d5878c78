/* SPDX-License-Identifier: Apache-2.0 */
/* What is a list has a highest number, which is in it; a text with spaces around it is the same. */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/kernel/idlist.h"

#define TEXT_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[TEXT_MAX], spaced[TEXT_MAX + 4];
    struct idlist l, again;
    struct err err;
    long top = -1;

    if (size >= sizeof text || memchr(data, '\0', size) != NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (idlist_parse(text, &l, &err) < 0)
        return 0;
    top = idlist_top(&l);
    assert(top >= 0 && top < IDLIST_BITS);
    assert((l.v[(size_t)top / IDLIST_WORD] >> (size_t)top % IDLIST_WORD & 1) != 0);
    if (text[size - 1] == ',') /* which ends a list, but not one that goes on */
        return 0;
    (void)snprintf(spaced, sizeof spaced, " %s ", text);
    assert(idlist_parse(spaced, &again, &err) == 0 && memcmp(&l, &again, sizeof l) == 0);
    return 0;
}
