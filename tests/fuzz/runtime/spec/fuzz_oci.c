/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever loads must dump, load again, and dump to the same text; nothing is more than the limits
 * allow.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"
#include "runtime/spec/oci.h"

#define DUMP_MAX (64U << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const struct oci_config *c, struct arena *a)
{
    own_buf struct buf first = BUF_INIT(DUMP_MAX), second = BUF_INIT(DUMP_MAX);
    struct oci_config *again;
    struct err err;

    oci_dump(c, &first);
    assert(!first.failed);
    if (first.n > OCI_TEXT_MAX) /* indentation may push it over the limit */
        return;
    if (oci_load_str(a, buf_str(&first), "dump", &again, &err) < 0)
        abort();
    oci_dump(again, &second);
    assert(str_eq(buf_str(&first), buf_str(&second)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(2 * OCI_ARENA_MAX);
    struct oci_config *c = NULL;
    struct err err = {0};

    if (oci_load_str(a, (struct str){(const char *)data, size}, "config.json", &c, &err) < 0) {
        assert(c == NULL && err.text[0] != '\0');
    } else {
        assert(c->mounts_n <= OCI_MOUNTS_MAX && c->linux_.uid_maps.n <= OCI_IDMAP_MAX);
        if (oci_check(c, &err) < 0)
            assert(err.text[0] == '$');
        check_round_trip(c, a);
    }
    arena_free(a);
    return 0;
}
