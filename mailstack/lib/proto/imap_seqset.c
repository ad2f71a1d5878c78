/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/proto/imap_seqset.h"

#include <errno.h>
#include <inttypes.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/num.h"

static int parse_number(struct str s, uint32_t *out, struct err *err)
{
    if (str_eq_c(s, "*")) {
        *out = IMAP_SEQ_STAR;
        return 0;
    }
    if (num_parse_u32(s, 1, UINT32_MAX, out, err) < 0)
        return -1;
    if (*out == IMAP_SEQ_STAR) /* the largest number, which no message has, is not '*' */
        *out = IMAP_SEQ_STAR - 1;
    return 0;
}

static int parse_range(struct str s, struct imap_range *out, struct err *err)
{
    struct str lo = s;
    struct str hi = s;

    (void)str_cut(s, ':', &lo, &hi);
    if (parse_number(lo, &out->lo, err) < 0 || parse_number(hi, &out->hi, err) < 0)
        return err_wrap(err, "sequence set");
    return 0;
}

int imap_seqset_parse(struct str s, struct arena *a, struct imap_seqset *out, struct err *err)
{
    size_t n = 1;

    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == ',';
    if (n > IMAP_SEQSET_MAX)
        return err_set(err, EMSGSIZE, "a sequence set of more than %d ranges", IMAP_SEQSET_MAX);
    struct imap_range *v = arena_array(a, n, sizeof(*v));

    if (!v)
        return err_set(err, EMSGSIZE, "the sequence set takes too much memory");
    for (size_t i = 0; i < n; i++) {
        struct str one = s;

        if (i + 1 < n)
            (void)str_cut(s, ',', &one, &s);
        if (parse_range(one, &v[i], err) < 0)
            return -1;
    }
    *out = (struct imap_seqset){v, n};
    return 0;
}

struct imap_range imap_seqset_range(const struct imap_seqset *set, size_t i, uint32_t largest)
{
    struct imap_range r = set->v[i];

    if (r.lo == IMAP_SEQ_STAR)
        r.lo = largest;
    if (r.hi == IMAP_SEQ_STAR)
        r.hi = largest;
    if (r.lo <= r.hi)
        return r;
    return (struct imap_range){r.hi, r.lo};
}

bool imap_seqset_has(const struct imap_seqset *set, uint32_t number, uint32_t largest)
{
    for (size_t i = 0; i < set->n; i++) {
        struct imap_range r = imap_seqset_range(set, i, largest);

        /* An end of 0 is a '*' that names nothing. */
        if (number >= r.lo && number <= r.hi && r.lo != 0)
            return true;
    }
    return false;
}

static void put(const struct imap_seqset_out *o, struct buf *to)
{
    if (o->open.lo == o->open.hi)
        buf_printf(to, "%" PRIu32, o->open.lo);
    else
        buf_printf(to, "%" PRIu32 ":%" PRIu32, o->open.lo, o->open.hi);
}

void imap_seqset_add(struct imap_seqset_out *o, struct buf *to, uint32_t number)
{
    if (o->started && number == o->open.hi + 1) {
        o->open.hi = number;
        return;
    }
    if (o->started) {
        put(o, to);
        buf_append_char(to, ',');
    }
    o->open = (struct imap_range){number, number};
    o->started = true;
}

void imap_seqset_end(struct imap_seqset_out *o, struct buf *to)
{
    if (o->started)
        put(o, to);
    *o = (struct imap_seqset_out){{0, 0}, false};
}
