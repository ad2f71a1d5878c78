/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/stack/render.h"

#include <fcntl.h>
#include <jansson.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/base/jw.h"
#include "runtime/base/own.h"
#include "runtime/spec/stack.h"
#include "runtime/stack/keys.h"
#include "runtime/stack/svc.h"

#define RELAY_CA "relay-ca.pem"
#define CONF_MAX (8U << 20) /* what a daemon reads at most */

struct pen { /* what the writers of the sections need */
    struct jw w;
    const struct stack_config *c;
    const struct svc_table *t;
    const struct svc *s;
};

static void strings(struct jw *w, const char *key, const struct stack_strings *v)
{
    jw_array(w, key);
    for (size_t i = 0; i < v->n; i++)
        jw_c(w, NULL, v->v[i]);
    jw_end(w);
}

static void domain_names(struct pen *p)
{
    jw_array(&p->w, "domains");
    for (size_t i = 0; i < p->c->domains_n; i++)
        jw_c(&p->w, NULL, p->c->domains[i].name);
    jw_end(&p->w);
}

static void tls(struct pen *p)
{
    jw_object(&p->w, "tls");
    jw_c(&p->w, "cert", "/etc/mailstack/tls/cert.pem");
    jw_c(&p->w, "key", "/etc/mailstack/tls/key.pem");
    jw_end(&p->w);
    jw_array(&p->w, "plaintext_login");
    for (size_t i = 0; i < p->c->tls.plaintext_login.n; i++)
        jw_c(&p->w, NULL, p->c->tls.plaintext_login.v[i].text);
    jw_end(&p->w);
}

static bool socket_exists(const struct pen *p, const char *file)
{
    for (size_t i = 0; i < SVC_N; i++)
        for (size_t k = 0; k < p->t->v[i].sockets_n; k++)
            if (strcmp(p->t->v[i].sockets[k].file, file) == 0)
                return svc_wanted(&p->t->v[i], p->c);
    return false;
}

static void sockets(struct pen *p)
{
    static const struct {
        const char *file;
        const char *key;
    } names[] = {{"auth.sock", "auth"},   {"map.sock", "map"},      {"filterd.sock", "milter"},
                 {"lmtpd.sock", "lmtp"},  {"queued.sock", "queue"}, {"dnsd.sock", "dns"},
                 {"imapd.sock", "imapd"}, {"pop3d.sock", "pop3d"}};

    jw_object(&p->w, "sockets");
    for (size_t i = 0; i < p->s->talks.n; i++)
        for (size_t k = 0; k < ARRAY_N(names); k++)
            if (strcmp(p->s->talks.v[i], names[k].file) == 0 && socket_exists(p, names[k].file)) {
                char path[128];
                struct buf b = BUF_INIT(sizeof(path));

                buf_printf(&b, "/run/mailstack/%s", names[k].file);
                jw_c(&p->w, names[k].key, buf_c(&b));
                buf_done(&b);
            }
    jw_end(&p->w);
}

static uint32_t workers(const struct pen *p, uint32_t dflt)
{
    uint32_t n = svc_limits(p->s, p->c).workers;

    return n ? n : dflt;
}

/* Where the limit of open files had to be lowered, no more than there are files for: `each` of them
 * a connection, in the worst case. */
static uint32_t connections(const struct pen *p, uint32_t each)
{
    uint32_t asked = p->c->smtp.connections, room = p->s->limits.nofile / each;

    return p->s->nofile_wanted == 0 || asked < room ? asked : room;
}

static void store(struct pen *p)
{
    jw_c(&p->w, "mail", "/var/mail");
    jw_c(&p->w, "format", p->c->mailbox.format);
    jw_uint(&p->w, "quota", p->c->mailbox.quota);
}

