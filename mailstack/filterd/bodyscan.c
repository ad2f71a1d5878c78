/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line that begins with a hyphen while a multipart is open is collected until it is known whether
 * it is a boundary; every other byte goes straight on, to the header that is being collected or
 * through the decoder to the detectors.
 */
#include "mailstack/filterd/bodyscan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/header.h"

#define SCRATCH_MAX (1u << 20)
#define PIECE_MAX   16384 /* of what is decoded at once */
#define NAME_MAX_N  4096  /* of a file's name */

/* The string by which every spam filter can be tried out. */
static const struct str gtube =
    STR_INIT("XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X");

/* --- detectors ---------------------------------------------------------------------------------
 */

/* No proper prefix of the string occurs in it again except its first letter as its last, so that a
 * mismatch can only begin anew with the byte in hand. */
static void look_for_gtube(struct bodyscan *s, struct str bytes)
{
    while (bytes.n > 0 && !s->gtube) {
        if (s->gtube_n == 0) {
            const char *p = memchr(bytes.p, gtube.p[0], bytes.n);

            if (p == NULL)
                return;
            bytes = str_skip(bytes, (size_t)(p - bytes.p));
        }
        s->gtube_n = bytes.p[0] == gtube.p[s->gtube_n] ? s->gtube_n + 1 : bytes.p[0] == gtube.p[0];
        s->gtube = s->gtube_n == gtube.n;
        bytes = str_skip(bytes, 1);
    }
}

static void found_program(struct bodyscan *s, const char *what, struct str name)
{
    size_t n;

    if (s->program)
        return;
    s->program = true;
    name = name.n > 80 ? str_skip(name, name.n - 80) : name;
    n = (size_t)snprintf(s->why, sizeof(s->why), "%s", what); /* short texts of ours */
    for (size_t i = 0; i < name.n && n < sizeof(s->why) - 1; i++)
        s->why[n++] = name.p[i] >= 0x20 && name.p[i] < 0x7f ? name.p[i] : '?';
    s->why[n] = '\0';
}

static void check_first(struct bodyscan *s)
{
    struct str first = {s->first, s->first_n};

    if (!s->leaf)
        return;
    if (!s->text && attach_is_program(first))
        found_program(s, "a program by its first bytes", STR_NONE);
    s->is_zip = s->is_zip || str_starts(first, STR("PK\x03\x04"));
}

static void look_for_uu(struct bodyscan *s, struct str bytes)
{
    if (!s->text)
        return;
    attach_uu_feed(&s->uu, bytes);
    if (s->uu.found)
        found_program(s, "a program in a text: ", s->uu.name);
}

static void look_at(struct bodyscan *s, struct str bytes)
{
    look_for_gtube(s, bytes);
    look_for_uu(s, bytes);
    if (s->inner != NULL)
        bodyscan_feed(s->inner, bytes);
    if (s->first_n < sizeof(s->first) && bytes.n > 0) {
        size_t n = sizeof(s->first) - s->first_n;

        n = n < bytes.n ? n : bytes.n;
        memcpy(s->first + s->first_n, bytes.p, n);
        s->first_n += n;
        if (!s->is_zip && s->first_n >= 4) {
            check_first(s);
            if (s->is_zip)
                attach_zip_feed(&s->zip, (struct str){s->first, s->first_n});
            else
                s->is_zip = false;
        } else if (s->is_zip) {
            attach_zip_feed(&s->zip, str_head(bytes, n));
        }
        bytes = str_skip(bytes, n);
    }
    if (s->is_zip)
        attach_zip_feed(&s->zip, bytes);
    if (s->zip.found)
        found_program(s, "a program in an archive: ", (struct str){s->zip.name, s->zip.name_n});
}

static void collect_header(struct bodyscan *s, bool in_digest)
{
    s->in_header = true;
    s->in_digest = in_digest;
    s->header_line_n = 0;
    buf_reset(&s->header);
}

static void prepare(struct bodyscan *s)
{
    *s = (struct bodyscan){.line_begins = true, .scratch = arena_new(SCRATCH_MAX)};
    buf_init(&s->header, BODYSCAN_HEADER_MAX);
    buf_init(&s->decoded, PIECE_MAX + DECODE_HELD_MAX);
}

/* --- parts -------------------------------------------------------------------------------------
 */

static void inner_begin(struct bodyscan *s)
{
    struct bodyscan *inner;

    if (s->depth == BODYSCAN_INNER_MAX)
        return;
    inner = mem_type(struct bodyscan);
    prepare(inner);
    inner->depth = s->depth + 1;
    collect_header(inner, false);
    s->inner = inner;
}

