/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/proto/handoff.h"

#include <errno.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/num.h"

#define VERSION 1

enum tag {
    TAG_USER = 1,
    TAG_REMOTE,
    TAG_TAG,
    TAG_INPUT,
    TAG_QUOTA,
    TAG_TLS,
    TAG_N
};

/* A field's length has two bytes; the input behind a login may fill them. */
#define FIELD_MAX 65535

static void put(struct buf *to, enum tag tag, struct str value)
{
    if (value.n > FIELD_MAX) {
        to->failed = true;
        return;
    }
    buf_append_u8(to, (uint8_t)tag);
    buf_append_be16(to, (uint16_t)value.n);
    buf_append(to, value);
}

void handoff_format(const struct handoff *h, struct buf *out)
{
    struct buf number = BUF_INIT(NUM_TEXT_MAX);

    buf_append_u8(out, VERSION);
    put(out, TAG_USER, h->user);
    put(out, TAG_REMOTE, h->remote);
    put(out, TAG_TAG, h->tag);
    put(out, TAG_INPUT, h->input);
    buf_printf(&number, "%llu", (unsigned long long)h->quota);
    put(out, TAG_QUOTA, buf_str(&number));
    put(out, TAG_TLS, h->tls ? STR("1") : STR("0"));
    buf_done(&number);
}

static int next(struct str *in, unsigned *tag, struct str *value, struct err *err)
{
    if (in->n < 3)
        return err_set(err, EBADMSG, "hand-off: cut short");
    size_t n = (size_t)(unsigned char)in->p[1] << 8 | (unsigned char)in->p[2];

    *tag = (unsigned char)in->p[0];
    *in = str_skip(*in, 3);
    if (n > in->n)
        return err_set(err, EBADMSG, "hand-off: cut short");
    *value = str_head(*in, n);
    *in = str_skip(*in, n);
    return 0;
}

static int take(unsigned tag, struct str v, struct handoff *out, struct err *err)
{
    switch (tag) {
    case TAG_USER:
        out->user = v;
        return 0;
    case TAG_REMOTE:
        out->remote = v;
        return 0;
    case TAG_TAG:
        out->tag = v;
        return 0;
    case TAG_INPUT:
        out->input = v;
        return 0;
    case TAG_QUOTA:
        return num_parse_u64(v, 0, UINT64_MAX, &out->quota, err);
    default: /* TAG_TLS; others were refused */
        out->tls = str_eq_c(v, "1");
        return 0;
    }
}

int handoff_parse(struct str in, struct handoff *out, struct err *err)
{
    struct handoff h = {.quota = 0};
    unsigned seen = 0;

    if (in.n < 1 || in.n > HANDOFF_MAX || in.p[0] != VERSION)
        return err_set(err, EBADMSG, "hand-off: not a message of version %d", VERSION);
    in = str_skip(in, 1);
    while (in.n) {
        unsigned tag = 0;
        struct str value = STR_NONE;

        if (next(&in, &tag, &value, err) < 0)
            return -1;
        if (tag < TAG_USER || tag >= TAG_N || seen & 1u << tag)
            return err_set(err, EBADMSG, "hand-off: unknown or repeated field %u", tag);
        seen |= 1u << tag;
        if (take(tag, value, &h, err) < 0)
            return err_wrap(err, "hand-off");
    }
    if (h.user.n == 0)
        return err_set(err, EBADMSG, "hand-off: no user");
    *out = h;
    return 0;
}
