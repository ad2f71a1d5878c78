/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials have no NUL and keep their limits; a conversation ends after at most two answers. The
 * first byte chooses mechanism and way; lines are the responses. */
#include <assert.h>
#include <stdint.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"

#include "mailstack/lib/proto/sasl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(const struct sasl *s)
{
    assert(sasl_user(s).n > 0 && sasl_user(s).n <= SASL_VALUE_MAX);
    assert(sasl_password(s).n <= SASL_VALUE_MAX);
    assert(!str_has_nul(sasl_user(s)) && !str_has_nul(sasl_password(s)));
}

/* The bytes themselves as the content of a PLAIN response. */
static void raw(struct str in)
{
    own_buf struct buf b = BUF_INIT(1 << 20);
    struct sasl s;
    struct err err = {0};

    buf_append_base64(&b, in);
    if (b.n && sasl_begin(&s, SASL_PLAIN, buf_str(&b), &err) == SASL_DONE)
        check(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str in = str_skip((struct str){(const char *)data, n}, 1);
    struct str line = STR_NONE;
    struct sasl s;
    struct err err = {0};
    unsigned turns = 0;

    if (n == 0)
        return 0;
    raw(in);
    if (data[0] & 2)
        (void)str_next(&in, '\n', &line);
    enum sasl_result r = sasl_begin(&s, data[0] & 1 ? SASL_LOGIN : SASL_PLAIN, line, &err);

    while (r == SASL_CHALLENGE && str_next(&in, '\n', &line)) {
        assert(turns++ < 2);
        r = sasl_feed(&s, line, &err);
    }
    if (r == SASL_DONE)
        check(&s);
    assert(r != SASL_ERROR || err.text[0] != '\0');
    sasl_done(&s);
    return 0;
}
