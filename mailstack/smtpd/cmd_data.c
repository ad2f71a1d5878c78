/* SPDX-License-Identifier: Apache-2.0 */
/* DATA and BDAT (RFC 3030). */
#include "runtime/base/err.h"

#include "mailstack/lib/proto/smtp_cmd.h"
#include "mailstack/smtpd/cmd.h"
#include "mailstack/smtpd/session.h"
#include "mailstack/smtpd/txn.h"

void cmd_data(struct session *s, struct str args)
{
    if (args.n) {
        session_bad(s, "501 5.5.4 DATA takes no argument");
        return;
    }
    if (!s->txn) {
        session_bad(s, "503 5.5.1 MAIL first");
        return;
    }
    if (s->txn->rcpts_n == 0) {
        session_bad(s, "554 5.5.1 no valid recipients");
        return;
    }
    session_reply(s, "354 send the message, end with a dot on a line by itself");
    content_begin_data(s);
}

void cmd_bdat(struct session *s, struct str args)
{
    uint64_t size;
    bool is_last;
    struct err err = {0};

    /* Where the chunk ends is not known: nothing behind it can be understood. */
    if (smtp_bdat_parse(args, &size, &is_last, &err) < 0) {
        session_reply(s, "501 5.5.4 %.*s", err_plain_n(&err), err.text);
        session_finish(s);
        return;
    }
    s->chunk_is_void = !s->txn || s->txn->rcpts_n == 0;
    content_begin_chunk(s, size, is_last);
}
