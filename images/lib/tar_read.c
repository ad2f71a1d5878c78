/* SPDX-License-Identifier: Apache-2.0 */
#include "images/lib/tar_read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"

#include "images/lib/source.h"

enum {
    NAME_AT = 0,
    NAME_N = 100,
    MODE_AT = 100,
    UID_AT = 108,
    GID_AT = 116,
    ID_N = 8
};

enum {
    SIZE_AT = 124,
    MTIME_AT = 136,
    WIDE_N = 12,
    SUM_AT = 148,
    SUM_N = 8,
    TYPE_AT = 156
};

enum {
    TARGET_AT = 157,
    MAGIC_AT = 257,
    MAJOR_AT = 329,
    MINOR_AT = 337
};

enum {
    PREFIX_AT = 345,
    PREFIX_N = 155
};

/* What pax or GNU headers said about the next entry; `given` members win over the ustar ones. */
struct meta {
    bool has_size;
    bool has_uid;
    bool has_gid;
    bool has_mtime;
    uint64_t size;
    uint32_t uid;
    uint32_t gid;
    int64_t mtime_s;
    uint32_t mtime_ns;
    struct str path; /* n == 0: not given; these look into the reader's text */
    struct str target;
    struct tar_xattr xattrs[TAR_XATTRS_MAX];
    size_t xattrs_n;
};

struct tar_reader {
    struct source *from;
    uint64_t left;   /* data of the current entry */
    uint64_t padded; /* with the padding behind them */
    struct meta meta;
    struct buf pax;       /* the texts that meta looks into */
    struct buf long_name; /* GNU 'L' */
    struct buf long_link; /* GNU 'K' */
    struct buf name;      /* prefix and name of ustar, joined */
    char block[TAR_BLOCK];
};

struct tar_reader *tar_reader_new(struct source *from)
{
    struct tar_reader *r = mem_type(struct tar_reader);

    r->from = from;
    buf_init(&r->pax, TAR_META_MAX);
    buf_init(&r->long_name, TAR_META_MAX);
    buf_init(&r->long_link, TAR_META_MAX);
    buf_init(&r->name, TAR_BLOCK);
    return r;
}

void tar_reader_free(struct tar_reader *r)
{
    if (!r)
        return;
    buf_done(&r->pax);
    buf_done(&r->long_name);
    buf_done(&r->long_link);
    buf_done(&r->name);
    free(r);
}

/* --- fields ------------------------------------------------------------------------------------*/

static struct str field_text(const char *block, size_t at, size_t n)
{
    struct str s = {block + at, n};
    ptrdiff_t nul = str_find(s, '\0');

    return nul < 0 ? s : str_head(s, (size_t)nul);
}

/* GNU's binary form: big-endian, two's complement, the top bit of the first byte set. */
static int field_binary(struct str f, int64_t *out, struct err *err)
{
    unsigned char fill = (unsigned char)f.p[0] == 0xff ? 0xff : 0;
    uint64_t v = 0;

    for (size_t i = 0; i < f.n; i++) {
        unsigned char c = (unsigned char)f.p[i];

        if (i == 0 && fill == 0)
            c &= 0x7f;
        if (i + 8 < f.n && c != fill)
            return err_set(err, ERANGE, "a number of its header is too large");
        v = v << 8 | c;
    }
    if ((v >> 63) != (fill & 1U))
        return err_set(err, ERANGE, "a number of its header is too large");
    *out = (int64_t)v;
    return 0;
}

/* Octal digits with spaces before and spaces or NULs behind; nothing at all counts as 0. */
static int field_number(const char *block, size_t at, size_t n, int64_t *out, struct err *err)
{
    struct str f = {block + at, n};
    uint64_t v = 0;

    if ((unsigned char)f.p[0] & 0x80)
        return field_binary(f, out, err);
    f = field_text(block, at, n);
    while (f.n > 0 && f.p[0] == ' ')
        f = str_skip(f, 1);
    while (f.n > 0 && f.p[f.n - 1] == ' ')
        f.n--;
    for (size_t i = 0; i < f.n; i++) {
        if (f.p[i] < '0' || f.p[i] > '7')
            return err_set(err, EBADMSG, "its header has '%c' in a number", f.p[i]);
        v = v << 3 | (uint64_t)(f.p[i] - '0'); /* 12 digits at most: fits */
    }
    *out = (int64_t)v;
    return 0;
}

static int field_u32(const char *block, size_t at, uint32_t *out, struct err *err)
{
    int64_t v;

    if (field_number(block, at, ID_N, &v, err) < 0)
        return -1;
    if (v < 0 || v > UINT32_MAX)
        return err_set(err, ERANGE, "a number of its header is out of range");
    *out = (uint32_t)v;
    return 0;
}

