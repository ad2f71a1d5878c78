/* SPDX-License-Identifier: Apache-2.0 */
/* The scanner finds the same ends however the bytes came; a command it accepted is parsed without
 * looking past its end, and each argument lies in the input or the arena. */
#include <assert.h>
#include <stdint.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"

#include "mailstack/lib/proto/imap_parser.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static size_t count(const struct imap_arg *args, size_t n, unsigned depth)
{
    size_t sum = n;

    assert(depth <= IMAP_DEPTH_MAX);
    for (size_t i = 0; i < n; i++) {
        struct str s;

        if (args[i].kind == IMAP_LIST)
            sum += count(args[i].list, args[i].list_n, depth + 1);
        else if (args[i].kind == IMAP_ATOM)
            assert(imap_arg_atom(&args[i], &s) && s.n > 0 && !str_has_nul(s));
        else if (args[i].kind == IMAP_QUOTED)
            assert(imap_arg_string(&args[i], &s) && str_find_any(s, "\r\n") < 0);
    }
    return sum;
}

static void parse(struct str in)
{
    struct arena *a = arena_new(1 << 22);
    struct imap_cmd c;
    struct err err = {0};

    if (imap_parse(in, a, &c, &err) == 0) {
        assert(c.tag.n > 0 && c.tag.n <= IMAP_TAG_MAX && c.name.n > 0);
        assert(count(c.args, c.args_n, 0) <= IMAP_ARGS_MAX);
    } else {
        assert(err.text[0] != '\0');
    }
    arena_free(a);
}

/* Feeds up to `step` bytes more at a time; literals stay in the stream. */
static enum imap_scan_result scan(struct str in, size_t step, size_t *at)
{
    struct imap_scan s = {0};
    struct err err = {0};
    enum imap_scan_result r = IMAP_SCAN_MORE;

    for (size_t n = 0; n <= in.n;) {
        r = imap_scan(&s, str_head(in, n), &err);
        assert(s.at <= n);
        if (r == IMAP_SCAN_DONE || r == IMAP_SCAN_ERROR)
            break;
        if (r == IMAP_SCAN_MORE && n == in.n)
            break;
        if (r == IMAP_SCAN_MORE)
            n = n + step < in.n ? n + step : in.n;
    }
    *at = s.at;
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str in = {(const char *)data, n};
    size_t whole_at;
    size_t part_at;
    enum imap_scan_result whole = scan(in, n + 1, &whole_at);
    enum imap_scan_result part = scan(in, 1, &part_at);

    assert(whole == part && whole_at == part_at);
    if (whole == IMAP_SCAN_DONE)
        parse(str_head(in, whole_at));
    return 0;
}