static void inner_end(struct bodyscan *s)
{
    if (s->inner == NULL)
        return;
    bodyscan_end(s->inner);
    s->gtube = s->gtube || s->inner->gtube;
    if (s->inner->program)
        found_program(s, s->inner->why, STR_NONE);
    bodyscan_done(s->inner);
    free(s->inner);
    s->inner = NULL;
}

static void part_end(struct bodyscan *s)
{
    buf_reset(&s->decoded);
    decode_end(&s->decode, &s->decoded);
    look_at(s, buf_str(&s->decoded));
    check_first(s);
    attach_uu_end(&s->uu);
    look_for_uu(s, STR_NONE);
    inner_end(s);
}

static void part_begin(struct bodyscan *s, enum decode_kind kind, bool leaf)
{
    s->decode = decode_start(kind);
    s->leaf = leaf;
    s->text = false;
    s->named = false;
    s->is_zip = false;
    s->first_n = 0;
    s->gtube_n = 0;
    s->zip = (struct attach_zip){0};
    s->uu = (struct attach_uu){0};
}

static void body_bytes(struct bodyscan *s, struct str bytes)
{
    while (bytes.n > 0) {
        struct str piece = str_head(bytes, PIECE_MAX);

        if (s->decode.kind == DECODE_NONE) {
            look_at(s, piece);
        } else {
            buf_reset(&s->decoded);
            decode_feed(&s->decode, piece, &s->decoded);
            look_at(s, buf_str(&s->decoded));
        }
        bytes = str_skip(bytes, piece.n);
    }
}

static void push(struct bodyscan *s, struct str boundary, bool digest)
{
    struct bodyscan_boundary *b;

    if (boundary.n == 0 || boundary.n > MIME_BOUNDARY_MAX || s->open_n == BODYSCAN_DEPTH_MAX)
        return;
    s->open = mem_grow(s->open, s->open_n + 1, sizeof(*s->open));
    b = &s->open[s->open_n++];
    memcpy(b->text, boundary.p, boundary.n);
    b->n = boundary.n;
    b->digest = digest;
}

static bool parameter(const struct mime_value *v, const char *name, struct buf *out)
{
    buf_reset(out);
    return mime_param_text(v, name, out);
}

static void check_name(struct bodyscan *s, const struct mime_value *v, const char *name)
{
    own_buf struct buf text = BUF_INIT(NAME_MAX_N);

    if (!parameter(v, name, &text))
        return;
    s->named = true;
    if (attach_is_program_name(buf_str(&text)))
        found_program(s, "a program by its name: ", buf_str(&text));
    s->is_zip = s->is_zip || str_iends(buf_str(&text), STR(".zip"));
}

static void open_multipart(struct bodyscan *s, const struct mime_value *v)
{
    own_buf struct buf boundary = BUF_INIT(MIME_BOUNDARY_MAX * 4);

    if (str_istarts(v->value, STR("multipart/")) && parameter(v, "boundary", &boundary))
        push(s, str_trim(buf_str(&boundary)), str_ieq_c(v->value, "multipart/digest"));
}

/* Programs differ in which name they believe, and in which of several fields: all of them count. */
static void read_fields(struct bodyscan *s, struct str header)
{
    struct header_walk w = header_walk(header);
    struct header_field f;

    while (header_next(&w, &f)) {
        bool type = str_ieq_c(f.name, "Content-Type");
        struct mime_value v;
        struct err err = {0};

        if (!type && !str_ieq_c(f.name, "Content-Disposition"))
            continue;
        if (mime_parse_value(f.value, s->scratch, &v, &err) < 0 || v.value.p == NULL)
            continue;
        check_name(s, &v, type ? "name" : "filename");
        if (type)
            open_multipart(s, &v);
    }
}

static void enter(struct bodyscan *s, const struct mime_part *p)
{
    bool multipart = mime_is(p, "multipart", NULL);
    bool message = mime_is_message(p) || (s->in_digest && p->content_type.value.p == NULL);

    part_begin(s, multipart ? DECODE_NONE : p->encoding, !multipart);
    read_fields(s, p->header);
    s->text = !s->named && mime_is(p, "text", NULL);
    if (message && p->encoding == DECODE_NONE)
        collect_header(s, false);
    else if (message) /* against RFC 2046, and read by many a program */
        inner_begin(s);
}

static void end_header(struct bodyscan *s, struct str header)
{
    struct mime_part *part;
    struct err err = {0};

    s->in_header = false;
    arena_reset(s->scratch);
    if (mime_parse_apart(header, STR_NONE, s->scratch, &part, &err) == 0)
        enter(s, part);
    else
        part_begin(s, DECODE_NONE, true); /* too much to understand: its bytes are looked at */
}

