/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/queued/reply.h"

#include "runtime/base/buf.h"

#include "mailstack/lib/proto/smtp_reply.h"
#include "mailstack/queued/message.h"

/* The status stands in every line of a long reply; once is enough. */
static void join(const struct smtp_reply *r, struct str status, struct buf *text)
{
    struct str all = r->all;
    struct str line;

    buf_printf(text, "%u", r->code);
    if (status.n) {
        buf_append_char(text, ' ');
        buf_append(text, status);
    }
    while (smtp_reply_line(&all, &line)) {
        struct str rest = line;

        if (status.n)
            (void)smtp_reply_status(r->code, line, &rest); /* cut off where it is there */
        rest = str_trim(rest);
        if (rest.n) {
            buf_append_char(text, ' ');
            buf_append(text, rest);
        }
    }
}

void reply_outcome(const struct smtp_reply *r, struct str remote, struct buf *text,
                   struct outcome *out)
{
    struct str rest;
    struct str status = smtp_reply_status(r->code, r->text, &rest);
    unsigned class = r->code / 100;

    join(r, status, text);
    *out = (struct outcome){
        .kind = class == 2   ? OUTCOME_SENT
                : class == 5 ? OUTCOME_PERM
                             : OUTCOME_TEMP,
        .state = QSTATE_RELAYED,
        .status = status,
        .remote = remote,
        .text = buf_str(text),
    };
    if (status.n == 0)
        out->status = class == 2 ? STR("2.0.0") : class == 5 ? STR("5.0.0") : STR("4.0.0");
}
