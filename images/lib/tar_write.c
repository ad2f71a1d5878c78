/* SPDX-License-Identifier: Apache-2.0 */
#include "images/lib/tar_write.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"

#include "images/lib/sink.h"
#include "images/lib/source.h"
#include "images/lib/tar_read.h"

#define NAME_N      100
#define USTAR_LIMIT 077777777777ULL /* 11 octal digits */

struct header {
    char name[NAME_N];
    char mode[8];
    char uid[8];
    char gid[8];
    char size[12];
    char mtime[12];
    char sum[8];
    char type;
    char target[NAME_N];
    char magic[8];
    char names[64];
    char device[16];
    char prefix[155];
    char fill[12];
};

_Static_assert(sizeof(struct header) == TAR_BLOCK, "a header is a block");

static void put_octal(char *field, size_t n, uint64_t v)
{
    field[n - 1] = '\0';
    for (size_t i = n - 1; i > 0; i--, v >>= 3)
        field[i - 1] = (char)('0' + (v & 7));
}

static int write_header(struct sink *to, struct header *h, struct err *err)
{
    unsigned sum = 0;
    unsigned char bytes[TAR_BLOCK];

    memcpy(h->magic,
           "ustar\0"
           "00",
           8);
    memset(h->sum, ' ', sizeof h->sum);
    memcpy(bytes, h, TAR_BLOCK);
    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += bytes[i];
    put_octal(h->sum, 7, sum);
    return sink_write(to, (struct str){(const char *)h, TAR_BLOCK}, err);
}

static int write_padding(struct sink *to, uint64_t size, struct err *err)
{
    static const char zeros[TAR_BLOCK];
    size_t n = (TAR_BLOCK - (size_t)(size % TAR_BLOCK)) % TAR_BLOCK;

    return n ? sink_write(to, (struct str){zeros, n}, err) : 0;
}

static size_t decimal_n(size_t v)
{
    size_t n = 1;

    while (v >= 10) {
        v /= 10;
        n++;
    }
    return n;
}

/* A record's length counts its own digits. */
static void pax_record(struct buf *out, const char *key, struct str value)
{
    size_t rest = strlen(key) + value.n + 3; /* ' ', '=', '\n' */
    size_t n = rest + 1;

    while (n != rest + decimal_n(n))
        n = rest + decimal_n(n);
    buf_printf(out, "%zu %s=", n, key);
    buf_append(out, value);
    buf_append_char(out, '\n');
}

static int write_pax(struct sink *to, struct str records, struct err *err)
{
    struct header h = {.name = "PaxHeader", .type = 'x'};

    put_octal(h.mode, sizeof h.mode, 0644);
    put_octal(h.uid, sizeof h.uid, 0);
    put_octal(h.gid, sizeof h.gid, 0);
    put_octal(h.size, sizeof h.size, records.n);
    put_octal(h.mtime, sizeof h.mtime, 0);
    if (write_header(to, &h, err) < 0 || sink_write(to, records, err) < 0)
        return -1;
    return write_padding(to, records.n, err);
}

static void put_text(char *field, size_t n, struct str s)
{
    memcpy(field, s.p, s.n < n ? s.n : n);
}

static int write_entry(struct sink *to, const struct tar_item *item, char type, struct str target,
                       uint64_t size, struct err *err)
{
    struct header h = {.type = type};
    own_buf struct buf pax = BUF_INIT(TAR_META_MAX / 2);
    char digits[24];

    if (item->name.n == 0 || item->name.n > TAR_PATH_MAX || target.n > TAR_PATH_MAX)
        return err_set(err, ENAMETOOLONG, "a name of %zu bytes in an archive", item->name.n);
    if (item->mtime_s < 0 || (uint64_t)item->mtime_s > USTAR_LIMIT)
        return err_set(err, ERANGE, "a time that tar cannot hold");
    if (item->name.n > NAME_N)
        pax_record(&pax, "path", item->name);
    if (target.n > NAME_N)
        pax_record(&pax, "linkpath", target);
    if (size > USTAR_LIMIT) {
        (void)snprintf(digits, sizeof digits, "%llu", (unsigned long long)size);
        pax_record(&pax, "size", str_of(digits));
    }
    if (buf_check(&pax, "pax header", err) < 0)
        return -1;
    if (pax.n > 0 && write_pax(to, buf_str(&pax), err) < 0)
        return -1;
    put_text(h.name, sizeof h.name, item->name);
    if (target.n > 0)
        put_text(h.target, sizeof h.target, target);
    put_octal(h.mode, sizeof h.mode, item->mode & 07777);
    put_octal(h.uid, sizeof h.uid, 0);
    put_octal(h.gid, sizeof h.gid, 0);
    put_octal(h.size, sizeof h.size, size > USTAR_LIMIT ? 0 : size);
    put_octal(h.mtime, sizeof h.mtime, (uint64_t)item->mtime_s);
    return write_header(to, &h, err);
}

int tar_write_dir(struct sink *to, const struct tar_item *item, struct err *err)
{
    own_buf struct buf name = BUF_INIT(TAR_PATH_MAX + 1);
    struct tar_item dir = *item;

    buf_append(&name, item->name);
    if (!str_ends(item->name, STR("/")))
        buf_append_char(&name, '/');
    if (buf_check(&name, "name", err) < 0)
        return -1;
    dir.name = buf_str(&name);
    return write_entry(to, &dir, '5', STR_NONE, 0, err);
}

int tar_write_symlink(struct sink *to, const struct tar_item *item, struct str target,
                      struct err *err)
{
    return write_entry(to, item, '2', target, 0, err);
}

int tar_write_file(struct sink *to, const struct tar_item *item, struct source *content,
                   uint64_t size, struct err *err)
{
    own_free char *chunk = mem_new(SOURCE_CHUNK);
    uint64_t left = size;

    if (write_entry(to, item, '0', STR_NONE, size, err) < 0)
        return -1;
    while (left > 0) {
        size_t want = left < SOURCE_CHUNK ? (size_t)left : SOURCE_CHUNK;
        ssize_t got = source_read(content, chunk, want, err);

        if (got < 0)
            return -1;
        if (got == 0)
            return err_set(err, 0, "'%.*s' ends early", STR_ARG(item->name));
        if (sink_write(to, (struct str){chunk, (size_t)got}, err) < 0)
            return -1;
        left -= (uint64_t)got;
    }
    return write_padding(to, size, err);
}

int tar_write_end(struct sink *to, struct err *err)
{
    static const char zeros[2 * TAR_BLOCK];

    return sink_write(to, (struct str){zeros, sizeof zeros}, err);
}