static void render_smtpd(struct pen *p)
{
    const struct stack_smtp *s = &p->c->smtp;

    domain_names(p);
    jw_uint(&p->w, "message_size", s->message_size);
    jw_uint(&p->w, "recipients", s->recipients);
    jw_c(&p->w, "subaddress", p->c->mailbox.subaddress);
    tls(p);
    jw_object(&p->w, "limits");
    jw_uint(&p->w, "workers", workers(p, 2));
    jw_uint(&p->w, "connections", connections(p, 4));
    jw_uint(&p->w, "connections_per_ip", s->connections_per_ip);
    jw_uint(&p->w, "idle_s", s->idle_s);
    jw_end(&p->w);
    sockets(p);
}

static void render_frontd(struct pen *p)
{
    tls(p);
    jw_object(&p->w, "limits");
    jw_uint(&p->w, "workers", workers(p, 2));
    jw_uint(&p->w, "connections", connections(p, 8));
    jw_uint(&p->w, "connections_per_ip", p->c->smtp.connections_per_ip);
    jw_uint(&p->w, "login_s", 60);
    jw_end(&p->w);
    sockets(p);
}

static void render_imapd(struct pen *p)
{
    store(p);
    jw_uint(&p->w, "message_size", p->c->smtp.message_size);
    jw_object(&p->w, "limits");
    jw_uint(&p->w, "users", p->c->mailbox.users);
    jw_uint(&p->w, "sessions_per_user", p->c->mailbox.sessions_per_user);
    jw_uint(&p->w, "idle_s", 1800);
    jw_end(&p->w);
}

static void render_pop3d(struct pen *p)
{
    store(p);
    jw_object(&p->w, "limits");
    jw_uint(&p->w, "sessions", p->c->mailbox.users);
    jw_uint(&p->w, "idle_s", 600);
    jw_end(&p->w);
}

static void render_lmtpd(struct pen *p)
{
    store(p);
    domain_names(p);
    jw_uint(&p->w, "message_size", p->c->smtp.message_size);
    jw_object(&p->w, "limits");
    jw_uint(&p->w, "workers", workers(p, 4));
    jw_end(&p->w);
}

static void render_sign(struct pen *p, const struct stack_domain *d)
{
    for (size_t k = 0; k < d->dkim_n; k++) {
        struct buf path = BUF_INIT(1024);

        buf_printf(&path, "/etc/mailstack/dkim/%s/%s.pem", d->name, d->dkim[k].selector);
        jw_object(&p->w, NULL);
        jw_c(&p->w, "domain", d->name);
        jw_c(&p->w, "selector", d->dkim[k].selector);
        jw_c(&p->w, "algorithm", stack_dkim_names[d->dkim[k].algorithm]);
        jw_c(&p->w, "key", buf_c(&path));
        jw_end(&p->w);
        buf_done(&path);
    }
}

static void render_filterd(struct pen *p)
{
    const struct stack_filter *f = &p->c->filter;

    domain_names(p);
    jw_bool(&p->w, "spf", f->spf);
    jw_bool(&p->w, "dkim", f->dkim);
    jw_bool(&p->w, "dmarc", f->dmarc);
    jw_c(&p->w, "executables", f->executables);
    jw_array(&p->w, "sign");
    for (size_t i = 0; i < p->c->domains_n; i++)
        render_sign(p, &p->c->domains[i]);
    jw_end(&p->w);
    jw_c(&p->w, "state", "/var/state");
    jw_object(&p->w, "limits");
    jw_uint(&p->w, "workers", workers(p, 4));
    jw_end(&p->w);
    sockets(p);
}

static void render_list(struct pen *p, const struct stack_list *l)
{
    jw_object(&p->w, l->address);
    strings(&p->w, "members", &l->members);
    if (l->owners.n)
        strings(&p->w, "owners", &l->owners);
    jw_c(&p->w, "post", l->post);
    jw_end(&p->w);
}

