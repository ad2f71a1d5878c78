/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/filterd/session.h"

#include <arpa/inet.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/counter.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/own.h"

#include "mailstack/filterd/answer.h"

#define CHANGES (MILTER_F_ADD_HEADER | MILTER_F_CHANGE_HEADER)
/* What we need not be told, need not answer, and how header values shall come. */
#define PROTOCOL                                                                       \
    (MILTER_P_NO_RCPT | MILTER_P_NO_DATA | MILTER_P_NO_UNKNOWN | MILTER_P_NR_CONNECT | \
     MILTER_P_NR_HELO | MILTER_P_NR_MAIL | MILTER_P_NR_RCPT | MILTER_P_NR_DATA |       \
     MILTER_P_NR_UNKNOWN | MILTER_P_NR_HEADER | MILTER_P_NR_EOH | MILTER_P_NR_BODY |   \
     MILTER_P_LEADING_SPACE)
#define VERSION_MIN 2

static void keep(struct session_text *t, struct str s)
{
    s = str_head(s, sizeof(t->p));
    if (s.n > 0)
        memcpy(t->p, s.p, s.n);
    t->n = s.n;
}

static struct str text_of(const struct session_text *t)
{
    return (struct str){t->p, t->n};
}

void session_init(struct session *s, const struct message_env *env,
                  const struct session_counters *counters)
{
    *s = (struct session){.env = env, .counters = counters};
    list_init(&s->node);
}

static void forget_message(struct session *s)
{
    message_free(s->message);
    s->message = NULL;
    s->judging = false;
    s->sender.n = 0;
    s->user.n = 0;
    s->id.n = 0;
}

static void forget_client(struct session *s)
{
    forget_message(s);
    s->addr_n = 0;
    s->name.n = 0;
    s->helo.n = 0;
}

void session_done(struct session *s)
{
    forget_client(s);
}

static void fail(struct session *s, const char *why)
{
    log_warn("filter.protocol", LOG_S("error", why));
    s->over = true;
}

/* --- the client --------------------------------------------------------------------------------
 */

static void on_options(struct session *s, const struct milter_packet *p)
{
    own_buf struct buf out = BUF_INIT(64);
    struct milter_options o;
    struct err err = {0};

    if (milter_read_options(p, &o, &err) < 0) {
        fail(s, err.text);
        return;
    }
    if (o.version < VERSION_MIN || (o.changes & CHANGES) != CHANGES) {
        fail(s, "the MTA does not let headers be changed");
        return;
    }
    s->options = (struct milter_options){
        .version = o.version < MILTER_VERSION ? o.version : MILTER_VERSION,
        .changes = CHANGES,
        .protocol = o.protocol & PROTOCOL,
    };
    s->negotiated = true;
    milter_format_options(&out, &s->options);
    s->send(s, buf_str(&out));
}

static void take_addr(struct session *s, struct str addr)
{
    char c[INET6_ADDRSTRLEN] = "";
    size_t n = addr.n < sizeof(c) - 1 ? addr.n : sizeof(c) - 1;

    if (n > 0)
        memcpy(c, addr.p, n);
    if (inet_pton(AF_INET, c, s->addr) == 1)
        s->addr_n = 4;
    else if (inet_pton(AF_INET6, c, s->addr) == 1)
        s->addr_n = 16;
}

static void on_connect(struct session *s, const struct milter_packet *p)
{
    struct milter_connect c;
    struct err err = {0};

    forget_client(s);
    if (milter_read_connect(p, &c, &err) < 0) {
        fail(s, err.text);
        return;
    }
    keep(&s->name, c.host);
    if (c.family == MILTER_FAMILY_4 || c.family == MILTER_FAMILY_6)
        take_addr(s, c.addr);
}

static void on_helo(struct session *s, const struct milter_packet *p)
{
    struct err err = {0};
    struct str text;

    if (milter_read_text(p, &text, &err) < 0)
        fail(s, err.text);
    else
        keep(&s->helo, text);
}

