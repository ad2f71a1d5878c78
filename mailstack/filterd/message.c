/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/filterd/message.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"

#include "mailstack/filterd/conf.h"
#include "mailstack/lib/mail/address.h"

#define FIELDS_FIRST 64

const char *message_action_name(enum message_action a)
{
    static const char *const names[] = {
        [MESSAGE_ACCEPT] = "accept", [MESSAGE_JUNK] = "junk", [MESSAGE_REJECT] = "reject"};

    return names[a];
}

struct message *message_new(const struct message_env *env, const struct message_facts *facts)
{
    struct message *m = mem_type(struct message);

    m->env = env;
    m->facts = *facts;
    m->arena = arena_new(MESSAGE_MEMORY_MAX);
    buf_init(&m->raw, MESSAGE_HEADER_MAX);
    lookup_init(&m->lookup, m->arena);
    return m;
}

void message_free(struct message *m)
{
    if (m == NULL)
        return;
    *m->env->held_n -= m->held_n;
    lookup_cancel(&m->lookup);
    bodyscan_done(&m->scan);
    dkim_sign_done(&m->sign);
    dkim_verify_done(&m->dkim);
    arena_free(m->arena);
    buf_done(&m->raw);
    free(m->fields);
    free(m);
}

/* --- the header --------------------------------------------------------------------------------
 */

static void append_value(struct buf *out, struct str value)
{
    struct str line;
    bool more = false;

    while (str_next(&value, '\n', &line)) {
        if (more)
            buf_append_c(out, "\r\n");
        buf_append(out, str_ends(line, STR("\r")) ? str_head(line, line.n - 1) : line);
        more = true;
    }
}

static void hold(struct message *m, size_t n)
{
    m->held_n += n;
    *m->env->held_n += n;
    m->too_many = m->too_many || *m->env->held_n > MESSAGE_HELD_MAX;
}

/* Not all of its header is here: nothing is said about it but that. */
static bool is_incomplete(const struct message *m)
{
    return m->too_large || m->too_many;
}

/* The buffer may move until the header is whole: until then the views are lengths only. */
void message_field(struct message *m, struct str name, struct str value)
{
    size_t from = m->raw.n;

    assert(!m->header_over);
    if (m->fields_n == m->fields_max && m->fields_n < MESSAGE_FIELDS_MAX) {
        m->fields_max = m->fields_max ? m->fields_max * 2 : FIELDS_FIRST;
        m->fields = mem_grow(m->fields, m->fields_max, sizeof(*m->fields));
    }
    buf_append(&m->raw, name);
    buf_append_char(&m->raw, ':');
    append_value(&m->raw, value);
    buf_append_c(&m->raw, "\r\n");
    m->too_large = m->too_large || m->fields_n >= MESSAGE_FIELDS_MAX || m->raw.failed;
    hold(m, m->raw.n - from);
    if (is_incomplete(m))
        return;
    m->fields[m->fields_n++] =
        (struct header_field){.raw = {NULL, m->raw.n - from}, .name = {NULL, name.n}};
}

static void place_fields(struct message *m)
{
    size_t at = 0;

    for (size_t i = 0; i < m->fields_n; i++) {
        struct header_field *f = &m->fields[i];

        f->raw.p = m->raw.p + at;
        f->name.p = f->raw.p;
        f->value = str_sub(f->raw, f->name.n + 1, f->raw.n - f->name.n - 3);
        at += f->raw.n;
    }
}

static void take_from(struct message *m, struct str value)
{
    struct address_list list;
    struct err ignored = {0};

    if (address_parse_list(value, m->arena, &list, &ignored) < 0)
        return;
    for (size_t i = 0; i < list.n; i++) {
        struct str d = list.at[i].domain;

        if (list.at[i].kind != ADDRESS_MAILBOX || d.n == 0)
            continue;
        if (m->from.n > 0 && !str_ieq(m->from, d))
            m->several_froms = true;
        if (m->from.n == 0)
            m->from = d;
    }
}

static void find_from(struct message *m)
{
    size_t n = 0;

    for (size_t i = 0; i < m->fields_n; i++) {
        if (str_ieq_c(m->fields[i].name, "From")) {
            take_from(m, m->fields[i].value);
            n++;
        }
    }
    m->several_froms = m->several_froms || n > 1;
}

static void begin_verifying(struct message *m)
{
    const struct conf *c = m->env->conf;

    m->spf_question = (struct spf_question){.sender = m->facts.sender, .helo = m->facts.helo};
    m->spf_question.addr_n = m->facts.addr_n;
    if (m->facts.addr_n > 0)
        memcpy(m->spf_question.addr, m->facts.addr, m->facts.addr_n);
    m->spf_done = !c->spf || m->facts.addr_n == 0;
    if (c->dkim)
        dkim_verify_init(&m->dkim, m->fields, m->fields_n, m->arena);
}

