/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte cuts the input into a message and a value that a filter wants in its header. What
 * goes out has the fields that were there and no other but the one that was put in. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"

#include "mailstack/smtpd/fields.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void render(const struct fields *f, struct buf *out)
{
    struct str *parts;
    struct err err = {0};
    size_t parts_n;

    assert(fields_parts(f, &parts, &parts_n, &err) == 0);
    for (size_t i = 0; i < parts_n; i++)
        buf_append(out, parts[i]);
}

static void check(struct fields *f, struct arena *a, struct str message, struct str body,
                  struct str value)
{
    own_buf struct buf out = BUF_INIT(1u << 20);
    struct fields again;
    struct str again_body;
    struct err err = {0};
    size_t before = f->n;

    render(f, &out); /* as it came, but for the empty line */
    assert(out.n <= message.n - body.n + 2);
    assert(memcmp(out.p, message.p, out.n - 2) == 0);
    buf_reset(&out);
    if (fields_insert(f, value.n % 3, STR("X-New"), value, &err) < 0)
        return;
    render(f, &out);
    assert(fields_parse(&again, a, buf_str(&out), &again_body, &err) == 0);
    assert(again_body.n == 0);
    assert(before == 0 || again.n == before + 1);
    assert(fields_count(&again, "x-new") == fields_count(f, "x-new"));
    assert(fields_change(f, SIZE_MAX, STR("X-New"), STR_NONE, &err) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena *a;
    struct str all = {(const char *)data, n};
    struct str message;
    struct str body;
    struct fields f;
    struct err err = {0};

    if (n == 0)
        return 0;
    a = arena_new(8u << 20);
    message = str_sub(all, 1, data[0]);
    if (fields_parse(&f, a, message, &body, &err) == 0) {
        assert(f.n <= FIELDS_MAX && body.n <= message.n);
        check(&f, a, message, body, str_skip(all, 1 + message.n));
    }
    arena_free(a);
    return 0;
}
