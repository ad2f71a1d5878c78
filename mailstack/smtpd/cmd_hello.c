/* SPDX-License-Identifier: Apache-2.0 */
/* HELO, EHLO, STARTTLS. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "mailstack/lib/net/conn.h"
#include "mailstack/lib/proto/smtp_cmd.h"
#include "mailstack/smtpd/cmd.h"
#include "mailstack/smtpd/conf.h"
#include "mailstack/smtpd/session.h"
#include "mailstack/smtpd/smtpd.h"

static bool take_name(struct session *s, struct str args)
{
    if (!smtp_is_helo_name(args)) {
        session_bad(s, "501 5.5.4 expected your name");
        return false;
    }
    session_reset(s);
    memcpy(s->helo, args.p, args.n);
    s->helo[args.n] = '\0';
    return true;
}

void cmd_helo(struct session *s, struct str args)
{
    if (!take_name(s, args))
        return;
    s->is_extended = false;
    session_reply(s, "250 %s", s->d->conf->hostname);
}

void cmd_ehlo(struct session *s, struct str args)
{
    if (!take_name(s, args))
        return;
    s->is_extended = true;
    session_reply(s, "250-%s", s->d->conf->hostname);
    conn_printf(s->conn,
                "250-PIPELINING\r\n250-SIZE %" PRIu64 "\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
                "250-CHUNKING\r\n",
                s->d->conf->message_size);
    if (s->d->queue)
        conn_write_c(s->conn, "250-DSN\r\n");
    if (!s->tls[0])
        conn_write_c(s->conn, "250-STARTTLS\r\n");
    if (session_may_login(s) && !s->user[0])
        conn_write_c(s->conn, "250-AUTH PLAIN LOGIN\r\n");
    conn_write_c(s->conn, "250 ENHANCEDSTATUSCODES\r\n");
}

/* What is pipelined behind it is thrown away by conn_start_tls. */
void cmd_starttls(struct session *s, struct str args)
{
    if (args.n) {
        session_bad(s, "501 5.5.4 STARTTLS takes no argument");
        return;
    }
    if (s->tls[0]) {
        session_bad(s, "503 5.5.1 TLS is in use already");
        return;
    }
    session_reply(s, "220 2.0.0 begin the TLS handshake");
    conn_deadline(s->conn, SESSION_HANDSHAKE_MS);
    conn_start_tls(s->conn, s->d->tls, NULL);
}
