/* SPDX-License-Identifier: Apache-2.0 */
/* A line parses the same however it was cut; fields hold no TAB or LF; what is written is read back
 * as it was. */
#include <assert.h>
#include <stdint.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"

#include "mailstack/lib/proto/dovecot_auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void there_and_back(struct str value)
{
    own_buf struct buf b = BUF_INIT(1 << 20);
    own_buf struct buf back = BUF_INIT(1 << 20);
    struct dovecot_line l;
    struct err err = {0};
    struct str got;
    size_t used;

    dovecot_auth_begin(&b, "OK");
    dovecot_auth_field(&b, "user", value);
    dovecot_auth_end(&b);
    if (b.n > DOVECOT_LINE_MAX)
        return;
    assert(dovecot_auth_parse(buf_str(&b), &l, &used, &err) == PARSE_DONE);
    assert(l.n == 2 && used == b.n);
    assert(dovecot_auth_get(&l, 1, "user", &got));
    assert(dovecot_auth_unescape(got, &back, &err) == 0);
    assert(str_eq(buf_str(&back), value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str in = {(const char *)data, n};
    struct dovecot_line l;
    struct dovecot_line part;
    struct err err = {0};
    size_t used;
    size_t part_used;
    enum parse_result r = dovecot_auth_parse(in, &l, &used, &err);

    there_and_back(in);
    assert(used <= n && (r != PARSE_MORE || used == 0));
    for (size_t cut = 0; cut < used; cut += 1 + used / 16) {
        assert(dovecot_auth_parse(str_head(in, cut), &part, &part_used, &err) == PARSE_MORE);
        assert(part_used == 0);
    }
    if (r != PARSE_DONE)
        return 0;
    assert(l.n >= 1 && l.n <= DOVECOT_FIELDS_MAX);
    for (size_t i = 0; i < l.n; i++)
        assert(str_find_any(l.field[i], "\t\n") < 0);
    return 0;
}
