/* SPDX-License-Identifier: Apache-2.0 */
/* Properties: what was parsed has a type and can be written, within what its text could hold; the
 * type in front of it changes nothing. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"
#include "runtime/kernel/dbus_value.h"

#define ARENA_MAX (8U << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct arena *a, const struct dbus_value *v, struct str in)
{
    own_buf struct buf once = BUF_INIT(1U << 20), again = BUF_INIT(1U << 20);
    const char *text = arena_printf(a, "@%s %.*s", v->signature, STR_ARG(in));
    struct dbus_value *w = NULL;
    struct err err;

    dbus_value_put(v, &once);
    assert(!once.failed && once.n >= strlen(v->signature) + 2);
    if (text == NULL || strlen(text) > DBUS_VALUE_TEXT_MAX || memchr(in.p, 0, in.n) != NULL)
        return;
    w = dbus_value_parse(a, str_of(text), &err);
    if (w == NULL) /* it has a type in front already, or is as deep as may be */
        return;
    dbus_value_put(w, &again);
    assert(str_eq(buf_str(&once), buf_str(&again)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *)data, size};
    struct arena *a = arena_new(ARENA_MAX);
    struct err err = {0};
    struct dbus_value *v = dbus_value_parse(a, in, &err);

    if (v != NULL)
        check(a, v, in);
    else
        assert(err.text[0] != '\0');
    arena_free(a);
    return 0;
}
