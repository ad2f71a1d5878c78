/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/daemon/keys.h"

#include "runtime/base/err.h"
#include "runtime/base/str.h"

int keys_text(const struct jv *at, const char *key, char **out, struct err *err)
{
    struct str s;

    if (jv_str(at, key, &s, err) < 0)
        return -1;
    *out = str_dup_c(s, err);
    return *out ? 0 : -1;
}

int keys_opt_text(const struct jv *at, const char *key, char **out, struct err *err)
{
    return jv_has(at, key) ? keys_text(at, key, out, err) : 0;
}

int keys_format(const struct jv *at, struct err *err)
{
    struct jv format = jv_member(at, "format");
    struct str s;

    if (jv_opt_str(at, "format", STR("maildir"), &s, err) < 0)
        return -1;
    return str_eq_c(s, "maildir") ? 0 : jv_err(&format, err, "expected \"maildir\"");
}

int keys_networks(const struct jv *at, struct cidr *out, size_t max, size_t *n, struct err *err)
{
    struct jv list;

    if (jv_opt_array(at, "plaintext_login", &list, err) < 0)
        return -1;
    if (jv_n(&list) > max)
        return jv_err(&list, err, "more than %zu networks", max);
    for (*n = 0; *n < jv_n(&list); (*n)++) {
        struct jv e = jv_elem(&list, *n);
        struct str text;

        if (jv_as_str(&e, &text, err) < 0)
            return -1;
        if (cidr_parse(text, &out[*n], err) < 0)
            return jv_err(&e, err, "%s", err->text);
    }
    return 0;
}

int keys_limits(const struct jv *at, const char *time_key, uint64_t time_max, struct keys_limits *l,
                struct err *err)
{
    const char *const keys[] = {"workers", "connections", "connections_per_ip", time_key, NULL};
    int64_t workers = l->workers;
    int64_t all = (int64_t)l->connections;
    int64_t per_ip = (int64_t)l->connections_per_ip;
    struct jv o;

    if (jv_opt_object(at, "limits", &o, err) < 0)
        return -1;
    if (!o.v)
        return 0;
    if (jv_only(&o, keys, err) < 0 ||
        jv_opt_int(&o, "workers", (struct jv_range){1, KEYS_WORKERS_MAX}, workers, &workers, err) <
            0 ||
        jv_opt_int(&o, "connections", (struct jv_range){1, KEYS_CONNECTIONS_MAX}, all, &all, err) <
            0 ||
        jv_opt_int(&o, "connections_per_ip", (struct jv_range){1, KEYS_PER_IP_MAX}, per_ip, &per_ip,
                   err) < 0 ||
        jv_opt_seconds(&o, time_key, time_max, l->seconds, &l->seconds, err) < 0)
        return -1;
    l->seconds += l->seconds == 0; /* none at all would refuse everybody */
    l->workers = (unsigned)workers;
    l->connections = (size_t)all;
    l->connections_per_ip = (size_t)per_ip;
    return 0;
}
