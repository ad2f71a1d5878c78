/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever the archive: names are within the limit and have no NUL, only files have data, the data
 * are as many as was said, and reading the same bytes in other pieces gives the same.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "runtime/base/err.h"

#include "images/lib/source.h"
#include "images/lib/tar_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sum { /* of all that came out */
    uint64_t entries;
    uint64_t bytes;
    uint64_t hash;
    int result;
};

static void add(struct sum *s, const void *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        s->hash = (s->hash ^ ((const uint8_t *)p)[i]) * 0x100000001b3ULL;
}

static void check_entry(const struct tar_entry *e)
{
    assert(e->name.n > 0 && e->name.n <= TAR_PATH_MAX && !str_has_nul(e->name));
    assert(e->mode <= 07777 && e->xattrs_n <= TAR_XATTRS_MAX);
    assert(e->size == 0 || e->type == TAR_FILE);
    assert(e->size <= (uint64_t)TAR_SIZE_MAX && e->mtime_ns < 1000000000);
    if (e->type == TAR_SYMLINK || e->type == TAR_HARDLINK)
        assert(e->target.n > 0 && e->target.n <= TAR_PATH_MAX && !str_has_nul(e->target));
    for (size_t i = 0; i < e->xattrs_n; i++)
        assert(e->xattrs[i].name.n > 0 && e->xattrs[i].name.n <= 255);
}

static int read_data(struct tar_reader *r, const struct tar_entry *e, size_t step, struct sum *s,
                     struct err *err)
{
    char chunk[4096];
    uint64_t n = 0;
    ssize_t got;

    while ((got = tar_data(r, chunk, step, err)) > 0) {
        add(s, chunk, (size_t)got);
        n += (uint64_t)got;
    }
    assert(got < 0 || n == e->size);
    s->bytes += n;
    return (int)got;
}

static struct sum read_all(struct str in, size_t step)
{
    struct sum s = {.hash = 1};
    struct source *from = source_of_str(in);
    struct tar_reader *r = tar_reader_new(from);
    struct tar_entry e;
    struct err err = {0};
    bool more = true;

    while (s.result == 0 && more) {
        s.result = tar_next(r, &e, &more, &err);
        if (s.result == 0 && more) {
            check_entry(&e);
            add(&s, e.name.p, e.name.n);
            s.entries++;
            s.result = read_data(r, &e, step, &s, &err);
        }
    }
    assert(s.result == 0 || err.text[0] != '\0');
    assert(s.bytes <= in.n && s.entries <= in.n / TAR_BLOCK);
    tar_reader_free(r);
    source_free(from);
    return s;
}

/* A checksum that fits makes mutations reach what is behind it. */
static void mend(uint8_t *block)
{
    unsigned sum = 0;

    memset(block + 148, ' ', 8);
    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += block[i];
    for (size_t i = 6; i > 0; i--, sum >>= 3)
        block[147 + i] = (uint8_t)('0' + (sum & 7));
    block[154] = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t copy[1 << 16];

    if (size == 0 || size > sizeof copy)
        return 0;
    memcpy(copy, data, size);
    if (data[size - 1] & 1)
        for (size_t at = 0; at + TAR_BLOCK <= size; at += TAR_BLOCK)
            if (copy[at] && copy[at + 257] == 'u')
                mend(copy + at);
    struct str in = {(const char *)copy, size};
    struct sum a = read_all(in, 4096);
    struct sum b = read_all(in, 7);
    assert(a.entries == b.entries && a.bytes == b.bytes && a.hash == b.hash &&
           a.result == b.result);
    return 0;
}