static void render_domain(struct pen *p, const struct stack_domain *d)
{
    jw_object(&p->w, d->name);
    jw_object(&p->w, "aliases");
    for (size_t i = 0; i < d->aliases_n; i++)
        strings(&p->w, d->aliases[i].name, &d->aliases[i].to);
    jw_end(&p->w);
    jw_c(&p->w, "catch_all", d->catch_all);
    jw_end(&p->w);
}

static void render_authd(struct pen *p)
{
    jw_c(&p->w, "accounts", "/etc/mailstack/accounts.json");
    jw_object(&p->w, "domains");
    for (size_t i = 0; i < p->c->domains_n; i++)
        render_domain(p, &p->c->domains[i]);
    jw_end(&p->w);
    jw_object(&p->w, "lists");
    for (size_t i = 0; i < p->c->lists_n; i++)
        render_list(p, &p->c->lists[i]);
    jw_end(&p->w);
    jw_uint(&p->w, "quota", p->c->mailbox.quota);
    jw_c(&p->w, "subaddress", p->c->mailbox.subaddress);
    jw_object(&p->w, "limits");
    jw_uint(&p->w, "workers", workers(p, 2));
    jw_end(&p->w);
}

static void render_relay(struct pen *p)
{
    const struct stack_relay *r = &p->c->smtp.relay;

    if (!r->set) {
        jw_null(&p->w, "relay");
        return;
    }
    jw_object(&p->w, "relay");
    jw_c(&p->w, "host", r->host);
    jw_uint(&p->w, "port", r->port);
    if (r->user) {
        jw_c(&p->w, "user", r->user);
        jw_c(&p->w, "password", r->password);
    }
    if (r->ca)
        jw_c(&p->w, "ca", "/etc/mailstack/" RELAY_CA);
    jw_end(&p->w);
}

static void render_queued(struct pen *p)
{
    const struct stack_queue *q = &p->c->queue;

    jw_c(&p->w, "spool", "/var/spool/mailstack");
    domain_names(p);
    jw_object(&p->w, "routes");
    for (size_t i = 0; i < p->c->smtp.routes_n; i++)
        jw_c(&p->w, p->c->smtp.routes[i].domain, p->c->smtp.routes[i].url);
    jw_end(&p->w);
    render_relay(p);
    jw_uint(&p->w, "port", p->c->smtp.port);
    jw_object(&p->w, "retry");
    jw_uint(&p->w, "first_s", q->first_s);
    jw_uint(&p->w, "max_s", q->max_s);
    jw_uint(&p->w, "give_up_s", q->give_up_s);
    jw_end(&p->w);
    jw_object(&p->w, "limits");
    jw_uint(&p->w, "senders", q->senders);
    jw_uint(&p->w, "per_domain", q->per_domain);
    jw_end(&p->w);
    sockets(p);
}

static void render_dnsd(struct pen *p)
{
    strings(&p->w, "servers", &p->c->dns.servers);
    jw_bool(&p->w, "dnssec", p->c->dns.dnssec);
    jw_c(&p->w, "root_key", "/etc/root.key");
    jw_uint(&p->w, "cache", p->c->dns.cache);
}

static const struct {
    const char *name;
    void (*fn)(struct pen *p);
} writers[] = {
    {"authd", render_authd},   {"dnsd", render_dnsd},   {"lmtpd", render_lmtpd},
    {"imapd", render_imapd},   {"pop3d", render_pop3d}, {"filterd", render_filterd},
    {"queued", render_queued}, {"smtpd", render_smtpd}, {"frontd", render_frontd},
};

