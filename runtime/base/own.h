/* SPDX-License-Identifier: Apache-2.0 */
/*
 * own - scope-bound descriptors and pointers, and the marks of a change of owner
 *
 *     own_fd int fd = open(...);        closed at the end of the scope unless taken
 *     return take_fd(&fd);              the caller owns it now; fd is -1
 *     own_free char *text = ...;        free()d at the end of the scope unless taken
 *     return take_ptr(&text);           the caller owns it now; text is NULL
 *
 * Tests:     tests/unit/runtime/base/test_own.c
 */
#ifndef MR_BASE_OWN_H
#define MR_BASE_OWN_H

#include <stddef.h>

#include "runtime/base/buf.h"

void own_close_fd(const int *fd); /* keeps errno; a value below 0 is left alone */
void own_free_ptr(void *ptr);     /* ptr is the address of the pointer */

#define own_fd   __attribute__((cleanup(own_close_fd)))
#define own_free __attribute__((cleanup(own_free_ptr)))
#define own_buf  __attribute__((cleanup(buf_done)))

static inline int take_fd(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

#define take_ptr(ptr)                       \
    __extension__({                         \
        __typeof__(*(ptr)) taken_ = *(ptr); \
        *(ptr) = NULL;                      \
        taken_;                             \
    })

#endif
