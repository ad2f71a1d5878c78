/* SPDX-License-Identifier: Apache-2.0 */
/*
 * STAT, LIST, UIDL: what there is. A message marked as deleted is left out of all of them.
 */
#include "mailstack/lib/store/mailbox.h"
#include "mailstack/pop3d/cmd.h"
#include "mailstack/pop3d/session.h"

void cmd_stat(struct session *s, const struct pop3_cmd *c)
{
    unsigned long long bytes = 0;
    size_t n = 0;

    (void)c;
    for (size_t i = 0; i < s->n; i++) {
        if (s->v[i].deleted)
            continue;
        bytes += s->v[i].vsize;
        n++;
    }
    session_ok(s, "%zu %llu", n, bytes);
}

void cmd_list(struct session *s, const struct pop3_cmd *c)
{
    const struct session_msg *one;

    if (c->args_n == 1) {
        one = session_msg(s, c, 0);
        if (one != NULL)
            session_ok(s, "%zu %llu", (size_t)(one - s->v) + 1, (unsigned long long)one->vsize);
        return;
    }
    session_ok(s, "scan listing follows");
    for (size_t i = 0; i < s->n; i++)
        if (!s->v[i].deleted)
            session_line(s, "%zu %llu", i + 1, (unsigned long long)s->v[i].vsize);
    session_line(s, ".");
}

/* UID and UIDVALIDITY, as Dovecot's default has them: unique for ever in this maildrop. */
void cmd_uidl(struct session *s, const struct pop3_cmd *c)
{
    unsigned validity = s->mailbox->validity;
    const struct session_msg *one;

    if (c->args_n == 1) {
        one = session_msg(s, c, 0);
        if (one != NULL)
            session_ok(s, "%zu %08x%08x", (size_t)(one - s->v) + 1, one->uid, validity);
        return;
    }
    session_ok(s, "unique-id listing follows");
    for (size_t i = 0; i < s->n; i++)
        if (!s->v[i].deleted)
            session_line(s, "%zu %08x%08x", i + 1, s->v[i].uid, validity);
    session_line(s, ".");
}
