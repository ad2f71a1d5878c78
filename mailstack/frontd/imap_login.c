/* SPDX-License-Identifier: Apache-2.0 */
/* IMAP before login (RFC 3501 sections 6.1 and 6.2, SASL-IR RFC 4959, ID RFC 2971). */
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"

#include "mailstack/frontd/frontd.h"
#include "mailstack/lib/net/conn.h"
#include "mailstack/lib/proto/imap_parser.h"

#define COMMAND_MEMORY_MAX 262144
#define LITERAL_MAX        1024 /* of a user or password; CONT asks for no more */

static void capabilities(struct session *s)
{
    conn_write_c(s->client, "IMAP4rev1 LITERAL+ SASL-IR ID IDLE NAMESPACE UIDPLUS UNSELECT MOVE "
                            "SPECIAL-USE");
    if (!conn_has_tls(s->client))
        conn_write_c(s->client, " STARTTLS");
    conn_write_c(s->client, s->may_login ? " AUTH=PLAIN AUTH=LOGIN" : " LOGINDISABLED");
}

static void greet(struct session *s)
{
    conn_write_c(s->client, "* OK [CAPABILITY ");
    capabilities(s);
    conn_printf(s->client, "] %s ready\r\n", s->f->conf->hostname);
}

static void bye(struct session *s, const char *why)
{
    conn_printf(s->client, "* BYE %s\r\n", why);
}

static void tagged(struct session *s, const char *text)
{
    conn_printf(s->client, "%s %s\r\n", s->tag, text);
}

static void refuse(struct session *s, enum auth_verdict verdict)
{
    tagged(s, verdict == AUTH_NO ? "NO [AUTHENTICATIONFAILED] authentication failed"
                                 : "NO [UNAVAILABLE] cannot check logins now, try again later");
}

static void bad(struct session *s, const char *text)
{
    tagged(s, text);
    session_bad(s);
}

static bool may_login(struct session *s)
{
    if (!s->may_login)
        tagged(s, "NO [PRIVACYREQUIRED] log in under TLS only");
    return s->may_login;
}

/* --- commands --------------------------------------------------------------------------------- */

static void cmd_capability(struct session *s, const struct imap_cmd *cmd)
{
    (void)cmd;
    conn_write_c(s->client, "* CAPABILITY ");
    capabilities(s);
    conn_write_c(s->client, "\r\n");
    tagged(s, "OK capabilities listed");
}

static void cmd_noop(struct session *s, const struct imap_cmd *cmd)
{
    (void)cmd;
    tagged(s, "OK nothing done");
}

static void cmd_id(struct session *s, const struct imap_cmd *cmd)
{
    (void)cmd;
    conn_write_c(s->client, "* ID (\"name\" \"mailbox-run\")\r\n");
    tagged(s, "OK identified");
}

static void cmd_logout(struct session *s, const struct imap_cmd *cmd)
{
    (void)cmd;
    bye(s, "until next time");
    tagged(s, "OK logged out");
    session_finish(s);
}

static void cmd_starttls(struct session *s, const struct imap_cmd *cmd)
{
    (void)cmd;
    if (conn_has_tls(s->client)) {
        bad(s, "BAD TLS is in use already");
        return;
    }
    tagged(s, "OK begin the TLS handshake");
    session_starttls(s);
}

static void cmd_login(struct session *s, const struct imap_cmd *cmd)
{
    struct str user;
    struct str password;

    if (cmd->args_n != 2 || !imap_arg_astring(&cmd->args[0], &user) ||
        !imap_arg_astring(&cmd->args[1], &password) || user.n == 0 || user.n > SASL_VALUE_MAX ||
        password.n > SASL_VALUE_MAX || str_has_nul(user) || str_has_nul(password))
        bad(s, "BAD LOGIN takes a user and a password");
    else if (may_login(s))
        session_login(s, user, password);
}

static void ask(struct session *s)
{
    conn_printf(s->client, "+ %s\r\n", s->sasl.challenge);
}

static void sasl_failed(struct session *s, const struct err *err)
{
    conn_printf(s->client, "%s BAD %.*s\r\n", s->tag, err_plain_n(err), err->text);
    session_bad(s);
}

