/* SPDX-License-Identifier: Apache-2.0 */
#define ZLIB_CONST /* its input is not written to, and says so */
#include "images/lib/sink.h"

#include <assert.h>
#include <stdlib.h>
#include <zlib.h>

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"

int sink_write(struct sink *s, struct str bytes, struct err *err)
{
    return s->write(s, bytes, err);
}

int sink_end(struct sink *s, struct err *err)
{
    return s->end(s, err);
}

void sink_free(struct sink *s)
{
    if (s)
        s->free(s);
}

void sink_close(struct sink *const *s)
{
    sink_free(*s);
}

struct to_fd {
    struct sink s;
    int fd;
};

static int to_fd_write(struct sink *s, struct str bytes, struct err *err)
{
    return fd_write_all(container_of(s, struct to_fd, s)->fd, bytes, err);
}

static int to_fd_end(struct sink *s, struct err *err)
{
    (void)s; /* nothing is held back */
    (void)err;
    return 0;
}

static void to_fd_free(struct sink *s)
{
    free(container_of(s, struct to_fd, s));
}

struct sink *sink_to_fd(int fd)
{
    struct to_fd *f = mem_type(struct to_fd);

    f->s = (struct sink){to_fd_write, to_fd_end, to_fd_free};
    f->fd = fd;
    return &f->s;
}

struct sum {
    struct sink s;
    struct sink *to;
    struct digest sum;
    struct sink_sum *out;
    uint64_t size;
};

static int sum_write(struct sink *s, struct str bytes, struct err *err)
{
    struct sum *m = container_of(s, struct sum, s);

    digest_add(&m->sum, bytes);
    m->size += bytes.n;
    return sink_write(m->to, bytes, err);
}

static int sum_end(struct sink *s, struct err *err)
{
    struct sum *m = container_of(s, struct sum, s);

    digest_text(&m->sum, m->out->digest);
    m->out->size = m->size;
    return sink_end(m->to, err);
}

static void sum_free(struct sink *s)
{
    struct sum *m = container_of(s, struct sum, s);

    sink_free(m->to);
    digest_done(&m->sum);
    free(m);
}

struct sink *sink_sum(struct sink *to, struct sink_sum *out)
{
    struct sum *m = mem_type(struct sum);

    m->s = (struct sink){sum_write, sum_end, sum_free};
    m->to = to;
    m->out = out;
    digest_init(&m->sum);
    return &m->s;
}

/* --- gzip --*/

struct gzip {
    struct sink s;
    struct sink *to;
    z_stream z;
    char chunk[SINK_CHUNK];
};

static int deflate_all(struct gzip *g, struct str bytes, int flush, struct err *err)
{
    int result;

    assert(bytes.n <= SINK_CHUNK);
    g->z.next_in = (const Bytef *)bytes.p;
    g->z.avail_in = (uInt)bytes.n;
    do {
        g->z.next_out = (Bytef *)g->chunk;
        g->z.avail_out = sizeof g->chunk;
        result = deflate(&g->z, flush);
        assert(result != Z_STREAM_ERROR);
        if (sink_write(g->to, (struct str){g->chunk, sizeof g->chunk - g->z.avail_out}, err) < 0)
            return -1;
    } while (g->z.avail_out == 0);
    return 0;
}

static int gzip_write(struct sink *s, struct str bytes, struct err *err)
{
    struct gzip *g = container_of(s, struct gzip, s);

    while (bytes.n > 0) {
        if (deflate_all(g, str_head(bytes, SINK_CHUNK), Z_NO_FLUSH, err) < 0)
            return -1;
        bytes = str_skip(bytes, SINK_CHUNK);
    }
    return 0;
}

static int gzip_end(struct sink *s, struct err *err)
{
    struct gzip *g = container_of(s, struct gzip, s);

    if (deflate_all(g, STR_NONE, Z_FINISH, err) < 0)
        return -1;
    return sink_end(g->to, err);
}

static void gzip_free(struct sink *s)
{
    struct gzip *g = container_of(s, struct gzip, s);

    sink_free(g->to);
    (void)deflateEnd(&g->z); /* tells that output was thrown away, which is what free means */
    free(g);
}

struct sink *sink_gzip(struct sink *to)
{
    struct gzip *g = mem_type(struct gzip);

    g->s = (struct sink){gzip_write, gzip_end, gzip_free};
    g->to = to;
    if (deflateInit2(&g->z, Z_BEST_COMPRESSION, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) != Z_OK)
        mem_out();
    return &g->s;
}
