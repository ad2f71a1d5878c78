/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void mem_out(void)
{
    static const char line[] = "error mem.out\n";

    (void)!write(STDERR_FILENO, line, sizeof(line) - 1); /* nothing can be done about a failure */
    abort();
}

void *mem_new(size_t n)
{
    return mem_array(1, n);
}

void *mem_array(size_t n, size_t each)
{
    /* calloc checks the product; it may answer NULL for nothing, which is no failure. */
    void *p = n == 0 || each == 0 ? calloc(1, 1) : calloc(n, each);

    if (p == NULL)
        mem_out();
    return p;
}

void *mem_grow(void *p, size_t n, size_t each)
{
    void *q = n == 0 || each == 0 ? realloc(p, 1) : reallocarray(p, n, each);

    if (q == NULL)
        mem_out();
    return q;
}

char *mem_dup_c(const char *c)
{
    size_t n = strlen(c) + 1;
    char *p = mem_new(n);

    memcpy(p, c, n);
    return p;
}
