/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/filterd/conf.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"

#include "mailstack/filterd/crypto.h"
#include "mailstack/lib/daemon/keys.h"

static const char *const keys[] = {"hostname", "log_level", "listen",      "domains", "spf",
                                   "dkim",     "dmarc",     "executables", "sign",    "state",
                                   "limits",   "sockets",   NULL};
static const char *const sign_keys[] = {"domain", "selector", "algorithm", "key", NULL};
static const char *const limit_keys[] = {"workers", NULL};
static const char *const socket_keys[] = {"dns", NULL};
static const char *const executables[] = {"accept", "junk", "reject", NULL};

/* Is this one of "domains"? */
static int check_domain(const struct jv *root, const struct jv *key, const char *domain,
                        struct err *err)
{
    struct jv list;

    if (jv_array(root, "domains", &list, err) < 0)
        return -1;
    for (size_t i = 0; i < jv_n(&list); i++) {
        struct jv e = jv_elem(&list, i);
        struct str s;

        if (jv_as_str(&e, &s, err) < 0)
            return -1;
        if (str_ieq_c(s, domain))
            return 0;
    }
    struct jv at = jv_member(key, "domain");

    return jv_err(&at, err, "'%s' is not one of the domains", domain);
}

static int read_key(struct dkim_sign_key *k, const struct jv *at, struct err *err)
{
    own_buf struct buf pem = BUF_INIT(CONF_PEM_MAX);
    own_free char *path = NULL;
    int rc;

    if (keys_text(at, "key", &path, err) < 0)
        return -1;
    rc = file_read(AT_FDCWD, path, &pem, err);
    if (rc == 0)
        k->key = crypto_key_load(buf_str(&pem), k->algorithm, err);
    if (pem.n > 0)
        OPENSSL_cleanse(pem.p, pem.n);
    if (rc < 0 || k->key == NULL)
        return err_wrap(err, "DKIM key '%s'", path);
    return 0;
}

static int load_key(struct dkim_sign_key *k, const struct jv *root, const struct jv *at,
                    struct err *err)
{
    static const char *const names[] = {"ed25519", "rsa2048", NULL};
    struct jv algorithm = jv_member(at, "algorithm");
    size_t which;

    if (jv_is_object(at, err) < 0 || jv_only(at, sign_keys, err) < 0 ||
        keys_text(at, "domain", &k->domain, err) < 0 ||
        check_domain(root, at, k->domain, err) < 0 ||
        keys_text(at, "selector", &k->selector, err) < 0 ||
        jv_enum(&algorithm, names, &which, err) < 0)
        return -1;
    if (!dkim_is_domain(str_of(k->domain)) || !dkim_is_domain(str_of(k->selector)))
        return jv_err(at, err, "domain or selector cannot stand in DNS");
    k->algorithm = which == 0 ? DKIM_ED25519_SHA256 : DKIM_RSA_SHA256;
    return read_key(k, at, err);
}

static int load_sign(struct conf *c, const struct jv *at, struct err *err)
{
    struct jv list;

    if (jv_opt_array(at, "sign", &list, err) < 0)
        return -1;
    if (jv_n(&list) > CONF_KEYS_MAX)
        return jv_err(&list, err, "more than %d keys", CONF_KEYS_MAX);
    c->sign = mem_array(jv_n(&list) + 1, sizeof(*c->sign));
    for (size_t i = 0; i < jv_n(&list); i++) {
        struct jv e = jv_elem(&list, i);

        if (load_key(&c->sign[c->sign_n++], at, &e, err) < 0)
            return -1;
    }
    return 0;
}

static int load_rules(struct conf *c, const struct jv *at, struct err *err)
{
    struct jv rule = jv_member(at, "executables");
    size_t which = CONF_EXECUTABLES_JUNK;

    if (jv_opt_bool(at, "spf", true, &c->spf, err) < 0 ||
        jv_opt_bool(at, "dkim", true, &c->dkim, err) < 0 ||
        jv_opt_bool(at, "dmarc", true, &c->dmarc, err) < 0)
        return -1;
    if (jv_has(at, "executables") && jv_enum(&rule, executables, &which, err) < 0)
        return -1;
    c->executables = (enum conf_executables)which;
    return 0;
}

static int load_state(struct conf *c, const struct jv *at, struct err *err)
{
    struct jv state = jv_member(at, "state");

    if (!jv_has(at, "state"))
        return 0;
    if (keys_text(at, "state", &c->state, err) < 0)
        return -1;
    return c->state[0] == '/' ? 0 : jv_err(&state, err, "expected an absolute path");
}

static int load_limits(struct conf *c, const struct jv *at, struct err *err)
{
    struct jv limits;
    int64_t workers;

    if (jv_opt_object(at, "limits", &limits, err) < 0)
        return -1;
    if (limits.v != NULL && jv_only(&limits, limit_keys, err) < 0)
        return -1;
    if (jv_opt_int(&limits, "workers", (struct jv_range){1, CONF_WORKERS_MAX}, 2, &workers, err) <
        0)
        return -1;
    c->workers = (unsigned)workers;
    return 0;
}

static int load_sockets(struct conf *c, const struct jv *at, struct err *err)
{
    struct jv sockets;

    if (jv_opt_object(at, "sockets", &sockets, err) < 0)
        return -1;
    if (sockets.v != NULL && jv_only(&sockets, socket_keys, err) < 0)
        return -1;
    if (sockets.v != NULL && jv_has(&sockets, "dns"))
        return keys_text(&sockets, "dns", &c->dns, err);
    if (c->spf || c->dkim || c->dmarc)
        return jv_err(at, err, "spf, dkim and dmarc need \"sockets\": {\"dns\"}");
    return 0;
}

static int load(struct conf *c, const struct jv *at, struct err *err)
{
    if (jv_is_object(at, err) < 0 || jv_only(at, keys, err) < 0 ||
        keys_text(at, "hostname", &c->hostname, err) < 0)
        return -1;
    if (load_rules(c, at, err) < 0 || load_sign(c, at, err) < 0 || load_state(c, at, err) < 0 ||
        load_limits(c, at, err) < 0)
        return -1;
    return load_sockets(c, at, err);
}

int conf_load(struct conf *c, const struct jv *at, struct err *err)
{
    struct conf made = {0};

    if (load(&made, at, err) < 0) {
        conf_done(&made);
        return -1;
    }
    *c = made;
    return 0;
}

void conf_done(struct conf *c)
{
    for (size_t i = 0; i < c->sign_n; i++) {
        free(c->sign[i].domain);
        free(c->sign[i].selector);
        crypto_key_free(c->sign[i].key);
    }
    free(c->sign);
    free(c->hostname);
    free(c->dns);
    free(c->state);
    *c = (struct conf){0};
}