static void cmd_authenticate(struct session *s, const struct imap_cmd *cmd)
{
    enum sasl_mech mech;
    struct str initial = STR_NONE;
    struct str name;
    struct err err = {0};

    if (cmd->args_n < 1 || cmd->args_n > 2 || !imap_arg_atom(&cmd->args[0], &name) ||
        (cmd->args_n == 2 && !imap_arg_atom(&cmd->args[1], &initial))) {
        bad(s, "BAD AUTHENTICATE takes a mechanism");
        return;
    }
    if (!sasl_mech_parse(name, &mech)) {
        tagged(s, "NO [CANNOT] that mechanism is not offered");
        return;
    }
    if (!may_login(s))
        return;
    if (!session_sasl(s, sasl_begin(&s->sasl, mech, initial, &err), ask))
        sasl_failed(s, &err);
}

static const struct {
    const char *name;
    void (*fn)(struct session *s, const struct imap_cmd *cmd);
} commands[] = {
    {"CAPABILITY", cmd_capability},
    {"NOOP", cmd_noop},
    {"ID", cmd_id},
    {"LOGOUT", cmd_logout},
    {"STARTTLS", cmd_starttls},
    {"LOGIN", cmd_login},
    {"AUTHENTICATE", cmd_authenticate},
};

static void run(struct session *s, const struct imap_cmd *cmd)
{
    for (size_t i = 0; i < ARRAY_N(commands); i++) {
        if (str_ieq_c(cmd->name, commands[i].name) && !cmd->uid) {
            commands[i].fn(s, cmd);
            return;
        }
    }
    bad(s, "BAD unknown command, or not before login");
}

/* --- input ------------------------------------------------------------------------------------ */

/* One line of an AUTHENTICATE exchange. */
static bool take_response(struct session *s)
{
    struct str in = conn_in(s->client);
    ptrdiff_t lf = str_find(in, '\n');
    struct err err = {0};

    if (lf < 0) {
        if (in.n < SASL_RESPONSE_MAX + 2)
            return false;
        bye(s, "a response too long");
        session_finish(s);
        return false;
    }
    struct str line = str_trim_set(str_head(in, (size_t)lf), "\r");
    enum sasl_result r = sasl_feed(&s->sasl, line, &err);

    conn_consume(s->client, (size_t)lf + 1);
    if (!session_sasl(s, r, ask))
        sasl_failed(s, &err);
    return true;
}

/* PARSE-like: the length of a whole command, 0 while there is none, or the end of the session. */
static size_t whole_command(struct session *s)
{
    struct imap_scan scan = {0};
    struct err err = {0};

    for (;;) {
        enum imap_scan_result r = imap_scan(&scan, conn_in(s->client), &err);

        if (r == IMAP_SCAN_DONE)
            return scan.at;
        if (r == IMAP_SCAN_MORE && conn_in(s->client).n < FRONTD_IN_MAX)
            return 0;
        if (r == IMAP_SCAN_LITERAL && scan.literal_n <= LITERAL_MAX) {
            /* Asked for once: when nothing of it, or of what follows, has come. */
            if (scan.literal_sync && scan.at == conn_in(s->client).n)
                conn_write_c(s->client, "+ go on\r\n");
            continue;
        }
        bye(s, r == IMAP_SCAN_ERROR ? err.text : "a command too long before login");
        session_finish(s);
        return 0;
    }
}

static void keep_tag(struct session *s, struct str tag)
{
    tag = str_head(tag.n ? tag : STR("*"), FRONTD_TAG_MAX);
    memcpy(s->tag, tag.p, tag.n);
    s->tag[tag.n] = '\0';
}

static bool input(struct session *s)
{
    if (s->in_sasl)
        return take_response(s);
    size_t n = whole_command(s);
    struct err err = {0};
    struct imap_cmd cmd;

    if (n == 0)
        return false;
    struct arena *a = arena_new(COMMAND_MEMORY_MAX);
    int parsed = imap_parse(str_head(conn_in(s->client), n), a, &cmd, &err);

    keep_tag(s, cmd.tag);
    if (parsed < 0) {
        conn_printf(s->client, "%s BAD %.*s\r\n", s->tag, err_plain_n(&err), err.text);
        session_bad(s);
    } else {
        run(s, &cmd);
    }
    arena_free(a);
    conn_consume(s->client, n);
    return true;
}

const struct login_proto imap_login = {
    .service = "imap",
    .greet = greet,
    .input = input,
    .refuse = refuse,
    .bye = bye,
};
