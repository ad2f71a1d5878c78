/* SPDX-License-Identifier: Apache-2.0 */
/* RSET, NOOP, VRFY, EXPN, HELP, QUIT. */
#include "mailstack/smtpd/cmd.h"
#include "mailstack/smtpd/conf.h"
#include "mailstack/smtpd/session.h"
#include "mailstack/smtpd/smtpd.h"

void cmd_rset(struct session *s, struct str args)
{
    if (args.n) {
        session_bad(s, "501 5.5.4 RSET takes no argument");
        return;
    }
    session_reset(s);
    session_reply(s, "250 2.0.0 done");
}

void cmd_noop(struct session *s, struct str args)
{
    (void)args; /* RFC 5321 section 4.1.1.9: ignored */
    session_reply(s, "250 2.0.0 nothing done");
}

/* Nobody learns from these who has a mailbox here. */
void cmd_vrfy(struct session *s, struct str args)
{
    (void)args;
    session_reply(s, "252 2.0.0 send a message and see");
}

void cmd_expn(struct session *s, struct str args)
{
    (void)args;
    session_reply(s, "502 5.5.1 lists are not shown");
}

void cmd_help(struct session *s, struct str args)
{
    (void)args;
    session_reply(s, "214 2.0.0 see RFC 5321");
}

void cmd_quit(struct session *s, struct str args)
{
    if (args.n) {
        session_bad(s, "501 5.5.4 QUIT takes no argument");
        return;
    }
    session_reply(s, "221 2.0.0 %s goodbye", s->d->conf->hostname);
    session_finish(s);
}
