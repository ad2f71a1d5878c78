/* SPDX-License-Identifier: Apache-2.0 */
#include "images/lib/stream.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"

#include "images/lib/digest.h"

ssize_t stream_read(struct stream *s, void *p, size_t n, struct err *err)
{
    return s->read(s, p, n, err);
}

ssize_t stream_read_full(struct stream *s, void *p, size_t n, struct err *err)
{
    size_t got = 0;

    while (got < n) {
        ssize_t more = s->read(s, (char *)p + got, n - got, err);

        if (more < 0)
            return -1;
        if (more == 0)
            break;
        got += (size_t)more;
    }
    return (ssize_t)got;
}

int stream_skip(struct stream *s, uint64_t n, struct err *err)
{
    own_free char *chunk = mem_new(STREAM_CHUNK);

    while (n > 0) {
        ssize_t got = s->read(s, chunk, n < STREAM_CHUNK ? (size_t)n : STREAM_CHUNK, err);

        if (got < 0)
            return -1;
        if (got == 0)
            return err_set(err, 0, "ends %llu bytes early", (unsigned long long)n);
        n -= (uint64_t)got;
    }
    return 0;
}

int stream_drain(struct stream *s, struct err *err)
{
    own_free char *chunk = mem_new(STREAM_CHUNK);
    ssize_t got;

    do
        got = s->read(s, chunk, STREAM_CHUNK, err);
    while (got > 0);
    return got < 0 ? -1 : 0;
}

void stream_free(struct stream *s)
{
    if (s)
        s->free(s);
}

void stream_close(struct stream *const *s)
{
    stream_free(*s);
}

/* --- of a descriptor ---------------------------------------------------------------------------*/

struct of_fd {
    struct stream s;
    int fd;
};

static ssize_t of_fd_read(struct stream *s, void *p, size_t n, struct err *err)
{
    struct of_fd *f = container_of(s, struct of_fd, s);
    ssize_t got;

    do
        got = read(f->fd, p, n);
    while (got < 0 && errno == EINTR);
    return got < 0 ? err_set(err, errno, "read") : got;
}

static void of_fd_free(struct stream *s)
{
    struct of_fd *f = container_of(s, struct of_fd, s);

    own_close_fd(&f->fd);
    free(f);
}

struct stream *stream_of_fd(int fd)
{
    struct of_fd *f = mem_type(struct of_fd);

    f->s = (struct stream){of_fd_read, of_fd_free};
    f->fd = fd;
    return &f->s;
}

/* --- of memory ---------------------------------------------------------------------------------*/

struct of_str {
    struct stream s;
    struct str rest;
};

static ssize_t of_str_read(struct stream *s, void *p, size_t n, struct err *err)
{
    struct of_str *f = container_of(s, struct of_str, s);
    struct str head = str_head(f->rest, n);

    (void)err; /* memory does not fail */
    if (head.n > 0)
        memcpy(p, head.p, head.n);
    f->rest = str_skip(f->rest, head.n);
    return (ssize_t)head.n;
}

static void of_str_free(struct stream *s)
{
    free(container_of(s, struct of_str, s));
}

struct stream *stream_of_str(struct str bytes)
{
    struct of_str *f = mem_type(struct of_str);

    f->s = (struct stream){of_str_read, of_str_free};
    f->rest = bytes;
    return &f->s;
}

/* --- checked -----------------------------------------------------------------------------------*/

struct check {
    struct stream s;
    struct stream *from;
    struct digest sum;
    char digest[DIGEST_TEXT_MAX]; /* empty: not asked for */
    char *what;
    uint64_t size;
    uint64_t size_max;
    bool exact;
    bool ended;
};

static int check_end(struct check *c, struct err *err)
{
    char found[DIGEST_TEXT_MAX];

    if (c->ended)
        return 0;
    if (c->exact && c->size != c->size_max)
        return err_set(err, 0, "%s: %llu bytes instead of %llu", c->what,
                       (unsigned long long)c->size, (unsigned long long)c->size_max);
    digest_text(&c->sum, found);
    if (c->digest[0] && strcmp(found, c->digest) != 0)
        return err_set(err, EBADMSG, "%s: its digest is %s instead of %s", c->what, found,
                       c->digest);
    c->ended = true;
    return 0;
}

static ssize_t check_read(struct stream *s, void *p, size_t n, struct err *err)
{
    struct check *c = container_of(s, struct check, s);
    ssize_t got = stream_read(c->from, p, n, err);

    if (got < 0)
        return err_wrap(err, "%s", c->what);
    if (got == 0)
        return check_end(c, err);
    if ((uint64_t)got > c->size_max - c->size)
        return err_set(err, EMSGSIZE, "%s: more than %llu bytes", c->what,
                       (unsigned long long)c->size_max);
    c->size += (uint64_t)got;
    digest_add(&c->sum, (struct str){p, (size_t)got});
    return got;
}

static void check_free(struct stream *s)
{
    struct check *c = container_of(s, struct check, s);

    stream_free(c->from);
    digest_done(&c->sum);
    free(c->what);
    free(c);
}

struct stream *stream_check_max(struct stream *from, const char *digest, uint64_t size_max,
                                const char *what)
{
    struct check *c = mem_type(struct check);

    c->s = (struct stream){check_read, check_free};
    c->from = from;
    digest_init(&c->sum);
    if (digest) {
        assert(digest_is_sound(str_of(digest)));
        memcpy(c->digest, digest, DIGEST_TEXT_MAX);
    }
    c->what = mem_dup_c(what);
    c->size_max = size_max;
    return &c->s;
}

struct stream *stream_check(struct stream *from, const char *digest, uint64_t size,
                            const char *what)
{
    struct stream *s = stream_check_max(from, digest, size, what);

    container_of(s, struct check, s)->exact = true;
    return s;
}

/* --- sinks -------------------------------------------------------------------------------------*/

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

    static_assert(sizeof out->digest == DIGEST_TEXT_MAX, "a digest fits");
    m->s = (struct sink){sum_write, sum_end, sum_free};
    m->to = to;
    m->out = out;
    digest_init(&m->sum);
    return &m->s;
}
