/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stages that expand gzip and zstd.
 *
 * A stage that expands reads its input in chunks, and hands out what the library made of it. The
 * end of input is right only between two members (frames).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"

#include "images/lib/source.h"

#define MAGIC_N 4

struct expand {
    struct source s;
    struct source *from;
    z_stream z;
    ZSTD_DCtx *zstd;
    size_t at; /* in chunk */
    size_t n;
    bool ended;  /* no more input */
    bool inside; /* of a member or frame */
    char chunk[SOURCE_CHUNK];
};

static int fill(struct expand *x, struct err *err)
{
    if (x->at < x->n || x->ended)
        return 0;
    ssize_t got = source_read(x->from, x->chunk, sizeof x->chunk, err);
    if (got < 0)
        return -1;
    x->at = 0;
    x->n = (size_t)got;
    x->ended = got == 0;
    return 0;
}

static ssize_t plain_read(struct source *s, void *p, size_t n, struct err *err)
{
    struct expand *x = container_of(s, struct expand, s);

    if (fill(x, err) < 0)
        return -1;
    size_t take = x->n - x->at < n ? x->n - x->at : n;
    memcpy(p, x->chunk + x->at, take);
    x->at += take;
    return (ssize_t)take;
}

/* One call of inflate; *made is what it put into p. */
static int inflate_some(struct expand *x, void *p, size_t n, size_t *made, struct err *err)
{
    if (!x->inside && inflateReset(&x->z) != Z_OK)
        return err_set(err, 0, "gzip: cannot begin a member");
    x->inside = true;
    x->z.next_in = (Bytef *)(x->chunk + x->at);
    x->z.avail_in = (uInt)(x->n - x->at);
    x->z.next_out = p;
    x->z.avail_out = (uInt)n;
    int result = inflate(&x->z, Z_NO_FLUSH);
    x->at = x->n - x->z.avail_in;
    *made = n - x->z.avail_out;
    if (result == Z_STREAM_END)
        x->inside = false;
    else if (result != Z_OK && result != Z_BUF_ERROR)
        return err_set(err, EBADMSG, "gzip: %s", x->z.msg ? x->z.msg : "damaged");
    return 0;
}

static int zstd_some(struct expand *x, void *p, size_t n, size_t *made, struct err *err)
{
    ZSTD_inBuffer in = {x->chunk, x->n, x->at};
    ZSTD_outBuffer out = {p, n, 0};
    size_t result = ZSTD_decompressStream(x->zstd, &out, &in);

    if (ZSTD_isError(result))
        return err_set(err, EBADMSG, "zstd: %s", ZSTD_getErrorName(result));
    x->at = in.pos;
    x->inside = result != 0;
    *made = out.pos;
    return 0;
}

static ssize_t expand_read(struct expand *x, void *p, size_t n,
                           int (*some)(struct expand *, void *, size_t, size_t *, struct err *),
                           struct err *err)
{
    size_t made = 0;

    n = n < SOURCE_CHUNK ? n : SOURCE_CHUNK;
    while (made == 0) {
        if (fill(x, err) < 0)
            return -1;
        if (x->ended && !x->inside)
            return 0;
        size_t at = x->at;
        if (some(x, p, n, &made, err) < 0)
            return -1;
        if (made == 0 && x->ended && x->at == at && x->inside)
            return err_set(err, EBADMSG, "the compressed data end early");
    }
    return (ssize_t)made;
}

static ssize_t gzip_read(struct source *s, void *p, size_t n, struct err *err)
{
    return expand_read(container_of(s, struct expand, s), p, n, inflate_some, err);
}

static ssize_t zstd_read(struct source *s, void *p, size_t n, struct err *err)
{
    return expand_read(container_of(s, struct expand, s), p, n, zstd_some, err);
}

static void expand_free(struct source *s)
{
    struct expand *x = container_of(s, struct expand, s);

    source_free(x->from);
    if (s->read == gzip_read)
        (void)inflateEnd(&x->z); /* complains of unread input: an early end is what happened */
    if (x->zstd)
        (void)ZSTD_freeDCtx(x->zstd); /* cannot fail for a context that is not static */
    free(x);
}

static void choose(struct expand *x)
{
    static const unsigned char zstd[MAGIC_N] = {0x28, 0xb5, 0x2f, 0xfd};

    if (x->n >= 2 && (unsigned char)x->chunk[0] == 0x1f && (unsigned char)x->chunk[1] == 0x8b) {
        if (inflateInit2(&x->z, 15 + 16) != Z_OK)
            mem_out();
        x->s.read = gzip_read;
    } else if (x->n >= MAGIC_N && memcmp(x->chunk, zstd, MAGIC_N) == 0) {
        x->zstd = ZSTD_createDCtx();
        if (!x->zstd)
            mem_out();
        (void)ZSTD_DCtx_setParameter(x->zstd, ZSTD_d_windowLogMax, SOURCE_ZSTD_WINDOW_LOG);
        x->s.read = zstd_read;
    }
}

struct source *source_expand(struct source *from, struct err *err)
{
    struct expand *x = mem_type(struct expand);

    x->s = (struct source){plain_read, expand_free};
    x->from = from;
    ssize_t got = source_read_full(from, x->chunk, sizeof x->chunk, err);
    if (got < 0) {
        source_free(&x->s);
        return NULL;
    }
    x->n = (size_t)got;
    choose(x);
    return &x->s;
}
