/* SPDX-License-Identifier: Apache-2.0 */
#include "images/lib/source.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"

#include "images/lib/digest.h"

ssize_t source_read(struct source *s, void *p, size_t n, struct err *err)
{
    return s->read(s, p, n, err);
}

ssize_t source_read_full(struct source *s, void *p, size_t n, struct err *err)
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

int source_skip(struct source *s, uint64_t n, struct err *err)
{
    own_free char *chunk = mem_new(SOURCE_CHUNK);

    while (n > 0) {
        ssize_t got = s->read(s, chunk, n < SOURCE_CHUNK ? (size_t)n : SOURCE_CHUNK, err);

        if (got < 0)
            return -1;
        if (got == 0)
            return err_set(err, 0, "ends %llu bytes early", (unsigned long long)n);
        n -= (uint64_t)got;
    }
    return 0;
}

int source_drain(struct source *s, struct err *err)
{
    own_free char *chunk = mem_new(SOURCE_CHUNK);
    ssize_t got;

    do
        got = s->read(s, chunk, SOURCE_CHUNK, err);
    while (got > 0);
    return got < 0 ? -1 : 0;
}

void source_free(struct source *s)
{
    if (s)
        s->free(s);
}

void source_close(struct source *const *s)
{
    source_free(*s);
}

/* --- of a descriptor ---------------------------------------------------------------------------*/

struct of_fd {
    struct source s;
    int fd;
};

static ssize_t of_fd_read(struct source *s, void *p, size_t n, struct err *err)
{
    struct of_fd *f = container_of(s, struct of_fd, s);
    ssize_t got;

    do
        got = read(f->fd, p, n);
    while (got < 0 && errno == EINTR);
    return got < 0 ? err_set(err, errno, "read") : got;
}

static void of_fd_free(struct source *s)
{
    struct of_fd *f = container_of(s, struct of_fd, s);

    own_close_fd(&f->fd);
    free(f);
}

struct source *source_of_fd(int fd)
{
    struct of_fd *f = mem_type(struct of_fd);

    f->s = (struct source){of_fd_read, of_fd_free};
    f->fd = fd;
    return &f->s;
}

/* --- of memory ---------------------------------------------------------------------------------*/

struct of_str {
    struct source s;
    struct str rest;
};

static ssize_t of_str_read(struct source *s, void *p, size_t n, struct err *err)
{
    struct of_str *f = container_of(s, struct of_str, s);
    struct str head = str_head(f->rest, n);

    (void)err; /* memory does not fail */
    if (head.n > 0)
        memcpy(p, head.p, head.n);
    f->rest = str_skip(f->rest, head.n);
    return (ssize_t)head.n;
}

static void of_str_free(struct source *s)
{
    free(container_of(s, struct of_str, s));
}

struct source *source_of_str(struct str bytes)
{
    struct of_str *f = mem_type(struct of_str);

    f->s = (struct source){of_str_read, of_str_free};
    f->rest = bytes;
    return &f->s;
}

/* --- checked -----------------------------------------------------------------------------------*/

struct check {
    struct source s;
    struct source *from;
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

static ssize_t check_read(struct source *s, void *p, size_t n, struct err *err)
{
    struct check *c = container_of(s, struct check, s);
    ssize_t got = source_read(c->from, p, n, err);

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

static void check_free(struct source *s)
{
    struct check *c = container_of(s, struct check, s);

    source_free(c->from);
    digest_done(&c->sum);
    free(c->what);
    free(c);
}

struct source *source_check_max(struct source *from, const char *digest, uint64_t size_max,
                                const char *what)
{
    struct check *c = mem_type(struct check);

    c->s = (struct source){check_read, check_free};
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

struct source *source_check(struct source *from, const char *digest, uint64_t size,
                            const char *what)
{
    struct source *s = source_check_max(from, digest, size, what);

    container_of(s, struct check, s)->exact = true;
    return s;
}
