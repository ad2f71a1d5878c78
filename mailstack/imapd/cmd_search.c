/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SEARCH (RFC 3501, 6.4.4).
 */
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"

#include "mailstack/imapd/cmd.h"
#include "mailstack/imapd/search.h"
#include "mailstack/imapd/session.h"

/* Messages are looked at in one go: this process serves no other user. */
static void answer(struct session *s, const struct search_key *key)
{
    struct buf *out = session_out(s);

    buf_append_c(out, "* SEARCH");
    for (size_t i = 0; i < s->view.n; i++)
        if (search_matches(s, key, i))
            buf_printf(out, " %zu", s->cmd.uid ? s->view.v[i].uid : i + 1);
    buf_append_c(out, "\r\n");
    session_ok(s, "searched");
}

void cmd_search(struct session *s, const struct imap_cmd *c)
{
    const struct search_key *key = NULL;

    switch (search_parse(s, c->args, c->args_n, &key)) {
    case SEARCH_OK:
        answer(s, key);
        break;
    case SEARCH_SYNTAX:
        session_bad(s, "not a search key");
        break;
    case SEARCH_CHARSET:
        session_no(s, "[BADCHARSET (UTF-8 US-ASCII)] charset is not supported");
        break;
    }
}
