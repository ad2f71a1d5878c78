/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/kernel/environ.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/base/err.h"

static size_t size_of_all(void)
{
    size_t n = 0;

    for (char **e = environ; e != NULL && *e != NULL; e++)
        n += strlen(*e) + 1;
    return n;
}

/* What a child gets a copy of is all memory but what is marked so. */
static char *map_private(size_t n, struct err *err)
{
    char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED) {
        (void)err_set(err, errno, "hide the environment");
        return NULL;
    }
    if (madvise(p, n, MADV_DONTFORK) == 0)
        return p;
    (void)err_set(err, errno, "hide the environment");
    (void)munmap(p, n);
    return NULL;
}

int environ_hide(struct environ_hidden *h, struct err *err)
{
    char *to = NULL;

    *h = (struct environ_hidden){.n = size_of_all()};
    if (h->n == 0)
        return 0;
    h->p = to = map_private(h->n, err);
    if (to == NULL)
        return -1;
    for (char **e = environ; *e != NULL; e++) {
        size_t n = strlen(*e);

        memcpy(to, *e, n + 1);
        to += n + 1;
    }
    environ_forget();
    return 0;
}

void environ_show(struct environ_hidden *h)
{
    const char *from = h->p;

    if (from == NULL)
        return;
    for (char **e = environ; *e != NULL; e++) {
        size_t n = strlen(from);

        memcpy(*e, from, n);
        from += n + 1;
    }
    (void)munmap(h->p, h->n);
    h->p = NULL;
}

void environ_forget(void)
{
    for (char **e = environ; e != NULL && *e != NULL; e++)
        memset(*e, 0, strlen(*e));
}
