/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/smtpd/conf.h"

#include <stdlib.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"

#include "mailstack/lib/daemon/keys.h"
#include "mailstack/lib/proto/smtp_path.h"

#define MESSAGE_SIZE 52428800 /* defaults, as in specs/README.md */
#define SIZE_LIMIT   (UINT64_C(1) << 31)
#define IDLE_MAX_S   86400
#define RECIPIENTS   100

static void add_domain(struct conf *c, struct str name)
{
    own_buf struct buf lower = BUF_INIT(SMTP_DOMAIN_MAX);

    for (size_t i = 0; i < name.n; i++)
        buf_append_char(&lower, ascii_lower(name.p[i]));
    (void)map_put(c->domains, buf_str(&lower), c); /* twice the same domain is one */
}

static int take_domains(const struct jv *conf, struct conf *c, struct err *err)
{
    struct jv list;

    if (jv_array(conf, "domains", &list, err) < 0)
        return -1;
    if (jv_n(&list) > CONF_DOMAINS_MAX)
        return jv_err(&list, err, "more than %d domains", CONF_DOMAINS_MAX);
    for (size_t i = 0; i < jv_n(&list); i++) {
        struct jv e = jv_elem(&list, i);
        struct str name;

        if (jv_as_str(&e, &name, err) < 0)
            return -1;
        if (name.n == 0 || name.n > SMTP_DOMAIN_MAX)
            return jv_err(&e, err, "not a domain");
        add_domain(c, name);
    }
    return 0;
}

static int take_sockets(const struct jv *conf, struct conf *c, struct err *err)
{
    static const char *const keys[] = {"auth", "map", "milter", "lmtp", "queue", "dns", NULL};
    struct jv at;

    if (jv_object(conf, "sockets", &at, err) < 0 || jv_only(&at, keys, err) < 0 ||
        keys_text(&at, "auth", &c->auth_path, err) < 0 ||
        keys_text(&at, "map", &c->map_path, err) < 0 ||
        keys_text(&at, "lmtp", &c->lmtp_path, err) < 0 ||
        keys_opt_text(&at, "milter", &c->milter_path, err) < 0 ||
        keys_opt_text(&at, "queue", &c->queue_path, err) < 0)
        return -1;
    return keys_opt_text(&at, "dns", &c->dns_path, err);
}

static int take_tls(const struct jv *conf, struct conf *c, struct err *err)
{
    static const char *const keys[] = {"cert", "key", NULL};
    struct jv at;

    if (jv_object(conf, "tls", &at, err) < 0 || jv_only(&at, keys, err) < 0 ||
        keys_text(&at, "cert", &c->cert, err) < 0)
        return -1;
    return keys_text(&at, "key", &c->key, err);
}

static int take_conf(const struct jv *conf, struct conf *c, struct err *err)
{
    static const char *const keys[] = {
        "hostname",   "log_level",  "listen", "domains",         "message_size",
        "recipients", "subaddress", "tls",    "plaintext_login", "limits",
        "sockets",    "scratch",    NULL};
    struct str subaddress; /* authd's matter: only checked here */
    struct str scratch;
    int64_t recipients;

    if (jv_is_object(conf, err) < 0 || jv_only(conf, keys, err) < 0 ||
        keys_text(conf, "hostname", &c->hostname, err) < 0 ||
        jv_opt_size(conf, "message_size", SIZE_LIMIT, MESSAGE_SIZE, &c->message_size, err) < 0 ||
        jv_opt_int(conf, "recipients", (struct jv_range){1, 10000}, RECIPIENTS, &recipients, err) <
            0 ||
        jv_opt_str(conf, "subaddress", STR(""), &subaddress, err) < 0 ||
        jv_opt_str(conf, "scratch", STR("/tmp"), &scratch, err) < 0)
        return -1;
    c->recipients = (size_t)recipients;
    c->scratch = str_dup_c(scratch, err);
    if (!c->scratch || take_domains(conf, c, err) < 0 || take_tls(conf, c, err) < 0 ||
        keys_networks(conf, c->plaintext, CONF_NETS_MAX, &c->plaintext_n, err) < 0 ||
        keys_limits(conf, "idle_s", IDLE_MAX_S, &c->limits, err) < 0)
        return -1;
    return take_sockets(conf, c, err);
}

struct conf *conf_load(const struct jv *at, struct err *err)
{
    struct conf *c = mem_type(struct conf);

    c->domains = map_new();
    c->limits = (struct keys_limits){
        .workers = 2, .connections = 2000, .connections_per_ip = 50, .seconds = 300};
    if (take_conf(at, c, err) == 0)
        return c;
    conf_free(c);
    return NULL;
}

void conf_free(struct conf *c)
{
    if (!c)
        return;
    free(c->hostname);
    free(c->cert);
    free(c->key);
    free(c->auth_path);
    free(c->map_path);
    free(c->lmtp_path);
    free(c->milter_path);
    free(c->queue_path);
    free(c->dns_path);
    free(c->scratch);
    map_free(c->domains);
    free(c);
}

bool conf_is_ours(const struct conf *c, struct str domain)
{
    return map_get(c->domains, domain) != NULL;
}
