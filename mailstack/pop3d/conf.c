/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/pop3d/conf.h"

#include <stdlib.h>

#include "runtime/base/err.h"

#include "mailstack/lib/daemon/keys.h"

static const char *const keys[] = {"hostname", "log_level", "listen", "mail",
                                   "format",   "quota",     "limits", NULL};
static const char *const limit_keys[] = {"sessions", "idle_s", NULL};

static int load_limits(struct conf *c, const struct jv *at, struct err *err)
{
    struct jv limits;
    int64_t sessions, idle_s;

    if (jv_opt_object(at, "limits", &limits, err) < 0)
        return -1;
    if (limits.v != NULL && jv_only(&limits, limit_keys, err) < 0)
        return -1;
    if (jv_opt_int(&limits, "sessions", (struct jv_range){1, 100000}, 500, &sessions, err) < 0 ||
        jv_opt_int(&limits, "idle_s", (struct jv_range){1, 86400}, 600, &idle_s, err) < 0)
        return -1;
    c->sessions = (unsigned)sessions;
    c->idle_s = (unsigned)idle_s;
    return 0;
}

static int load(struct conf *c, const struct jv *at, struct err *err)
{
    if (jv_is_object(at, err) < 0 || jv_only(at, keys, err) < 0)
        return -1;
    if (keys_text(at, "hostname", &c->hostname, err) < 0 ||
        keys_text(at, "mail", &c->mail, err) < 0 || keys_format(at, err) < 0)
        return -1;
    if (jv_opt_size(at, "quota", INT64_MAX, 0, &c->quota, err) < 0)
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
    free(c->hostname);
    free(c->mail);
    *c = (struct conf){0};
}
