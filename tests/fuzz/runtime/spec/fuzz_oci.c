/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever loads must dump, load again, and dump to the same text; nothing is more than the limits
 * allow; and without its system call rules a text loads as it does with them.
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

/* Rules that were loaded in another document need not be read again: with them left out, the text
 * loads exactly if it loads with them. */
static void check_rules(struct str text, bool loads)
{
    struct arena *a = arena_new(2 * OCI_ARENA_MAX);
    own_buf struct buf other = BUF_INIT(DUMP_MAX);
    struct str rules = STR_NONE;
    struct oci_config *c = NULL;
    struct err ignored;

    if (oci_find_rules(text, &rules)) {
        bool without = oci_load_but_rules(a, text, rules, "config.json", &c, &ignored) == 0;

        buf_append_c(&other, "{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"/r\"},\"linux\":"
                             "{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ERRNO\",");
        if (without && c->linux_.seccomp.listener_path != NULL)
            buf_append_c(&other, "\"listenerPath\":\"/x\",");
        buf_append_c(&other, "\"syscalls\":");
        buf_append(&other, rules);
        buf_append_c(&other, "}}}");
        if (without)
            without = oci_load_str(a, buf_str(&other), "rules", &c, &ignored) == 0;
        assert(without == loads);
    }
    arena_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct str text = {(const char *)data, size};
    struct arena *a = arena_new(2 * OCI_ARENA_MAX);
    struct oci_config *c = NULL;
    struct err err = {0};

    if (oci_load_str(a, text, "config.json", &c, &err) < 0) {
        assert(c == NULL && err.text[0] != '\0');
    } else {
        assert(c->mounts_n <= OCI_MOUNTS_MAX && c->linux_.uid_maps.n <= OCI_IDMAP_MAX);
        if (oci_check(c, &err) < 0)
            assert(err.text[0] == '$');
        check_round_trip(c, a);
    }
    check_rules(text, c != NULL);
    arena_free(a);
    return 0;
}
