/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/counter.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/own.h"
#include "runtime/base/str.h"

#define PAGE_N sizeof(struct counter_page)

_Static_assert(PAGE_N == 4096, "a page of counters is a page");

int counter_create(struct err *err)
{
    own_fd int fd = memfd_create("counters", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0 || ftruncate(fd, PAGE_N) < 0)
        return err_set(err, errno, "make a page of counters");
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        return err_set(err, errno, "seal a page of counters");
    return take_fd(&fd);
}

/* A page that could shrink would kill its reader with SIGBUS. */
static int check_page(int fd, struct err *err)
{
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);

    if (fstat(fd, &st) < 0)
        return err_set(err, errno, "look at a page of counters");
    if (seals < 0 || (seals & F_SEAL_SHRINK) == 0 || st.st_size < (off_t)PAGE_N)
        return err_set(err, EINVAL, "a page of counters that is no sealed memfd of %zu bytes",
                       PAGE_N);
    return 0;
}

static void *map_page(int fd, int prot, struct err *err)
{
    int flags = fd < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED;
    void *p;

    if (fd >= 0 && check_page(fd, err) < 0)
        return NULL;
    p = mmap(NULL, PAGE_N, prot, flags, fd, 0);
    if (p == MAP_FAILED) {
        (void)err_set(err, errno, "map a page of counters");
        return NULL;
    }
    return p;
}

struct counter_page *counter_map(int fd, struct err *err)
{
    return map_page(fd, PROT_READ | PROT_WRITE, err);
}

const struct counter_page *counter_map_read(int fd, struct err *err)
{
    return map_page(fd, PROT_READ, err);
}

void counter_unmap(const struct counter_page *page)
{
    void *p;

    memcpy(&p, &page, sizeof(p)); /* munmap takes no const */
    if (p != NULL)
        (void)munmap(p, PAGE_N); /* fails only for what was never mapped */
}

static bool is_sound(struct str name)
{
    if (name.n == 0 || name.n >= COUNTER_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];

        if (c != ascii_lower(c) || !(ascii_is_alnum(c) || c == '_'))
            return false;
    }
    return true;
}

struct counter *counter_get(struct counter_page *page, const char *name)
{
    static struct counter nobodys;
    struct str want = str_of(name);

    assert(is_sound(want));
    for (size_t i = 0; i < COUNTER_MAX; i++) {
        struct counter *c = &page->at[i];

        if (c->name[0] == '\0')
            memcpy(c->name, want.p, want.n + 1);
        if (strncmp(c->name, name, COUNTER_NAME_MAX) == 0)
            return c;
    }
    return &nobodys;
}

void counter_add(struct counter *c, int64_t n)
{
    (void)__atomic_fetch_add(&c->value, n, __ATOMIC_RELAXED);
}

int counter_read(const struct counter_page *page, unsigned i, struct counter *out)
{
    struct counter copy; /* looked at after it was copied: the writer may change it meanwhile */

    if (i >= COUNTER_MAX)
        return 0;
    memcpy(copy.name, page->at[i].name, sizeof(copy.name));
    copy.value = __atomic_load_n(&page->at[i].value, __ATOMIC_RELAXED);
    if (!is_sound((struct str){copy.name, strnlen(copy.name, sizeof(copy.name))}))
        return 0;
    *out = copy;
    return 1;
}