/* Macros are told in front of the command they belong to. */
static void on_macros(struct session *s, const struct milter_packet *p)
{
    struct milter_macros m;
    struct err err = {0};
    struct str name, value;

    if (milter_read_macros(p, &m, &err) < 0) {
        fail(s, err.text);
        return;
    }
    if (m.command == MILTER_MAIL)
        forget_message(s); /* a login counts only if it is said anew */
    while (milter_next_macro(&m, &name, &value)) {
        if (m.command == MILTER_MAIL && str_eq_c(name, "{auth_authen}"))
            keep(&s->user, value);
        else if (str_eq_c(name, "i"))
            keep(&s->id, value);
        else if (s->addr_n == 0 && str_eq_c(name, "{client_addr}"))
            take_addr(s, value);
    }
}

/* --- a message ---------------------------------------------------------------------------------
 */

static void on_mail(struct session *s, const struct milter_packet *p)
{
    struct milter_path path;
    struct err err = {0};
    struct str sender;

    if (milter_read_path(p, &path, &err) < 0) {
        fail(s, err.text);
        return;
    }
    message_free(s->message);
    sender = path.path;
    if (str_starts(sender, STR("<")) && str_ends(sender, STR(">")))
        sender = str_sub(sender, 1, sender.n - 2);
    keep(&s->sender, sender);
    struct message_facts facts = {
        .sender = text_of(&s->sender),
        .helo = text_of(&s->helo),
        .addr = s->addr,
        .addr_n = s->addr_n,
        .submitted = s->user.n > 0,
    };

    s->message = message_new(s->env, &facts);
}

static void on_header(struct session *s, const struct milter_packet *p)
{
    own_buf struct buf value = BUF_INIT(MILTER_PACKET_MAX + 1);
    struct milter_pair h;
    struct err err = {0};

    if (milter_read_header(p, &h, &err) < 0) {
        fail(s, err.text);
        return;
    }
    if (s->message->header_over) {
        fail(s, "a header field behind the header");
        return;
    }
    if (!(s->options.protocol & MILTER_P_LEADING_SPACE)) {
        buf_append_char(&value, ' ');
        buf_append(&value, h.value);
        h.value = buf_str(&value);
    }
    message_field(s->message, h.name, h.value);
}

static void on_header_end(struct session *s, const struct milter_packet *p)
{
    (void)p;
    if (s->message->header_over)
        fail(s, "the header ends twice");
    else
        message_header_end(s->message);
}

/* An MTA may leave the end of the header out. */
static void on_body(struct session *s, const struct milter_packet *p)
{
    if (!s->message->header_over)
        message_header_end(s->message);
    message_body(s->message, p->data);
}

static const char *dkim_summary(const struct message *m)
{
    enum dkim_result best = DKIM_NONE;

    for (size_t i = 0; i < m->dkim.n; i++)
        if (best != DKIM_PASS && (m->dkim.at[i].result == DKIM_PASS || i == 0))
            best = m->dkim.at[i].result;
    return dkim_result_name(best);
}

static void log_message(const struct session *s, const struct message *m)
{
    char addr[INET6_ADDRSTRLEN] = "";

    if (s->addr_n > 0)
        (void)inet_ntop(s->addr_n == 4 ? AF_INET : AF_INET6, s->addr, addr, sizeof(addr));
    if (m->facts.submitted)
        log_info("filter.submitted", LOG_STR("id", text_of(&s->id)),
                 LOG_STR("from", m->facts.sender), LOG_STR("user", text_of(&s->user)),
                 LOG_U("bytes", m->raw.n + 2 + m->body_n), LOG_U("signatures", m->sign.n),
                 LOG_S("action", message_action_name(m->action)),
                 LOG_S("why", m->why ? m->why : "-"));
    else
        log_info("filter.message", LOG_STR("id", text_of(&s->id)), LOG_STR("from", m->facts.sender),
                 LOG_S("client", addr), LOG_U("bytes", m->raw.n + 2 + m->body_n),
                 LOG_S("spf", spf_result_name(m->spf.result)), LOG_S("dkim", dkim_summary(m)),
                 LOG_S("dmarc", dmarc_result_name(m->dmarc.result)),
                 LOG_S("action", message_action_name(m->action)),
                 LOG_S("why", m->why ? m->why : "-"));
}

