/* SPDX-License-Identifier: Apache-2.0 */
/* Tags look into the text, names are unique, and what was read is read again from its pieces. */
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/dkim_tags.h"
#include "mailstack/lib/mail/dmarc.h"

#undef NDEBUG
#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_tags(struct str in, const struct dkim_tags *t)
{
    own_buf struct buf text = BUF_INIT(1 << 20);
    struct dkim_tags again;
    struct err err = {0};

    for (size_t i = 0; i < t->n; i++) {
        const struct dkim_tag *tag = &t->at[i];

        assert(tag->whole.p >= in.p && tag->whole.p + tag->whole.n <= in.p + in.n);
        assert(tag->value.n <= tag->whole.n);
        buf_append(&text, tag->name);
        buf_append_char(&text, '=');
        buf_append(&text, tag->value);
        buf_append_char(&text, ';');
    }
    assert(dkim_tags_parse(buf_str(&text), &again, &err) == 0 && again.n == t->n);
    for (size_t i = 0; i < t->n; i++) {
        assert(str_eq(again.at[i].name, t->at[i].name));
        assert(str_eq(again.at[i].value, t->at[i].value));
    }
}

static void check_dmarc(struct str in)
{
    struct dmarc_record r;
    struct err err = {0};
    int walk = 1;

    if (dmarc_parse(in, &r, &err) == 0)
        assert(r.policy > DMARC_NO_POLICY && r.subdomains > DMARC_NO_POLICY &&
               r.nonexistent > DMARC_NO_POLICY);
    for (struct str at = in; at.n > 0; at = dmarc_walk_next(at))
        assert(walk++ <= DMARC_WALK_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str in = {(const char *)data, n};
    struct dkim_tags t;
    struct err err = {0};

    if (dkim_tags_parse(in, &t, &err) == 0)
        check_tags(in, &t);
    else
        assert(err.text[0] != '\0');
    check_dmarc(in);
    return 0;
}
