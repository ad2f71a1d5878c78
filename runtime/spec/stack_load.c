/* SPDX-License-Identifier: Apache-2.0 */
/* mailstack.json from its top; one function a section */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"
#include "runtime/base/path.h"
#include "runtime/spec/stack_field.h"

#define PASSWORD_FILE_MAX 4096

static void load_tls(struct stack_field *f, const struct jv *root, struct stack_config *c)
{
    static const char *const keys[] = {"mode", "cert", "key", "plaintext_login", NULL};
    static const char *const modes[] = {"self-signed", "files", NULL};
    struct jv at = stack_obj(f, root, "tls");

    stack_only(f, &at, keys);
    c->tls.cert = stack_file(f, &at, "cert", NULL);
    c->tls.key = stack_file(f, &at, "key", NULL);
    c->tls.mode = (enum stack_tls_mode)stack_choice(f, &at, "mode", modes);
    c->tls.plaintext_login = stack_net_list(f, &at, "plaintext_login");
    if (c->tls.plaintext_login.n > STACK_PLAINTEXT_MAX)
        stack_complain_at(f, &at, "\"plaintext_login\" names more than %d networks",
                          STACK_PLAINTEXT_MAX);
    if (c->tls.mode == STACK_TLS_FILES && (!c->tls.cert || !c->tls.key))
        stack_complain_at(f, &at, "mode \"files\" needs \"cert\" and \"key\"");
    else if (c->tls.mode == STACK_TLS_SELF_SIGNED && (c->tls.cert || c->tls.key))
        stack_complain_at(f, &at, "\"cert\" and \"key\" belong to mode \"files\"");
}

static const char *read_password(struct stack_field *f, const struct jv *at, const char *path)
{
    own_buf struct buf text = BUF_INIT(PASSWORD_FILE_MAX);
    struct err err = {0};

    if (f->no_files)
        return "";
    if (file_read(AT_FDCWD, path, &text, &err) < 0) {
        stack_complain_at(f, at, "%s", err.text);
        return "";
    }
    return arena_copy(f->a, str_trim(buf_str(&text)));
}

/* Whose signature the relay's certificate needs. Where a password is sent and nothing is said, it
 * is whom this machine trusts; a null says that any certificate will do. */
static const char *relay_ca(struct stack_field *f, const struct jv *at, bool password)
{
    static const char *const bundles[] = {"/etc/ssl/certs/ca-certificates.crt", /* Debian, Alpine */
                                          "/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora */
                                          "/etc/ssl/ca-bundle.pem",             /* openSUSE */
                                          "/etc/ssl/cert.pem", NULL};
    const struct jv said = jv_member(at, "ca");

    if (said.v || !password || f->no_files)
        return stack_file(f, at, "ca", NULL);
    for (size_t i = 0; bundles[i]; i++)
        if (access(bundles[i], R_OK) == 0)
            return bundles[i];
    stack_complain_at(f, at,
                      "this machine has no file of certificate authorities: name one in \"ca\", or "
                      "null to send the password to whoever answers");
    return NULL;
}

static void load_relay(struct stack_field *f, const struct jv *smtp, struct stack_config *c)
{
    static const char *const keys[] = {"host", "port", "user", "password_file", "ca", NULL};
    struct jv at = stack_obj(f, smtp, "relay");
    struct stack_relay *r = &c->smtp.relay;
    const char *file;

    if (!at.v)
        return;
    stack_only(f, &at, keys);
    r->set = true;
    r->host = stack_text(f, &at, "host", NULL);
    r->port = (uint16_t)stack_count(f, &at, "port", 587, 65535);
    r->user = stack_text(f, &at, "user", NULL);
    file = stack_file(f, &at, "password_file", NULL);
    r->ca = relay_ca(f, &at, r->user != NULL);
    if (!r->host)
        stack_complain_at(f, &at, "a relay needs a \"host\"");
    if ((r->user != NULL) != (file != NULL))
        stack_complain_at(f, &at, "\"user\" and \"password_file\" go together");
    else if (file)
        r->password = read_password(f, &at, file);
}

