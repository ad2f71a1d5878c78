/* SPDX-License-Identifier: Apache-2.0 */
/* First line: a section; the rest: a message. What is found lies within the message or is made. */
#include <assert.h>
#include <stdint.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"

#include "mailstack/imapd/section.h"
#include "mailstack/lib/mail/mime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void find(const struct section *s, struct str raw, struct arena *a)
{
    own_buf struct buf made = BUF_INIT(1 << 20);
    struct mime_part *tree;
    struct err err = {0};
    struct str found;

    if (mime_parse(raw, a, &tree, &err) < 0)
        return;
    found = section_find(s, tree, raw, &made);
    if (found.n == 0)
        return;
    if (s->what == SECTION_FIELDS || s->what == SECTION_NOT)
        assert(found.p >= made.p && found.p + found.n <= made.p + made.n);
    else
        assert(found.p >= raw.p && found.p + found.n <= raw.p + raw.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str all = {(const char *)data, n}, text, raw;
    struct arena *a;
    struct section s;
    size_t label_n;

    if (!str_cut(all, '\n', &text, &raw))
        return 0;
    a = arena_new(1 << 24);
    if (section_parse(text, a, &s, &label_n)) {
        assert(label_n > 0 && label_n <= text.n && text.p[label_n - 1] == ']');
        find(&s, raw, a);
    }
    arena_free(a);
    return 0;
}
