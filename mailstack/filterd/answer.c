/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/filterd/answer.h"

#include <stdio.h>

#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"

#include "mailstack/filterd/conf.h"
#include "mailstack/filterd/message.h"
#include "mailstack/lib/mail/authres.h"
#include "mailstack/lib/proto/milter.h"

struct out {
    struct buf *to;
    bool leading_space;
};

/* --- Authentication-Results --------------------------------------------------------------------
 */

static void add_spf(struct authres *r, const struct message *m)
{
    bool null_sender = m->facts.sender.n == 0;

    if (!m->env->conf->spf)
        return;
    authres_add(r, "spf", spf_result_name(m->spf.result), m->spf.why);
    authres_property(r, null_sender ? "smtp.helo" : "smtp.mailfrom",
                     null_sender ? m->facts.helo : m->facts.sender);
}

static void comment_of(const struct dkim_verify_one *o, char *out, size_t n)
{
    if (o->why[0] != '\0' || o->bits == 0)
        (void)snprintf(out, n, "%s", o->why);
    else
        (void)snprintf(out, n, "%u-bit key", o->bits);
}

/* The first characters of b=, by which several signatures are told apart (RFC 6008). */
static void add_b(struct authres *r, const struct dkim_signature *s)
{
    own_buf struct buf b = BUF_INIT(2048);

    buf_append_base64(&b, (struct str){(const char *)s->bytes, s->bytes_n});
    authres_property(r, "header.b", str_head(buf_str(&b), 8));
}

static void add_dkim(struct authres *r, const struct message *m)
{
    for (size_t i = 0; i < m->dkim.n; i++) {
        const struct dkim_verify_one *o = &m->dkim.at[i];
        char comment[DKIM_VERIFY_WHY_MAX];

        comment_of(o, comment, sizeof(comment));
        authres_add(r, "dkim", dkim_result_name(o->result), comment);
        if (o->signature == NULL)
            continue;
        authres_property(r, "header.d", o->signature->domain);
        authres_property(r, "header.i", o->signature->identity);
        authres_property(r, "header.s", o->signature->selector);
        authres_property(r, "header.a", str_of(dkim_algorithm_name(o->signature->algorithm)));
        add_b(r, o->signature);
    }
    if (m->env->conf->dkim && m->dkim.n == 0)
        authres_add(r, "dkim", dkim_result_name(DKIM_NONE), NULL);
}

static void add_dmarc(struct authres *r, const struct message *m)
{
    char comment[32] = "";

    if (!m->env->conf->dmarc)
        return;
    if (m->dmarc.policy != DMARC_NO_POLICY)
        (void)snprintf(comment, sizeof(comment), "p=%s", dmarc_policy_name(m->dmarc.policy));
    authres_add(r, "dmarc", dmarc_result_name(m->dmarc.result), comment);
    authres_property(r, "header.from", m->from);
}

void answer_results(const struct message *m, struct buf *out)
{
    struct authres r = authres_begin(out, m->env->conf->hostname);

    add_spf(&r, m);
    add_dkim(&r, m);
    add_dmarc(&r, m);
    authres_end(&r);
}

/* --- changes -----------------------------------------------------------------------------------
 */

static void insert(struct out *o, const char *name, struct str value)
{
    own_buf struct buf text = BUF_INIT(value.n + 2);

    if (o->leading_space)
        buf_append_char(&text, ' ');
    buf_append(&text, value);
    milter_format_header_change(
        o->to, &(struct milter_header_change){
                   .command = MILTER_INSERT_HEADER, .name = str_of(name), .value = buf_str(&text)});
}

static bool must_go(const struct message *m, const struct header_field *f)
{
    if (str_ieq_c(f->name, "X-Spam-Flag") || str_ieq_c(f->name, "X-Spam-Reason"))
        return true;
    return str_ieq_c(f->name, "Authentication-Results") &&
           authres_is_of(f->value, m->env->conf->hostname);
}

/* Which of its name a field is, from 1. */
static uint32_t index_of(const struct message *m, size_t at)
{
    uint32_t n = 1;

    for (size_t i = 0; i < at; i++)
        n += str_ieq(m->fields[i].name, m->fields[at].name);
    return n;
}

/* From the bottom up: whether or not an MTA numbers the remaining ones anew, the numbers stand. */
static void remove_fields(struct out *o, const struct message *m)
{
    for (size_t i = m->fields_n; i-- > 0;) {
        if (!must_go(m, &m->fields[i]))
            continue;
        milter_format_header_change(o->to,
                                    &(struct milter_header_change){.command = MILTER_CHANGE_HEADER,
                                                                   .index = index_of(m, i),
                                                                   .name = m->fields[i].name});
    }
}

static int insert_signatures(struct out *o, const struct message *m, struct err *err)
{
    for (size_t i = 0; i < m->sign.n; i++) {
        own_buf struct buf value = BUF_INIT(ANSWER_MAX);

        if (dkim_sign_make(&m->sign, i, (struct dkim_sign_fields){m->fields, m->fields_n},
                           clock_wall_s(), &value, err) < 0)
            return -1;
        insert(o, "DKIM-Signature", str_trim(buf_str(&value)));
    }
    return 0;
}

static void insert_results(struct out *o, const struct message *m)
{
    own_buf struct buf value = BUF_INIT(ANSWER_MAX);

    answer_results(m, &value);
    insert(o, "Authentication-Results", buf_str(&value));
}

int answer_format(const struct message *m, bool leading_space, struct buf *out, struct err *err)
{
    own_buf struct buf packets = BUF_INIT(ANSWER_MAX);
    struct out o = {&packets, leading_space};

    if (m->action == MESSAGE_REJECT) {
        milter_format_reply(out, m->code, str_of(m->status), str_of(m->why));
        return buf_check(out, "the answer", err);
    }
    remove_fields(&o, m);
    if (m->action == MESSAGE_JUNK) {
        insert(&o, "X-Spam-Reason", str_of(m->why));
        insert(&o, "X-Spam-Flag", STR("YES"));
    }
    if (!m->facts.submitted)
        insert_results(&o, m);
    else if (insert_signatures(&o, m, err) < 0)
        return -1;
    milter_format(&packets, MILTER_ACCEPT, STR_NONE);
    if (buf_check(&packets, "the answer", err) < 0)
        return -1;
    buf_append(out, buf_str(&packets));
    return buf_check(out, "the answer", err);
}