/* Old archives summed signed characters: both sums are accepted. */
static int check_sum(const char *block, struct err *err)
{
    int64_t want;
    int64_t plain = 0;
    int64_t sign = 0;

    for (size_t i = 0; i < TAR_BLOCK; i++) {
        char c = i >= SUM_AT && i < SUM_AT + SUM_N ? ' ' : block[i];

        plain += (unsigned char)c;
        sign += (signed char)c;
    }
    if (field_number(block, SUM_AT, SUM_N, &want, err) < 0)
        return -1;
    if (want != plain && want != sign)
        return err_set(err, EBADMSG, "not a tar archive, or damaged: wrong checksum of a header");
    return 0;
}

static bool is_zero(const char *block)
{
    for (size_t i = 0; i < TAR_BLOCK; i++)
        if (block[i])
            return false;
    return true;
}

static bool is_posix(const char *block)
{
    return memcmp(block + MAGIC_AT, "ustar", 6) == 0;
}

/* --- pax ---------------------------------------------------------------------------------------*/

static int pax_u32(struct str v, bool *has, uint32_t *out, struct err *err)
{
    *has = true;
    return num_parse_u32(v, 0, UINT32_MAX, out, err);
}

/* Seconds, perhaps negative, perhaps with a fraction of which nine digits count. */
static int pax_time(struct meta *m, struct str v, struct err *err)
{
    struct str whole = v;
    struct str part = STR_NONE;
    uint32_t ns = 0;

    (void)str_cut(v, '.', &whole, &part);
    if (num_parse_i64(whole, INT64_MIN / 2, INT64_MAX / 2, &m->mtime_s, err) < 0)
        return -1;
    for (size_t i = 0; i < 9; i++) {
        if (i < part.n && !ascii_is_digit(part.p[i]))
            return err_set(err, EBADMSG, "pax: '%.*s' is no time", STR_ARG(str_head(v, 40)));
        ns = ns * 10 + (i < part.n ? (uint32_t)(part.p[i] - '0') : 0);
    }
    if (str_starts(v, STR("-")) && ns > 0) {
        m->mtime_s--;
        ns = 1000000000 - ns;
    }
    m->mtime_ns = ns;
    m->has_mtime = true;
    return 0;
}

static int pax_xattr(struct meta *m, struct str name, struct str value, struct err *err)
{
    if (m->xattrs_n == TAR_XATTRS_MAX)
        return err_set(err, EMSGSIZE, "more than %d extended attributes", TAR_XATTRS_MAX);
    if (name.n == 0 || name.n > 255 || str_has_nul(name))
        return err_set(err, EBADMSG, "the name of an extended attribute is unsound");
    m->xattrs[m->xattrs_n++] = (struct tar_xattr){name, value};
    return 0;
}

static int pax_size(struct meta *m, struct str v, struct err *err)
{
    m->has_size = true;
    return num_parse_u64(v, 0, TAR_SIZE_MAX, &m->size, err);
}

static int pax_take(struct meta *m, struct str key, struct str value, struct err *err)
{
    static const struct str schily = STR_INIT("SCHILY.xattr.");

    if (str_eq_c(key, "path"))
        m->path = value;
    else if (str_eq_c(key, "linkpath"))
        m->target = value;
    else if (str_eq_c(key, "size"))
        return pax_size(m, value, err);
    else if (str_eq_c(key, "uid"))
        return pax_u32(value, &m->has_uid, &m->uid, err);
    else if (str_eq_c(key, "gid"))
        return pax_u32(value, &m->has_gid, &m->gid, err);
    else if (str_eq_c(key, "mtime"))
        return pax_time(m, value, err);
    else if (str_starts(key, schily))
        return pax_xattr(m, str_skip(key, schily.n), value, err);
    else if (str_starts(key, STR("GNU.sparse.")))
        return err_set(err, ENOTSUP, "sparse files are not supported");
    return 0; /* atime, ctime, uname, comment ... do not concern a root file system */
}

/* "LENGTH KEY=VALUE\n" with the length of all of it, again and again. */
static int pax_parse(struct meta *m, struct str text, struct err *err)
{
    while (text.n > 0) {
        struct str digits;
        struct str rest;
        struct str key;
        struct str value;
        uint64_t n = 0;

        if (!str_cut(str_head(text, 20), ' ', &digits, &rest) ||
            num_parse_u64(digits, digits.n + 3, text.n, &n, err) < 0)
            return err_set(err, EBADMSG, "pax: a record has no sound length");
        struct str record = str_skip(str_head(text, (size_t)n), digits.n + 1);
        if (record.p[record.n - 1] != '\n' ||
            !str_cut(str_head(record, record.n - 1), '=', &key, &value))
            return err_set(err, EBADMSG, "pax: a record is damaged");
        if (pax_take(m, key, value, err) < 0)
            return err_wrap(err, "pax '%.*s'", STR_ARG(str_head(key, 40)));
        text = str_skip(text, (size_t)n);
    }
    return 0;
}