static void load_smtp(struct stack_field *f, const struct jv *root, struct stack_config *c)
{
    static const char *const keys[] = {
        "message_size", "recipients", "connections", "connections_per_ip", "idle", "port",
        "routes",       "relay",      NULL};
    struct jv at = stack_obj(f, root, "smtp");
    struct stack_smtp *s = &c->smtp;

    stack_only(f, &at, keys);
    s->message_size = stack_size(f, &at, "message_size", 50U << 20, STACK_MESSAGE_MAX);
    s->recipients = stack_count(f, &at, "recipients", 100, 10000);
    s->connections = stack_count(f, &at, "connections", 2000, 100000);
    s->connections_per_ip = stack_count(f, &at, "connections_per_ip", 50, 50000);
    s->idle_s = stack_time(f, &at, "idle", 300, STACK_DAY_S);
    s->port = (uint16_t)stack_count(f, &at, "port", 25, 65535);
    stack_load_routes(f, &at, c);
    load_relay(f, &at, c);
}

static void load_queue(struct stack_field *f, const struct jv *root, struct stack_config *c)
{
    static const char *const keys[] = {"first", "max", "give_up", "senders", "per_domain", NULL};
    struct jv at = stack_obj(f, root, "queue");
    struct stack_queue *q = &c->queue;

    stack_only(f, &at, keys);
    q->first_s = stack_time(f, &at, "first", 60, 365 * STACK_DAY_S);
    q->max_s = stack_time(f, &at, "max", 14400, 365 * STACK_DAY_S);
    q->give_up_s = stack_time(f, &at, "give_up", 5 * STACK_DAY_S, 365 * STACK_DAY_S);
    q->senders = stack_count(f, &at, "senders", 8, 1000);
    q->per_domain = stack_count(f, &at, "per_domain", 4, 1000);
    if (q->max_s < q->first_s)
        stack_complain_at(f, &at, "\"max\" is below \"first\"");
}

static void load_mailbox(struct stack_field *f, const struct jv *root, struct stack_config *c)
{
    static const char *const keys[] = {
        "format", "quota", "subaddress", "users", "sessions_per_user", NULL};
    static const char *const formats[] = {"maildir", NULL};
    struct jv at = stack_obj(f, root, "mailbox");
    struct stack_mailbox *m = &c->mailbox;

    stack_only(f, &at, keys);
    m->format = formats[stack_choice(f, &at, "format", formats)];
    m->quota = stack_size(f, &at, "quota", (uint64_t)2 << 30, STACK_SIZE_MAX);
    m->subaddress = stack_text(f, &at, "subaddress", "+");
    m->users = stack_count(f, &at, "users", 500, 100000);
    m->sessions_per_user = stack_count(f, &at, "sessions_per_user", 20, 1000);
    if (strlen(m->subaddress) > 1)
        stack_complain_at(f, &at, "\"subaddress\" is one character, or empty for none");
}

/* What the file format has for later versions is refused where it asks for something. */
static void refuse_later(struct stack_field *f, const struct jv *at)
{
    static const char *const engines[] = {"spamd", "rspamd", "clamd", NULL};
    struct jv dnsbl = stack_arr(f, at, "dnsbl");
    struct jv grey = stack_obj(f, at, "greylist");
    static const char *const grey_keys[] = {"enabled", NULL};

    if (dnsbl.v && jv_n(&dnsbl) > 0)
        stack_complain_at(f, &dnsbl,
                          "block lists are not supported by this version: leave it empty");
    stack_only(f, &grey, grey_keys);
    if (stack_flag(f, &grey, "enabled", false))
        stack_complain_at(f, &grey, "greylisting is not supported by this version");
    for (size_t i = 0; engines[i]; i++)
        if (jv_has(at, engines[i]))
            stack_complain_at(f, at, "\"%s\" is not supported by this version: set it to null",
                              engines[i]);
}

