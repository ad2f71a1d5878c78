/* SPDX-License-Identifier: Apache-2.0 */
/* Lines are taken off one after the other: none holds a CR, LF or NUL, none depends on what comes
 * behind it, and nothing is consumed while a line is incomplete. */
#include <assert.h>
#include <stdint.h>

#include "runtime/base/err.h"

#include "mailstack/lib/proto/smtp_cmd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(struct str in, const struct smtp_cmd *c, size_t used)
{
    struct smtp_cmd again;
    struct err err = {0};
    size_t again_n;
    uint64_t size;
    bool last;

    assert(used >= 2 && used <= in.n && used <= SMTP_LINE_MAX);
    assert(in.p[used - 2] == '\r' && in.p[used - 1] == '\n');
    assert(str_find_any(str_head(in, used - 2), "\r\n") < 0 && !str_has_nul(str_head(in, used)));
    assert(c->name.n + c->args.n <= used - 2);
    assert(smtp_cmd_parse(str_head(in, used), &again, &again_n, &err) == PARSE_DONE);
    assert(again_n == used && again.verb == c->verb && str_eq(again.args, c->args));
    assert(smtp_cmd_parse(str_head(in, used - 1), &again, &again_n, &err) == PARSE_MORE);
    assert(again_n == 0);
    if (smtp_bdat_parse(c->args, &size, &last, &err) == 0)
        assert(size <= INT64_MAX);
    if (smtp_is_helo_name(c->args))
        assert(str_find_any(c->args, " ()<>\"\\") < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str in = {(const char *)data, n};
    struct smtp_cmd c;
    struct err err = {0};
    size_t used = 0;
    enum parse_result r;

    while ((r = smtp_cmd_parse(in, &c, &used, &err)) == PARSE_DONE) {
        check(in, &c, used);
        in = str_skip(in, used);
    }
    assert(used <= in.n && (r == PARSE_ERROR || (used == 0 && in.n < SMTP_LINE_MAX)));
    return 0;
}
