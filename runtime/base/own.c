/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/own.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void own_close_fd(const int *fd)
{
    int saved = errno;

    /* Linux closes even on EINTR; a retry could close a stranger's descriptor. */
    if (*fd >= 0)
        (void)close(*fd);
    errno = saved;
}

void own_free_ptr(void *ptr)
{
    void *p;

    memcpy(&p, ptr, sizeof(p)); /* ptr is a T **, which may not be read as a void ** */
    free(p);
}
