/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdint.h>

#include "runtime/base/err.h"

#include "mailstack/lib/proto/smtp_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(struct str in, const struct smtp_reply *r, size_t used)
{
    struct smtp_reply again;
    struct err err = {0};
    struct str all = r->all;
    struct str text = STR_NONE;
    struct str rest;
    size_t again_n;

    assert(used <= in.n && used <= SMTP_REPLY_MAX && r->code >= 200 && r->code < 600);
    assert(smtp_reply_parse(str_head(in, used), &again, &again_n, &err) == PARSE_DONE);
    assert(again_n == used && again.code == r->code);
    assert(smtp_reply_parse(str_head(in, used - 1), &again, &again_n, &err) == PARSE_MORE);
    while (smtp_reply_line(&all, &text))
        assert(str_find(text, '\n') < 0);
    assert(str_eq(text, r->text));
    struct str status = smtp_reply_status(r->code, r->text, &rest);

    assert(status.n + rest.n <= r->text.n);
    assert(status.n == 0 || (unsigned)(status.p[0] - '0') == r->code / 100);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str in = {(const char *)data, n};
    struct smtp_reply r;
    struct err err = {0};
    size_t used = 0;

    while (smtp_reply_parse(in, &r, &used, &err) == PARSE_DONE) {
        check(in, &r, used);
        in = str_skip(in, used);
    }
    assert(used == 0);
    return 0;
}
