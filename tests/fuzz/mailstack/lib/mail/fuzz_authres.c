/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever a property's value is, the field stays one field, and is recognised as one's own. */
#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/authres.h"

#undef NDEBUG
#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    own_buf struct buf out = BUF_INIT(1 << 20);
    own_buf struct buf text = BUF_INIT(1 << 20);
    struct str in = {(const char *)data, n};
    struct authres r = authres_begin(&out, "mail.example.org");

    buf_append(&text, in);
    authres_add(&r, "spf", "pass", buf_c(&text));
    authres_property(&r, "smtp.mailfrom", in);
    authres_end(&r);
    assert(authres_is_of(buf_str(&out), "mail.example.org"));
    assert(!authres_is_of(buf_str(&out), "other.example.org"));
    for (size_t i = 0; i < out.n; i++) {
        unsigned char c = (unsigned char)out.p[i];

        assert((c >= 0x20 && c < 0x7f) || c == '\t' || c == '\n');
        assert(c != '\n' || (i + 1 < out.n && out.p[i + 1] == '\t'));
    }
    (void)authres_is_of(in, "mail.example.org"); /* only that it ends */
    return 0;
}
