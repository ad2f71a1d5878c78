/* SPDX-License-Identifier: Apache-2.0 */
/* Parts lie within their parents, one behind the other; counters agree with the bytes; limits hold.
 */
#include <assert.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/mime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_counts(struct str s, size_t lone)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == '\n' && (i == 0 || s.p[i - 1] != '\r');
    assert(n == lone);
}

static void check_part(const struct mime_part *p)
{
    own_buf struct buf name = BUF_INIT(1 << 20);
    size_t lines = 0;

    for (size_t i = 0; i < p->body.n; i++)
        lines += p->body.p[i] == '\n';
    assert(lines == p->body_lines);
    check_counts(p->header, p->header_lone_n);
    check_counts(p->body, p->body_lone_n);
    if (p->parent) {
        assert(p->header.p >= p->parent->body.p);
        assert(p->header.p + p->header.n <= p->body.p);
        /* An empty part may stand behind the line end that is its parent's boundary's. */
        assert(p->body.p + p->body.n <=
               p->parent->body.p + p->parent->body.n + (p->body.n ? 0 : 2));
    }
    if (p->next)
        assert(p->body.p + p->body.n <= p->next->header.p);
    (void)mime_param_text(&p->content_type, "name", &name);
    (void)mime_param_text(&p->disposition, "filename", &name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena *a = arena_new(64 << 20);
    struct mime_part *root = NULL;
    struct err err;
    size_t parts = 0;

    if (mime_parse((struct str){(const char *)data, n}, a, &root, &err) == 0) {
        for (const struct mime_part *p = root; p; p = mime_next(root, p)) {
            check_part(p);
            parts++;
        }
        assert(parts >= 1 && parts <= MIME_PARTS_MAX);
    }
    arena_free(a);
    return 0;
}
