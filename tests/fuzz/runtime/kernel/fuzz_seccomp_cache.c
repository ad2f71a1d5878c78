/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file of the cache of filters, in a directory of this process alone. Whatever it holds, what is
 * found fits the limits of the kernel; and as it stands after a good one was kept it is found,
 * changed in any byte it is not.
 */
#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"
#include "runtime/kernel/seccomp.h"
#include "runtime/kernel/seccomp_cache.h"

#define KEY STR("key")

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/fuzz-filters-XXXXXX";
static int cache_fd = -1;
static struct buf kept = BUF_INIT(4096); /* the file of a good program */
static char name[64];

static void remove_dir(void)
{
    struct err ignored;

    (void)close(cache_fd);
    if (file_remove_tree(AT_FDCWD, dir, &ignored) < 0)
        return;
}

static void find_name(void)
{
    struct sock_filter code[] = {{.code = 0x06, .k = 0x7fff0000}};
    struct seccomp_program p = {.code = code, .n = 1};
    char entries[1024];
    struct err err;
    ssize_t n = 0;

    seccomp_cache_keep(cache_fd, KEY, &p);
    n = getdents64(cache_fd, entries, sizeof entries);
    for (ssize_t at = 0; at < n;) {
        const struct dirent64 *e = (const struct dirent64 *)(const void *)(entries + at);

        at += e->d_reclen;
        if (e->d_name[0] != '.')
            memcpy(name, e->d_name, strlen(e->d_name) + 1);
    }
    assert(file_read(cache_fd, name, &kept, &err) == 0);
}

static void begin(void)
{
    if (cache_fd >= 0)
        return;
    if (mkdtemp(dir) == NULL)
        abort();
    (void)atexit(remove_dir);
    cache_fd = seccomp_cache_open(dir);
    assert(cache_fd >= 0);
    find_name();
}

static bool finds(struct str text)
{
    struct seccomp_program p = {.code = NULL};
    struct err err;
    bool found = false;

    assert(file_put(cache_fd, name, text, 0600, &err) == 0);
    found = seccomp_cache_find(cache_fd, KEY, &p);
    assert(!found || (p.n > 0 && p.n <= BPF_MAXINSNS));
    seccomp_done(&p);
    return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    own_buf struct buf changed = BUF_INIT(4096);

    begin();
    (void)finds((struct str){(const char *)data, size});
    if (size < 2)
        return 0;
    buf_append(&changed, buf_str(&kept));
    changed.p[data[0] % changed.n] = (char)(changed.p[data[0] % changed.n] ^ data[1]);
    assert(finds(buf_str(&changed)) == (data[1] == 0));
    return 0;
}