int render_json(struct arena *a, const struct stack_config *c, const struct svc_table *t,
                const struct svc *s, struct str *out, struct err *err)
{
    own_buf struct buf text = BUF_INIT(CONF_MAX);
    struct pen p = {.w = jw_start(&text, JW_INDENT_TWO), .c = c, .t = t, .s = s};

    jw_object(&p.w, NULL);
    jw_c(&p.w, "hostname", c->hostname);
    jw_c(&p.w, "log_level", c->log.level);
    for (size_t i = 0; i < ARRAY_N(writers); i++)
        if (strcmp(writers[i].name, s->name) == 0)
            writers[i].fn(&p);
    jw_end(&p.w);
    buf_append_char(&text, '\n');
    if (buf_check(&text, s->name, err) < 0)
        return err_wrap(err, "configuration");
    *out = arena_str(a, buf_str(&text));
    return 0;
}

/* --- with the secrets ---------------------------------------------------------------------------
 */

struct gather {
    struct arena *a;
    struct rendered *out;
    size_t max;
};

static void put(struct gather *g, const char *path, struct buf *content)
{
    if (g->out->n < g->max)
        g->out->v[g->out->n++] =
            (struct render_file){.path = path, .content = arena_str(g->a, buf_str(content))};
    buf_reset(content);
}

static int put_tls(struct gather *g, const struct stack_config *c, struct err *err)
{
    own_buf struct buf text = BUF_INIT(KEYS_PEM_MAX);

    if (keys_read_cert(c, &text, err) < 0)
        return -1;
    put(g, "tls/cert.pem", &text);
    if (keys_read_key(c, &text, err) < 0)
        return -1;
    put(g, "tls/key.pem", &text);
    return 0;
}

static int put_dkim(struct gather *g, const struct stack_config *c, struct err *err)
{
    own_buf struct buf text = BUF_INIT(KEYS_PEM_MAX);

    for (size_t i = 0; i < c->domains_n; i++)
        for (size_t k = 0; k < c->domains[i].dkim_n; k++) {
            const char *d = c->domains[i].name;
            const char *s = c->domains[i].dkim[k].selector;

            if (keys_read_dkim(c, d, s, &text, err) < 0)
                return -1;
            put(g, arena_printf(g->a, "dkim/%s/%s.pem", d, s), &text);
        }
    return 0;
}

static int put_accounts(struct gather *g, const struct stack_config *c, struct err *err)
{
    own_buf struct buf text = BUF_INIT(STACK_ACCOUNTS_MAX);

    if (file_read(AT_FDCWD, c->accounts_file, &text, err) < 0)
        return -1;
    put(g, "accounts.json", &text);
    return 0;
}

static int put_relay(struct gather *g, const struct stack_config *c, struct err *err)
{
    own_buf struct buf text = BUF_INIT(KEYS_PEM_MAX);

    if (!c->smtp.relay.ca)
        return 0;
    if (file_read(AT_FDCWD, c->smtp.relay.ca, &text, err) < 0)
        return err_wrap(err, "smtp.relay.ca");
    put(g, RELAY_CA, &text);
    return 0;
}

static size_t files_max(const struct stack_config *c)
{
    size_t n = 4;

    for (size_t i = 0; i < c->domains_n; i++)
        n += c->domains[i].dkim_n;
    return n;
}

int render_all(struct arena *a, const struct stack_config *c, const struct svc_table *t,
               const struct svc *s, struct rendered *out, struct err *err)
{
    struct gather g = {.a = a, .out = out, .max = files_max(c)};
    struct str text;

    *out = (struct rendered){.v = arena_array(a, g.max, sizeof(*out->v))};
    if (render_json(a, c, t, s, &text, err) < 0)
        return -1;
    out->v[out->n++] =
        (struct render_file){.path = arena_printf(a, "%s.json", s->name), .content = text};
    if ((s->secrets & SVC_TLS) && put_tls(&g, c, err) < 0)
        return -1;
    if ((s->secrets & SVC_DKIM) && put_dkim(&g, c, err) < 0)
        return -1;
    if ((s->secrets & SVC_ACCOUNTS) && put_accounts(&g, c, err) < 0)
        return -1;
    if ((s->secrets & SVC_RELAY) && put_relay(&g, c, err) < 0)
        return -1;
    return 0;
}
