/* SPDX-License-Identifier: Apache-2.0 */
/* What it takes, jansson takes, and reads the same values, members in the same order. */
#include <assert.h>
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/jplain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    json_t *quick = jplain_load((struct str){(const char *)data, n}), *slow = NULL;
    char *a = NULL, *b = NULL;

    if (quick == NULL)
        return 0;
    slow = json_loadb((const char *)data, n, JSON_REJECT_DUPLICATES, NULL);
    assert(slow != NULL && json_equal(quick, slow));
    a = json_dumps(quick, JSON_COMPACT);
    b = json_dumps(slow, JSON_COMPACT);
    assert(a != NULL && b != NULL && strcmp(a, b) == 0);
    free(a);
    free(b);
    json_decref(quick);
    json_decref(slow);
    return 0;
}
