/* SPDX-License-Identifier: Apache-2.0 */
/* ENVELOPE and BODYSTRUCTURE of any bytes: parentheses match outside of strings, nothing but
 * literals holds a line end. */
#include <assert.h>
#include <stdint.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/mime.h"
#include "mailstack/lib/proto/imap_bodystructure.h"
#include "mailstack/lib/proto/imap_envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Behind the quoted string that begins at `at`. */
static size_t quoted(struct str s, size_t at)
{
    for (at++; at < s.n && s.p[at] != '"'; at++)
        at += s.p[at] == '\\';
    return at;
}

/* Behind the literal that begins at `at`. */
static size_t literal(struct str s, size_t at)
{
    struct err err;
    struct str digits;
    struct str rest;
    uint64_t k;

    assert(str_cut(str_skip(s, at + 1), '}', &digits, &rest));
    assert(num_parse_u64(digits, 0, s.n, &k, &err) == 0);
    assert(str_starts(rest, STR("\r\n")) && rest.n >= 2 + k);
    return (size_t)(rest.p - s.p) + 1 + (size_t)k;
}

static void check_shape(struct str s)
{
    size_t depth = 0;

    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"')
            i = quoted(s, i);
        else if (s.p[i] == '{')
            i = literal(s, i);
        else if (s.p[i] == '(')
            depth++;
        else if (s.p[i] == ')')
            depth--;
        else
            assert(s.p[i] != '\r' && s.p[i] != '\n');
        assert(depth > 0 || i + 1 == s.n);
    }
    assert(depth == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str in = {(const char *)data, n};
    struct arena *a = arena_new(64 << 20);
    own_buf struct buf out = BUF_INIT(64 << 20);
    struct mime_part *root;
    struct err err;

    if (imap_envelope_format(&out, in, a, &err) == 0)
        check_shape(buf_str(&out));
    if (mime_parse(in, a, &root, &err) == 0) {
        buf_reset(&out);
        if (imap_bodystructure_format(&out, root, IMAP_BODYSTRUCTURE, a, &err) == 0)
            check_shape(buf_str(&out));
    }
    arena_free(a);
    return 0;
}