/* --- headers -----------------------------------------------------------------------------------*/

static int read_block(struct tar_reader *r, bool *got, struct err *err)
{
    ssize_t n = source_read_full(r->from, r->block, TAR_BLOCK, err);

    if (n < 0)
        return -1;
    if (n != 0 && n != TAR_BLOCK)
        return err_set(err, EBADMSG, "the archive ends within a header");
    *got = n == TAR_BLOCK;
    return 0;
}

static uint64_t pad(uint64_t n)
{
    return (n + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
}

static int read_size(struct tar_reader *r, uint64_t *out, struct err *err)
{
    int64_t v;

    if (field_number(r->block, SIZE_AT, WIDE_N, &v, err) < 0)
        return -1;
    if (v < 0 || v > TAR_SIZE_MAX)
        return err_set(err, EMSGSIZE, "an entry claims %lld bytes, more than %lld", (long long)v,
                       (long long)TAR_SIZE_MAX);
    *out = (uint64_t)v;
    return 0;
}

/* The data of a header that describes the next entry. */
static int read_meta(struct tar_reader *r, struct buf *into, struct err *err)
{
    uint64_t n;

    if (read_size(r, &n, err) < 0)
        return -1;
    if (n > TAR_META_MAX - TAR_BLOCK)
        return err_set(err, EMSGSIZE, "a header extension of %llu bytes", (unsigned long long)n);
    buf_reset(into);
    char *p = buf_reserve(into, (size_t)pad(n));
    ssize_t got = p ? source_read_full(r->from, p, (size_t)pad(n), err) : 0;
    if (got < 0)
        return -1;
    if ((uint64_t)got != pad(n))
        return err_set(err, EBADMSG, "the archive ends within a header extension");
    buf_commit(into, (size_t)n);
    return 0;
}

static int read_long(struct tar_reader *r, struct buf *into, struct str *out, struct err *err)
{
    if (read_meta(r, into, err) < 0)
        return -1;
    *out = buf_str(into);
    if (out->n > 0)
        *out = field_text(out->p, 0, out->n);
    return 0;
}

static int skip_meta(struct tar_reader *r, struct err *err)
{
    uint64_t n;

    if (read_size(r, &n, err) < 0)
        return -1;
    return source_skip(r->from, pad(n), err);
}

/* Handles a header that is no entry of its own; *was tells whether it was one. */
static int take_special(struct tar_reader *r, bool *was, struct err *err)
{
    *was = true;
    switch (r->block[TYPE_AT]) {
    case 'x':
        r->meta.xattrs_n = 0; /* they looked into the buffer that is read anew */
        if (read_meta(r, &r->pax, err) < 0)
            return -1;
        return pax_parse(&r->meta, buf_str(&r->pax), err);
    case 'g':
        return skip_meta(r, err);
    case 'L':
        return read_long(r, &r->long_name, &r->meta.path, err);
    case 'K':
        return read_long(r, &r->long_link, &r->meta.target, err);
    default:
        *was = false;
        return 0;
    }
}

static int find_type(char flag, struct str name, enum tar_type *out, struct err *err)
{
    static const struct {
        char flag;
        enum tar_type type;
    } types[] = {{'0', TAR_FILE},     {'\0', TAR_FILE},   {'7', TAR_FILE},
                 {'1', TAR_HARDLINK}, {'2', TAR_SYMLINK}, {'3', TAR_CHAR},
                 {'4', TAR_BLOCKDEV}, {'5', TAR_DIR},     {'6', TAR_FIFO}};

    for (size_t i = 0; i < ARRAY_N(types); i++)
        if (types[i].flag == flag) {
            *out = types[i].type == TAR_FILE && str_ends(name, STR("/")) ? TAR_DIR : types[i].type;
            return 0;
        }
    return err_set(err, ENOTSUP, "entries of type 0x%02x are not supported", (unsigned char)flag);
}

static struct str ustar_name(struct tar_reader *r)
{
    struct str name = field_text(r->block, NAME_AT, NAME_N);
    struct str prefix = is_posix(r->block) ? field_text(r->block, PREFIX_AT, PREFIX_N) : STR_NONE;

    if (prefix.n == 0)
        return name;
    buf_reset(&r->name);
    buf_append(&r->name, prefix);
    buf_append_char(&r->name, '/');
    buf_append(&r->name, name);
    return buf_str(&r->name);
}

static int check_path(struct str s, const char *what, struct err *err)
{
    if (s.n > TAR_PATH_MAX)
        return err_set(err, ENAMETOOLONG, "a %s of %zu bytes", what, s.n);
    if (s.n == 0 || str_has_nul(s))
        return err_set(err, EBADMSG, "a %s that is empty or has a NUL inside", what);
    return 0;
}

static int fill_names(struct tar_reader *r, struct tar_entry *e, struct err *err)
{
    const struct meta *m = &r->meta;

    e->name = m->path.n > 0 ? m->path : ustar_name(r);
    e->target = m->target.n > 0 ? m->target : field_text(r->block, TARGET_AT, NAME_N);
    if (check_path(e->name, "name", err) < 0 ||
        find_type(r->block[TYPE_AT], e->name, &e->type, err) < 0)
        return -1;
    if (e->type == TAR_HARDLINK || e->type == TAR_SYMLINK)
        return check_path(e->target, "link target", err);
    return 0;
}

static int fill_numbers(struct tar_reader *r, struct tar_entry *e, struct err *err)
{
    const struct meta *m = &r->meta;
    bool device = e->type == TAR_CHAR || e->type == TAR_BLOCKDEV;

    if (field_u32(r->block, MODE_AT, &e->mode, err) < 0 ||
        field_number(r->block, MTIME_AT, WIDE_N, &e->mtime_s, err) < 0)
        return -1;
    if (!m->has_uid && field_u32(r->block, UID_AT, &e->uid, err) < 0)
        return -1;
    if (!m->has_gid && field_u32(r->block, GID_AT, &e->gid, err) < 0)
        return -1;
    if (device && (field_u32(r->block, MAJOR_AT, &e->major, err) < 0 ||
                   field_u32(r->block, MINOR_AT, &e->minor, err) < 0))
        return -1;
    if (!m->has_size && read_size(r, &e->size, err) < 0)
        return -1;
    return 0;
}

static void merge_meta(const struct meta *m, struct tar_entry *e)
{
    e->mode &= 07777;
    e->uid = m->has_uid ? m->uid : e->uid;
    e->gid = m->has_gid ? m->gid : e->gid;
    e->size = m->has_size ? m->size : e->size;
    e->size = e->type == TAR_FILE ? e->size : 0;
    if (m->has_mtime) {
        e->mtime_s = m->mtime_s;
        e->mtime_ns = m->mtime_ns;
    }
    e->xattrs = m->xattrs;
    e->xattrs_n = m->xattrs_n;
}

static int pass_data(struct tar_reader *r, struct err *err)
{
    uint64_t n = r->padded;

    r->left = 0;
    r->padded = 0;
    return n ? source_skip(r->from, n, err) : 0;
}

/* Reads headers until one is an entry; *more is false where the archive ends. */
static int next_header(struct tar_reader *r, bool *more, struct err *err)
{
    bool special = true;

    for (unsigned i = 0; special; i++) {
        if (read_block(r, more, err) < 0)
            return -1;
        if (*more && is_zero(r->block)) { /* a second zero block, or the end of file, must follow */
            if (read_block(r, more, err) < 0)
                return -1;
            if (*more && !is_zero(r->block))
                return err_set(err, EBADMSG, "something follows the end of the archive");
            *more = false;
        }
        if (!*more)
            return i == 0 ? 0 : err_set(err, EBADMSG, "the archive ends before an entry");
        if (i == TAR_SPECIAL_MAX)
            return err_set(err, EBADMSG, "more than %d headers before an entry", TAR_SPECIAL_MAX);
        if (check_sum(r->block, err) < 0 || take_special(r, &special, err) < 0)
            return -1;
    }
    return 0;
}

int tar_next(struct tar_reader *r, struct tar_entry *e, bool *more, struct err *err)
{
    if (pass_data(r, err) < 0)
        return -1;
    r->meta = (struct meta){0};
    if (next_header(r, more, err) < 0)
        return -1;
    if (!*more)
        return 0;
    *e = (struct tar_entry){0};
    if (fill_names(r, e, err) < 0)
        return -1;
    if (fill_numbers(r, e, err) < 0)
        return err_wrap(err, "'%.*s'", STR_ARG(str_head(e->name, 200)));
    merge_meta(&r->meta, e);
    r->left = e->size;
    r->padded = pad(e->size);
    return 0;
}

ssize_t tar_data(struct tar_reader *r, void *p, size_t n, struct err *err)
{
    if (r->left < n)
        n = (size_t)r->left;
    if (n == 0)
        return 0;
    ssize_t got = source_read(r->from, p, n, err);
    if (got < 0)
        return -1;
    if (got == 0)
        return err_set(err, EBADMSG, "the archive ends within a file");
    r->left -= (uint64_t)got;
    r->padded -= (uint64_t)got;
    return got;
}
