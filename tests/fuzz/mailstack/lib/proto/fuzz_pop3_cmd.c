/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing before the line's end gives a command; a command holds no CR, LF or NUL. */
#include <assert.h>
#include <stdint.h>

#include "runtime/base/err.h"

#include "mailstack/lib/proto/pop3_cmd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void clean(struct str s)
{
    assert(str_find_any(s, "\r\n") < 0 && !str_has_nul(s));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str in = {(const char *)data, n};
    struct pop3_cmd c;
    struct pop3_cmd part;
    struct err err = {0};
    size_t used;
    size_t part_used;
    enum parse_result r = pop3_cmd_parse(in, &c, &used, &err);

    assert(used <= n && used <= POP3_LINE_MAX && (r != PARSE_MORE || used == 0));
    for (size_t cut = 0; cut < used; cut += 1 + used / 16)
        assert(pop3_cmd_parse(str_head(in, cut), &part, &part_used, &err) == PARSE_MORE);
    if (r != PARSE_DONE)
        return 0;
    assert(used >= 2 && c.args_n <= POP3_ARGS_MAX + 1);
    clean(c.verb);
    clean(c.rest);
    for (size_t i = 0; i < c.args_n && i < POP3_ARGS_MAX; i++)
        assert(c.args[i].n > 0 && str_find(c.args[i], ' ') < 0);
    return 0;
}
