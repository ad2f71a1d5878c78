/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digests that get through are safe as names of files; lists are within their limits; an index and
 * a manifest that were read are written, read again, and written to the same text.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"

#include "images/lib/blob.h"
#include "images/lib/doc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ARENA_MAX (16U << 20)

static void check_descriptor(const struct doc_descriptor *d)
{
    assert(digest_is_sound(str_of(d->digest)));
    assert(d->size <= BLOB_SIZE_MAX);
    assert(d->media_type && d->ref && d->os && d->architecture);
}

static void check_index(struct str in, struct arena *a)
{
    own_buf struct buf first = BUF_INIT(2 * DOC_MAX), second = BUF_INIT(2 * DOC_MAX);
    struct doc_index i;
    struct err err;

    if (doc_parse_index(in, a, &i, &err) < 0)
        return;
    assert(i.n <= DOC_MANIFESTS_MAX);
    for (size_t k = 0; k < i.n; k++)
        check_descriptor(&i.v[k]);
    doc_format_index(&i, &first);
    if (doc_parse_index(buf_str(&first), a, &i, &err) < 0)
        abort();
    doc_format_index(&i, &second);
    assert(str_eq(buf_str(&first), buf_str(&second)));
}

static void check_manifest(struct str in, struct arena *a)
{
    own_buf struct buf first = BUF_INIT(2 * DOC_MAX), second = BUF_INIT(2 * DOC_MAX);
    struct doc_manifest m;
    struct err err;

    if (doc_parse_manifest(in, a, &m, &err) < 0)
        return;
    assert(m.layers_n <= DOC_LAYERS_MAX);
    check_descriptor(&m.config);
    for (size_t k = 0; k < m.layers_n; k++)
        check_descriptor(&m.layers[k]);
    doc_format_manifest(&m, &first);
    if (doc_parse_manifest(buf_str(&first), a, &m, &err) < 0)
        abort();
    doc_format_manifest(&m, &second);
    assert(str_eq(buf_str(&first), buf_str(&second)));
}

static void check_config(struct str in, struct arena *a)
{
    struct doc_config c;
    struct err err;

    if (doc_parse_config(in, a, &c, &err) < 0)
        return;
    for (size_t i = 0; i < c.diff_ids.n; i++)
        assert(digest_is_sound(str_of(c.diff_ids.v[i])));
    assert(c.image.user && c.image.workdir && c.image.entrypoint.n <= DOC_STRINGS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *)data, size};
    struct arena *a = arena_new(ARENA_MAX);
    struct doc_saved *saved;
    size_t n;
    struct err err;

    check_index(in, a);
    check_manifest(in, a);
    check_config(in, a);
    if (doc_parse_saved(in, a, &saved, &n, &err) == 0)
        for (size_t i = 0; i < n; i++)
            assert(saved[i].config && saved[i].layers.n <= DOC_LAYERS_MAX);
    if (doc_check_layout(in, &err) < 0)
        assert(err.text[0] != '\0');
    arena_free(a);
    return 0;
}