static void load_filter(struct stack_field *f, const struct jv *root, struct stack_config *c)
{
    static const char *const keys[] = {"spf",      "dkim",  "dmarc",  "executables", "dnsbl",
                                       "greylist", "spamd", "rspamd", "clamd",       NULL};
    static const char *const actions[] = {"junk", "reject", "accept", NULL};
    struct jv at = stack_obj(f, root, "filter");

    stack_only(f, &at, keys);
    c->filter.spf = stack_flag(f, &at, "spf", true);
    c->filter.dkim = stack_flag(f, &at, "dkim", true);
    c->filter.dmarc = stack_flag(f, &at, "dmarc", true);
    c->filter.executables = actions[stack_choice(f, &at, "executables", actions)];
    if (at.v)
        refuse_later(f, &at);
}

static uint32_t load_cpus(struct stack_field *f, const struct jv *at)
{
    struct jv m = jv_member(at, "cpus");
    double v;

    if (!jv_has(at, "cpus"))
        return 0;
    v = json_is_number(m.v) ? json_number_value(m.v) : 0.0;
    if (v >= 0.01 && v <= 1024.0)
        return (uint32_t)(v * 1000.0);
    stack_complain_at(f, &m, "expected a number of CPUs from 0.01 to 1024");
    return 0;
}

static void load_services(struct stack_field *f, const struct jv *root, struct stack_config *c)
{
    static const char *const names[] = {"authd",   "dnsd",   "lmtpd", "imapd",  "pop3d",
                                        "filterd", "queued", "smtpd", "frontd", NULL};
    static const char *const keys[] = {"memory", "pids", "cpus", "nofile", "workers", NULL};
    struct jv obj = stack_obj(f, root, "services");
    size_t n = stack_n(f, &obj);
    void *it = NULL;
    struct jv m;

    stack_only(f, &obj, names);
    c->limits = arena_array(f->a, n + 1, sizeof(*c->limits));
    while (n && jv_next(&obj, &it, &m)) {
        struct stack_limits *l = &c->limits[c->limits_n];
        struct err err = {0};

        if (jv_is_object(&m, &err) < 0) {
            stack_complain(f, &err);
            continue;
        }
        stack_only(f, &m, keys);
        l->service = arena_copy(f->a, str_of(m.key));
        l->memory = stack_size(f, &m, "memory", 0, STACK_SIZE_MAX);
        l->pids = stack_count(f, &m, "pids", 0, 1000000);
        l->nofile = stack_count(f, &m, "nofile", 0, 1000000);
        l->workers = stack_count(f, &m, "workers", 0, 64);
        l->cpu_milli = load_cpus(f, &m);
        if (jv_has(&m, "memory") && l->memory < (1U << 20))
            stack_complain_at(f, &m, "\"memory\" below 1M starts nothing");
        c->limits_n++;
    }
}

static void load_rest(struct stack_field *f, const struct jv *root, struct stack_config *c)
{
    static const char *const dial_keys[] = {"allow", NULL};
    static const char *const ids_keys[] = {"base", NULL};
    static const char *const log_keys[] = {"level", "size", "keep", NULL};
    static const char *const levels[] = {"info", "error", "warn", "debug", NULL};
    static const char *const account_keys[] = {"file", NULL};
    struct jv dial = stack_obj(f, root, "dial");
    struct jv ids = stack_obj(f, root, "ids");
    struct jv log = stack_obj(f, root, "log");
    struct jv accounts = stack_obj(f, root, "accounts");
    struct err err = {0};
    int64_t base = 890000;

    stack_only(f, &dial, dial_keys);
    c->dial_allow = stack_net_list(f, &dial, "allow");
    stack_only(f, &ids, ids_keys);
    if (jv_opt_int(&ids, "base", (struct jv_range){1000, 4000000000LL}, base, &base, &err) < 0)
        stack_complain(f, &err);
    c->ids_base = (uint32_t)base;
    stack_only(f, &log, log_keys);
    c->log.level = levels[stack_choice(f, &log, "level", levels)];
    c->log.size = stack_size(f, &log, "size", 16U << 20, STACK_SIZE_MAX);
    c->log.keep = stack_count(f, &log, "keep", 4, 1000);
    stack_only(f, &accounts, account_keys);
    c->accounts_file = stack_file(f, &accounts, "file", "accounts.json");
    c->storage = stack_file(f, root, "storage", "/var/lib/mailstack");
}

