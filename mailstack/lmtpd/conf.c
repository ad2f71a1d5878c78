/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lmtpd/conf.h"

#include <stdlib.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"

#include "mailstack/lib/daemon/keys.h"

static const char *const keys[] = {"hostname", "log_level", "listen",       "mail",   "format",
                                   "quota",    "domains",   "message_size", "limits", NULL};
static const char *const limit_keys[] = {"workers", NULL};

static int load_domains(struct conf *c, const struct jv *at, struct err *err)
{
    struct jv list;

    if (jv_array(at, "domains", &list, err) < 0)
        return -1;
    c->domains = mem_array(jv_n(&list) + 1, sizeof(c->domains[0]));
    for (size_t i = 0; i < jv_n(&list); i++) {
        struct jv e = jv_elem(&list, i);
        struct str s;

        if (jv_as_str(&e, &s, err) < 0)
            return -1;
        c->domains[c->domains_n] = str_dup_c(s, err);
        if (c->domains[c->domains_n++] == NULL)
            return -1;
    }
    return 0;
}

static int load_limits(struct conf *c, const struct jv *at, struct err *err)
{
    struct jv limits;
    int64_t workers;

    if (jv_opt_object(at, "limits", &limits, err) < 0)
        return -1;
    if (limits.v != NULL && jv_only(&limits, limit_keys, err) < 0)
        return -1;
    if (jv_opt_int(&limits, "workers", (struct jv_range){1, LMTPD_WORKERS_MAX}, 4, &workers, err) <
        0)
        return -1;
    c->workers = (unsigned)workers;
    return 0;
}

static int load(struct conf *c, const struct jv *at, struct err *err)
{
    if (jv_is_object(at, err) < 0 || jv_only(at, keys, err) < 0)
        return -1;
    if (keys_text(at, "hostname", &c->hostname, err) < 0 ||
        keys_text(at, "mail", &c->mail, err) < 0 || keys_format(at, err) < 0 ||
        load_domains(c, at, err) < 0)
        return -1;
    if (jv_opt_size(at, "quota", INT64_MAX, 0, &c->quota, err) < 0 ||
        jv_opt_size(at, "message_size", 1ull << 30, 50ull << 20, &c->message_size, err) < 0)
        return -1;
    return load_limits(c, at, err);
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
    for (size_t i = 0; i < c->domains_n; i++)
        free(c->domains[i]);
    free(c->domains);
    free(c->hostname);
    free(c->mail);
    *c = (struct conf){0};
}