void message_header_end(struct message *m)
{
    struct str header = buf_str(&m->raw);

    m->header_over = true;
    if (is_incomplete(m))
        return;
    place_fields(m);
    find_from(m);
    bodyscan_init(&m->scan, header);
    if (!m->facts.submitted)
        begin_verifying(m);
    else if (m->from.n > 0)
        dkim_sign_init(&m->sign, m->env->conf->sign, m->env->conf->sign_n, m->from);
}

void message_body(struct message *m, struct str piece)
{
    assert(m->header_over);
    m->body_n += piece.n;
    if (is_incomplete(m))
        return;
    bodyscan_feed(&m->scan, piece);
    dkim_sign_body(&m->sign, piece);
    dkim_verify_body(&m->dkim, piece);
}

/* --- judgement ---------------------------------------------------------------------------------
 */

static void refuse(struct message *m, unsigned code, const char *status, const char *why)
{
    m->action = MESSAGE_REJECT;
    m->code = code;
    m->status = status;
    m->why = why;
}

static void junk(struct message *m, const char *why)
{
    if (m->action != MESSAGE_ACCEPT)
        return;
    m->action = MESSAGE_JUNK;
    m->why = why;
}

/* What is known without asking anybody. */
static void judge_content(struct message *m)
{
    if (m->too_large) {
        refuse(m, 552, "5.3.4", "message header is too large");
        return;
    }
    if (m->too_many) {
        refuse(m, 452, "4.3.1", "too much mail at once, try again later");
        return;
    }
    if (m->scan.gtube) {
        refuse(m, 550, "5.7.1", "message refused as spam");
        return;
    }
    if (!m->scan.program)
        return;
    switch (m->env->conf->executables) {
    case CONF_EXECUTABLES_ACCEPT:
        return;
    case CONF_EXECUTABLES_JUNK:
        junk(m, m->scan.why);
        return;
    case CONF_EXECUTABLES_REJECT:
        refuse(m, 550, "5.7.1", "programs are not accepted as attachments");
        return;
    }
}

static void judge_author(struct message *m)
{
    if (m->env->conf->dmarc && m->several_froms)
        junk(m, "more than one author's domain");
    if (m->dmarc.result == DMARC_FAIL && m->dmarc.policy > DMARC_POLICY_NONE)
        junk(m, "the author's domain does not vouch for it (DMARC)");
}

static void add_identity(struct dmarc_question *q, struct dmarc_identity id)
{
    if (q->identities_n < DMARC_CHECK_MAX)
        q->identities[q->identities_n++] = id;
}

static struct dmarc_question dmarc_question(const struct message *m)
{
    struct dmarc_question q = {.from = m->from};
    bool unsure = m->spf.result == SPF_TEMPERROR;

    if (m->spf.result == SPF_PASS || unsure)
        add_identity(&q, (struct dmarc_identity){.domain = spf_domain(&m->spf_question),
                                                 .is_spf = true,
                                                 .unsure = unsure});
    for (size_t i = 0; i < m->dkim.n; i++) {
        const struct dkim_verify_one *o = &m->dkim.at[i];

        unsure = o->result == DKIM_TEMPERROR;
        if (o->result == DKIM_PASS || unsure)
            add_identity(&q,
                         (struct dmarc_identity){.domain = o->signature->domain, .unsure = unsure});
    }
    return q;
}

static bool run_dmarc(struct message *m)
{
    struct dmarc_question q = dmarc_question(m);

    if (m->several_froms) {
        m->dmarc.result = DMARC_PERMERROR;
        return true;
    }
    if (!m->env->conf->dmarc || m->from.n == 0)
        return true;
    if (!dkim_is_domain(m->from)) { /* a literal, or an IDN that is not in its ASCII form */
        m->dmarc.result = DMARC_PERMERROR;
        return true;
    }
    return dmarc_check(&q, &m->lookup, &m->dmarc);
}

/* The policy is asked for at once, with everything else; what comes of it counts in the last run.
 */
static bool run(struct message *m)
{
    if (!m->spf_done)
        m->spf_done = spf_check(&m->spf_question, &m->lookup, &m->spf);
    if (!m->dkim_done)
        m->dkim_done = dkim_verify_run(&m->dkim, &m->lookup);
    bool dmarc_done = run_dmarc(m);

    return m->spf_done && m->dkim_done && dmarc_done;
}

static void advance(struct message *m)
{
    if (m->action != MESSAGE_REJECT && !m->facts.submitted) {
        if (!run(m)) {
            lookup_send(&m->lookup, m->env->dns, m->deadline_ms);
            return;
        }
        judge_author(m);
    }
    m->judged(m, m->ctx);
}

static void on_answered(struct lookup *l)
{
    advance(l->ctx);
}

void message_end(struct message *m, void (*judged)(struct message *m, void *ctx), void *ctx)
{
    m->judged = judged;
    m->ctx = ctx;
    m->deadline_ms = clock_now_ms() + MESSAGE_DNS_MS;
    m->lookup.answered = on_answered;
    m->lookup.ctx = m;
    if (!is_incomplete(m)) {
        bodyscan_end(&m->scan);
        dkim_sign_end(&m->sign);
        dkim_verify_end(&m->dkim);
    }
    judge_content(m);
    advance(m);
}