static void load_all(struct stack_field *f, const struct jv *root, struct stack_config *c)
{
    static const char *const keys[] = {"$schema", "hostname", "domains", "accounts", "lists",
                                       "tls",     "listen",   "storage", "smtp",     "queue",
                                       "mailbox", "filter",   "dns",     "dial",     "services",
                                       "ids",     "log",      NULL};
    struct err err = {0};

    stack_only(f, root, keys);
    c->hostname = stack_text(f, root, "hostname", "");
    if (stack_domain_is_sound(str_of(c->hostname), &err) < 0) {
        struct jv at = jv_member(root, "hostname");

        stack_complain_at(f, at.v ? &at : root, "\"hostname\" must be this server's name in DNS");
    }
    c->hostname = stack_lower(f, c->hostname);
    load_rest(f, root, c);
    stack_load_domains(f, root, c);
    stack_load_lists(f, root, c);
    load_tls(f, root, c);
    stack_load_listen(f, root, c);
    load_smtp(f, root, c);
    load_queue(f, root, c);
    load_mailbox(f, root, c);
    load_filter(f, root, c);
    stack_load_dns(f, root, c);
    load_services(f, root, c);
    if (!f->no_files)
        stack_load_account_file(f, c, &c->accounts);
    stack_check(f, root, c);
}

static int load_doc(struct stack_field *f, const json_t *doc, struct stack_config **out)
{
    struct stack_config *c = arena_alloc(f->a, sizeof(*c));
    struct jv root = jv_root(doc);
    struct err err = {0};

    if (jv_is_object(&root, &err) < 0) {
        stack_complain(f, &err);
        return -1;
    }
    c->file = f->doc;
    c->dir = f->dir;
    load_all(f, &root, c);
    if (f->complaints > STACK_COMPLAINTS)
        buf_printf(f->report, "%s: and %u more\n", f->doc, f->complaints - STACK_COMPLAINTS);
    if (f->complaints)
        return -1;
    *out = c;
    return 0;
}

int stack_load(struct arena *a, const char *file, struct stack_config **out, struct buf *report)
{
    struct stack_field f = {.a = a, .report = report, .doc = arena_copy(a, str_of(file))};
    struct err err = {0};
    own_json json_t *doc = jv_load_file(AT_FDCWD, file, STACK_TEXT_MAX, &err);
    own_free char *real = realpath(file, NULL); /* whichever link it was named by */

    f.dir = arena_copy(a, path_dir(str_of(real ? real : file)));
    if (doc)
        return load_doc(&f, doc, out);
    buf_printf(report, "%s\n", err.text);
    return -1;
}

int stack_load_str(struct arena *a, struct str text, const char *file, struct stack_config **out,
                   struct buf *report)
{
    struct stack_field f = {.a = a,
                            .report = report,
                            .doc = arena_copy(a, str_of(file)),
                            .dir = arena_copy(a, path_dir(str_of(file))),
                            .no_files = true};
    struct err err = {0};
    own_json json_t *doc = text.n <= STACK_TEXT_MAX ? jv_load_str(text, file, &err) : NULL;

    if (doc)
        return load_doc(&f, doc, out);
    buf_printf(report, "%s\n", text.n > STACK_TEXT_MAX ? "the document is too large" : err.text);
    return -1;
}