static void header_bytes(struct bodyscan *s, struct str bytes)
{
    size_t room = buf_room(&s->header);
    bool ends = str_ends(bytes, STR("\n"));

    buf_append(&s->header, str_head(bytes, room));
    for (size_t i = 0; i < bytes.n; i++)
        s->header_line_n += bytes.p[i] != '\r' && bytes.p[i] != '\n';
    if (!ends)
        return;
    if (s->header_line_n == 0) {
        own_free char *copy = mem_new(s->header.n + 1); /* what follows may collect another one */
        size_t n = s->header.n;

        memcpy(copy, buf_c(&s->header), n);
        end_header(s, (struct str){copy, n});
    }
    s->header_line_n = 0;
}

/* At most one line. */
static void plain_bytes(struct bodyscan *s, struct str bytes)
{
    if (s->in_header)
        header_bytes(s, bytes);
    else
        body_bytes(s, bytes);
}

/* --- boundaries --------------------------------------------------------------------------------
 */

enum boundary {
    BOUNDARY_NONE,
    BOUNDARY_PART,
    BOUNDARY_CLOSE,
};

static enum boundary which(struct str line, const struct bodyscan_boundary *b)
{
    struct str rest = str_skip(line, 2 + b->n);

    if (line.n < 2 + b->n || memcmp(line.p + 2, b->text, b->n) != 0)
        return BOUNDARY_NONE;
    if (str_starts(rest, STR("--")))
        return BOUNDARY_CLOSE;
    return str_trim(rest).n == 0 ? BOUNDARY_PART : BOUNDARY_NONE;
}

static void leave_part(struct bodyscan *s)
{
    if (s->in_header) {
        own_free char *copy = mem_new(s->header.n + 1);
        size_t n = s->header.n;

        memcpy(copy, buf_c(&s->header), n);
        end_header(s, (struct str){copy, n}); /* a header without a body has names, too */
        s->in_header = false;
    }
    part_end(s);
}

/* Was the line a boundary of one of the open multiparts? Those within it are closed by it. */
static bool cross(struct bodyscan *s, struct str line)
{
    for (size_t i = s->open_n; i-- > 0;) {
        enum boundary kind = which(line, &s->open[i]);

        if (kind == BOUNDARY_NONE)
            continue;
        leave_part(s);
        s->open_n = kind == BOUNDARY_CLOSE ? i : i + 1;
        part_begin(s, DECODE_NONE, false);
        if (kind == BOUNDARY_PART)
            collect_header(s, s->open[i].digest);
        return true;
    }
    return false;
}

static void decide(struct bodyscan *s)
{
    struct str line = {s->line, s->line_n};
    bool ends = str_ends(line, STR("\n"));
    bool crossed = s->line_n > 2 && line.p[1] == '-' && cross(s, line);

    s->undecided = false;
    s->line_n = 0;
    s->line_begins = ends;
    s->skip_line = crossed && !ends; /* a boundary behind which a line goes on and on */
    if (!crossed)
        plain_bytes(s, line);
}

static void collect(struct bodyscan *s, char c)
{
    s->undecided = true;
    s->line[s->line_n++] = c;
    if (c == '\n' || s->line_n == sizeof(s->line) || (s->line_n == 2 && c != '-'))
        decide(s);
}

void bodyscan_feed(struct bodyscan *s, struct str in)
{
    while (in.n > 0) {
        if (s->undecided || (s->line_begins && s->open_n > 0 && in.p[0] == '-')) {
            collect(s, in.p[0]);
            in = str_skip(in, 1);
            continue;
        }
        ptrdiff_t end = str_find(in, '\n');
        struct str line = end < 0 ? in : str_head(in, (size_t)end + 1);

        if (!s->skip_line)
            plain_bytes(s, line);
        s->line_begins = end >= 0;
        s->skip_line = s->skip_line && end < 0;
        in = str_skip(in, line.n);
    }
}

void bodyscan_init(struct bodyscan *s, struct str header)
{
    prepare(s);
    end_header(s, header);
}

void bodyscan_end(struct bodyscan *s)
{
    if (s->undecided)
        decide(s);
    leave_part(s);
}

void bodyscan_done(struct bodyscan *s)
{
    if (s->inner != NULL)
        bodyscan_done(s->inner);
    free(s->inner);
    free(s->open);
    arena_free(s->scratch);
    buf_done(&s->header);
    buf_done(&s->decoded);
    *s = (struct bodyscan){0};
}
