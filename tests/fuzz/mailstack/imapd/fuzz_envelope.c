/* SPDX-License-Identifier: Apache-2.0 */
/* Any message gives an envelope and a structure that a client can read: parentheses balance outside
 * of strings, strings end, nothing but literals has line ends. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"

#include "mailstack/imapd/envelope.h"
#include "mailstack/lib/mail/header.h"
#include "mailstack/lib/mail/mime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct str skip_quoted(struct str s)
{
    s = str_skip(s, 1);
    while (s.n > 0 && s.p[0] != '"') {
        assert(s.p[0] != '\r' && s.p[0] != '\n' && s.p[0] != '\0');
        s = str_skip(s, s.p[0] == '\\' ? 2 : 1);
    }
    assert(s.n > 0);
    return str_skip(s, 1);
}

static struct str skip_literal(struct str s)
{
    size_t size = strtoul(s.p + 1, NULL, 10);
    ptrdiff_t end = str_find(s, '\n');

    assert(end > 0 && s.p[end - 1] == '\r' && s.p[end - 2] == '}');
    assert(size <= s.n - (size_t)end - 1);
    return str_skip(s, (size_t)end + 1 + size);
}

static void check(struct str s)
{
    int depth = 0;

    while (s.n > 0) {
        assert(s.p[0] != '\r' && s.p[0] != '\n');
        if (s.p[0] == '"') {
            s = skip_quoted(s);
            continue;
        }
        if (s.p[0] == '{') {
            s = skip_literal(s);
            continue;
        }
        depth += (s.p[0] == '(') - (s.p[0] == ')');
        assert(depth >= 0);
        s = str_skip(s, 1);
    }
    assert(depth == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str raw = {(const char *)data, n};
    own_buf struct buf out = BUF_INIT(1 << 24);
    struct arena *a = arena_new(1 << 26);
    struct mime_part *tree;
    struct err err = {0};

    if (envelope_put(str_head(raw, header_end(raw)), a, &out, &err) == 0)
        check(buf_str(&out));
    buf_reset(&out);
    if (mime_parse(raw, a, &tree, &err) == 0 &&
        envelope_put_structure(tree, ENVELOPE_BODYSTRUCTURE, a, &out, &err) == 0)
        check(buf_str(&out));
    arena_free(a);
    return 0;
}
