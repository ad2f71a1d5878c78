/* SPDX-License-Identifier: Apache-2.0 */
/* What is taken can be put on another command line as it is. */
#include <assert.h>
#include <stdint.h>

#include "runtime/base/err.h"

#include "mailstack/lib/proto/smtp_param.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_word(struct str s, size_t max)
{
    assert(s.n <= max);
    for (size_t i = 0; i < s.n; i++)
        assert(s.p[i] > ' ' && s.p[i] < 0x7f && s.p[i] != '=');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str in = {(const char *)data, n};
    struct smtp_mail m;
    struct smtp_rcpt r;
    struct err err = {0};
    char text[SMTP_NOTIFY_TEXT_MAX];

    if (smtp_mail_parse(in, &m, &err) == 0) {
        assert(m.size <= INT64_MAX);
        assert(m.is_utf8 || str_is_ascii(smtp_path_str(&m.from)));
        check_word(m.envid, SMTP_ENVID_MAX);
    }
    for (int utf8 = 0; utf8 < 2; utf8++) {
        if (smtp_rcpt_parse(in, utf8, &r, &err) < 0)
            continue;
        assert(r.to.n && (utf8 || str_is_ascii(smtp_path_str(&r.to))));
        assert(r.notify == SMTP_NOTIFY_NEVER || !(r.notify & SMTP_NOTIFY_NEVER));
        check_word(r.orcpt, SMTP_ORCPT_MAX);
        smtp_notify_format(r.notify, text);
    }
    return 0;
}