static void count_message(const struct session *s, const struct message *m)
{
    counter_add(s->counters->messages, 1);
    counter_add(s->counters->junk, m->action == MESSAGE_JUNK);
    counter_add(s->counters->rejected, m->action == MESSAGE_REJECT);
    counter_add(s->counters->signed_, m->sign.n > 0 && m->action != MESSAGE_REJECT);
}

static void on_judged(struct message *m, void *ctx)
{
    own_buf struct buf out = BUF_INIT(ANSWER_MAX);
    struct session *s = ctx;
    struct err err = {0};

    if (answer_format(m, s->options.protocol & MILTER_P_LEADING_SPACE, &out, &err) < 0) {
        log_error("filter.failed", LOG_STR("id", text_of(&s->id)), LOG_S("error", err.text));
        buf_reset(&out);
        milter_format(&out, MILTER_TEMPFAIL, STR_NONE);
    }
    log_message(s, m);
    count_message(s, m);
    forget_message(s);
    s->send(s, buf_str(&out));
    s->judged(s);
}

static void on_message_end(struct session *s, const struct milter_packet *p)
{
    on_body(s, p); /* the last piece may come with it */
    s->judging = true;
    message_end(s->message, on_judged, s);
}

/* --- commands ----------------------------------------------------------------------------------
 */

static void on_abort(struct session *s, const struct milter_packet *p)
{
    (void)p;
    forget_message(s);
}

static void on_next_client(struct session *s, const struct milter_packet *p)
{
    (void)p;
    forget_client(s);
}

static void on_quit(struct session *s, const struct milter_packet *p)
{
    (void)p;
    s->over = true;
}

static void on_nothing(struct session *s, const struct milter_packet *p)
{
    (void)s;
    (void)p;
}

static const struct {
    char command;
    bool answered; /* with "continue", unless that was negotiated away */
    bool in_message;
    void (*fn)(struct session *s, const struct milter_packet *p);
} commands[] = {
    {MILTER_OPTNEG, false, false, on_options},
    {MILTER_CONNECT, true, false, on_connect},
    {MILTER_HELO, true, false, on_helo},
    {MILTER_MACRO, false, false, on_macros},
    {MILTER_MAIL, true, false, on_mail},
    {MILTER_RCPT, true, false, on_nothing},
    {MILTER_DATA, true, false, on_nothing},
    {MILTER_UNKNOWN, true, false, on_nothing},
    {MILTER_HEADER, true, true, on_header},
    {MILTER_EOH, true, true, on_header_end},
    {MILTER_BODY, true, true, on_body},
    {MILTER_EOM, false, true, on_message_end},
    {MILTER_ABORT, false, false, on_abort},
    {MILTER_QUIT, false, false, on_quit},
    {MILTER_QUIT_NC, false, false, on_next_client},
};

static void answer_continue(struct session *s, char command)
{
    own_buf struct buf out = BUF_INIT(16);

    if (s->options.protocol & milter_no_reply_bit(command))
        return;
    milter_format(&out, MILTER_CONTINUE, STR_NONE);
    s->send(s, buf_str(&out));
}

void session_take(struct session *s, const struct milter_packet *p)
{
    for (size_t i = 0; i < ARRAY_N(commands); i++) {
        if (commands[i].command != p->command)
            continue;
        if (!s->negotiated && p->command != MILTER_OPTNEG && p->command != MILTER_QUIT)
            fail(s, "a command in front of the negotiation");
        else if (commands[i].in_message && s->message == NULL)
            fail(s, "a piece of a message without MAIL");
        else
            commands[i].fn(s, p);
        if (!s->over && commands[i].answered)
            answer_continue(s, p->command);
        return;
    }
    fail(s, "an unknown command");
}
