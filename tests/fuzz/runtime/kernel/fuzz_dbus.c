/* SPDX-License-Identifier: Apache-2.0 */
/* Properties: what is consumed was there; a cut message is never an answer of its own; what was
 * parsed, formatted and parsed again is the same. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"
#include "runtime/kernel/dbus.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_again(const struct dbus_msg *m)
{
    own_buf struct buf out = BUF_INIT(4U << 20);
    struct dbus_msg again;
    struct err err;
    size_t used = 0;

    dbus_format(m, &out);
    if (out.failed)
        return;
    assert(dbus_parse(buf_str(&out), &again, &used, &err) == DBUS_PARSE_DONE);
    assert(used == out.n && again.type == m->type && again.serial == m->serial);
    assert(again.reply_serial == m->reply_serial && str_eq(again.path, m->path));
    assert(str_eq(again.member, m->member) && str_eq(again.body, m->body));
}

static void read_all(struct str body)
{
    struct dbus_reader r = {.body = body};
    struct str s;
    uint32_t n = 0;

    while (dbus_get_str(&r, &s) || dbus_get_u32(&r, &n))
        assert(r.at <= body.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *)data, size};
    struct dbus_msg m;
    struct err err;
    size_t used = 0;

    if (dbus_parse(in, &m, &used, &err) != DBUS_PARSE_DONE) {
        assert(used == 0);
        return 0;
    }
    assert(used <= size);
    if (used > 0)
        assert(dbus_parse(str_head(in, used - 1), &m, &used, &err) != DBUS_PARSE_DONE);
    assert(dbus_parse(in, &m, &used, &err) == DBUS_PARSE_DONE);
    /* Signatures of our own are below 256 bytes, and so are those that were parsed. */
    check_again(&m);
    read_all(m.body);
    return 0;
}
