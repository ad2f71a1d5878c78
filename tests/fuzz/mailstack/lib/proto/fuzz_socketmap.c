/* SPDX-License-Identifier: Apache-2.0 */
/* A message parses the same however it was cut, and formats to what parses to the same. */
#include <assert.h>
#include <stdint.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"

#include "mailstack/lib/proto/socketmap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void request(struct str in)
{
    own_buf struct buf b = BUF_INIT(2 * SOCKETMAP_MAX);
    struct socketmap_request r;
    struct socketmap_request again;
    struct err err = {0};
    size_t used;
    size_t part;

    if (socketmap_parse_request(in, &r, &used, &err) != PARSE_DONE)
        return;
    assert(used <= in.n && str_find(r.map, ' ') < 0);
    for (size_t cut = 0; cut < used; cut += 1 + used / 16)
        assert(socketmap_parse_request(str_head(in, cut), &again, &part, &err) == PARSE_MORE);
    socketmap_format_request(&b, &r);
    assert(socketmap_parse_request(buf_str(&b), &again, &part, &err) == PARSE_DONE);
    assert(part == b.n && str_eq(r.map, again.map) && str_eq(r.key, again.key));
}

static void answer(struct str in)
{
    own_buf struct buf b = BUF_INIT(2 * SOCKETMAP_MAX);
    struct socketmap_answer a;
    struct socketmap_answer again;
    struct err err = {0};
    size_t used;

    if (socketmap_parse_answer(in, &a, &used, &err) != PARSE_DONE)
        return;
    socketmap_format_answer(&b, &a);
    assert(socketmap_parse_answer(buf_str(&b), &again, &used, &err) == PARSE_DONE);
    assert(a.status == again.status && str_eq(a.data, again.data));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str in = {(const char *)data, n};

    request(in);
    answer(in);
    return 0;
}
