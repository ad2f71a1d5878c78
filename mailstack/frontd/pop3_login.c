/* SPDX-License-Identifier: Apache-2.0 */
/* POP3 before login (RFC 1939 section 4, CAPA RFC 2449, STLS RFC 2595, AUTH RFC 5034). */
#include <string.h>

#include "runtime/base/err.h"

#include "mailstack/frontd/frontd.h"
#include "mailstack/lib/net/conn.h"
#include "mailstack/lib/proto/pop3_cmd.h"

static void say(struct session *s, const char *line)
{
    conn_printf(s->client, "%s\r\n", line);
}

static void greet(struct session *s)
{
    conn_printf(s->client, "+OK %s ready\r\n", s->f->conf->hostname);
}

static void bye(struct session *s, const char *why)
{
    conn_printf(s->client, "-ERR %s\r\n", why);
}

static void refuse(struct session *s, enum auth_verdict verdict)
{
    say(s, verdict == AUTH_NO ? "-ERR [AUTH] authentication failed"
                              : "-ERR [SYS/TEMP] cannot check logins now, try again later");
}

static void bad(struct session *s, const char *text)
{
    say(s, text);
    session_bad(s);
}

static bool may_login(struct session *s)
{
    if (!s->may_login)
        say(s, "-ERR log in under TLS only");
    return s->may_login;
}

static void cmd_capa(struct session *s, const struct pop3_cmd *cmd)
{
    (void)cmd;
    say(s, "+OK capabilities follow\r\nTOP\r\nUIDL\r\nPIPELINING\r\nRESP-CODES\r\nAUTH-RESP-CODE");
    if (!conn_has_tls(s->client))
        say(s, "STLS");
    if (s->may_login)
        say(s, "USER\r\nSASL PLAIN LOGIN");
    say(s, "IMPLEMENTATION mailbox-run\r\n.");
}

static void cmd_stls(struct session *s, const struct pop3_cmd *cmd)
{
    (void)cmd;
    if (conn_has_tls(s->client)) {
        bad(s, "-ERR TLS is in use already");
        return;
    }
    say(s, "+OK begin the TLS handshake");
    session_starttls(s);
}

static void cmd_user(struct session *s, const struct pop3_cmd *cmd)
{
    if (!may_login(s))
        return;
    if (cmd->rest.n == 0 || cmd->rest.n > SASL_VALUE_MAX) {
        bad(s, "-ERR USER takes a name");
        return;
    }
    memcpy(s->user, cmd->rest.p, cmd->rest.n);
    s->user[cmd->rest.n] = '\0';
    say(s, "+OK now the password");
}

static void cmd_pass(struct session *s, const struct pop3_cmd *cmd)
{
    if (!may_login(s))
        return;
    if (!s->user[0] || cmd->rest.n > SASL_VALUE_MAX) {
        bad(s, s->user[0] ? "-ERR a password too long" : "-ERR USER comes first");
        return;
    }
    session_login(s, str_of(s->user), cmd->rest);
    s->user[0] = '\0';
}

static void ask(struct session *s)
{
    conn_printf(s->client, "+ %s\r\n", s->sasl.challenge);
}

static void sasl_failed(struct session *s, const struct err *err)
{
    conn_printf(s->client, "-ERR %.*s\r\n", err_plain_n(err), err->text);
    session_bad(s);
}

static void cmd_auth(struct session *s, const struct pop3_cmd *cmd)
{
    struct str initial = cmd->args_n == 2 ? cmd->args[1] : STR_NONE;
    enum sasl_mech mech;
    struct err err = {0};

    if (cmd->args_n == 0) {
        say(s, "+OK mechanisms follow\r\nPLAIN\r\nLOGIN\r\n.");
        return;
    }
    if (!sasl_mech_parse(cmd->args[0], &mech)) {
        bad(s, "-ERR that mechanism is not offered");
        return;
    }
    if (may_login(s) && !session_sasl(s, sasl_begin(&s->sasl, mech, initial, &err), ask))
        sasl_failed(s, &err);
}

static void cmd_quit(struct session *s, const struct pop3_cmd *cmd)
{
    (void)cmd;
    say(s, "+OK until next time");
    session_finish(s);
}

static const struct {
    const char *name;
    void (*fn)(struct session *s, const struct pop3_cmd *cmd);
} commands[] = {
    {"CAPA", cmd_capa}, {"STLS", cmd_stls}, {"USER", cmd_user},
    {"PASS", cmd_pass}, {"AUTH", cmd_auth}, {"QUIT", cmd_quit},
};

static void run(struct session *s, const struct pop3_cmd *cmd)
{
    for (size_t i = 0; i < ARRAY_N(commands); i++) {
        if (str_ieq_c(cmd->verb, commands[i].name)) {
            commands[i].fn(s, cmd);
            return;
        }
    }
    bad(s, "-ERR unknown command, or not before login");
}

static bool take_line(struct session *s, const struct pop3_cmd *cmd, size_t used)
{
    struct str line = str_head(conn_in(s->client), used - 2);
    struct err err = {0};

    if (!s->in_sasl) {
        run(s, cmd);
    } else if (!session_sasl(s, sasl_feed(&s->sasl, line, &err), ask)) {
        sasl_failed(s, &err);
    }
    conn_consume(s->client, used);
    return true;
}

static bool input(struct session *s)
{
    struct pop3_cmd cmd;
    struct err err = {0};
    size_t used;

    switch (pop3_cmd_parse(conn_in(s->client), &cmd, &used, &err)) {
    case PARSE_MORE:
        return false;
    case PARSE_DONE:
        return take_line(s, &cmd, used);
    case PARSE_ERROR:
        break;
    }
    bye(s, err.text);
    if (used == 0) {
        session_finish(s);
        return false;
    }
    conn_consume(s->client, used);
    session_bad(s);
    return true;
}

const struct login_proto pop3_login = {
    .service = "pop3",
    .greet = greet,
    .input = input,
    .refuse = refuse,
    .bye = bye,
};
