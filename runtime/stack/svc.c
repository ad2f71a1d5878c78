/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/stack/svc.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/jv.h"

#define SIZE_LIMIT ((uint64_t)1 << 40)

static int load_strings(struct arena *a, const struct jv *at, const char *key,
                        struct stack_strings *out, struct err *err)
{
    struct jv list;

    if (jv_opt_array(at, key, &list, err) < 0)
        return -1;
    size_t n = list.v ? jv_n(&list) : 0;

    out->v = arena_array(a, n + 1, sizeof(char *));
    for (size_t i = 0; i < n; i++) {
        struct jv e = jv_elem(&list, i);
        struct str s;

        if (jv_as_str(&e, &s, err) < 0)
            return -1;
        out->v[out->n++] = arena_copy(a, s);
    }
    return 0;
}

static int load_ports(struct arena *a, const struct jv *at, struct svc *s, struct err *err)
{
    struct stack_strings names = {0};

    if (load_strings(a, at, "ports", &names, err) < 0)
        return -1;
    for (size_t i = 0; i < names.n; i++)
        for (size_t p = 0; p < STACK_PORTS; p++)
            if (strcmp(names.v[i], stack_port_names[p]) == 0)
                s->ports[p] = true;
    return 0;
}

static int load_sockets(struct arena *a, const struct jv *at, struct svc *s, struct err *err)
{
    struct jv list;

    if (jv_opt_array(at, "sockets", &list, err) < 0)
        return -1;
    if (jv_n(&list) > SVC_SOCKETS_MAX)
        return jv_err(&list, err, "more than %d sockets", SVC_SOCKETS_MAX);
    for (size_t i = 0; i < jv_n(&list); i++) {
        struct jv e = jv_elem(&list, i);
        struct str name;
        struct str file;
        struct str type;

        if (jv_str(&e, "name", &name, err) < 0 || jv_str(&e, "file", &file, err) < 0 ||
            jv_str(&e, "type", &type, err) < 0)
            return -1;
        s->sockets[s->sockets_n++] = (struct svc_socket){
            .name = arena_copy(a, name),
            .file = arena_copy(a, file),
            .type = str_eq(type, STR("seqpacket")) ? SOCK_SEQPACKET : SOCK_STREAM};
    }
    return 0;
}

static int load_volumes(struct arena *a, const struct jv *at, struct svc *s, struct err *err)
{
    struct jv list;

    if (jv_opt_array(at, "volumes", &list, err) < 0)
        return -1;
    if (jv_n(&list) > SVC_VOLUMES_MAX)
        return jv_err(&list, err, "more than %d volumes", SVC_VOLUMES_MAX);
    for (size_t i = 0; i < jv_n(&list); i++) {
        struct jv e = jv_elem(&list, i);
        struct str from;
        struct str to;

        if (jv_str(&e, "from", &from, err) < 0 || jv_str(&e, "at", &to, err) < 0)
            return -1;
        s->volumes[s->volumes_n++] =
            (struct svc_volume){.from = arena_copy(a, from), .at = arena_copy(a, to)};
    }
    return 0;
}

static int load_secrets(struct arena *a, const struct jv *at, struct svc *s, struct err *err)
{
    static const struct {
        const char *name;
        unsigned bit;
    } known[] = {
        {"tls", SVC_TLS}, {"dkim", SVC_DKIM}, {"accounts", SVC_ACCOUNTS}, {"relay", SVC_RELAY}};
    struct stack_strings names = {0};

    if (load_strings(a, at, "secrets", &names, err) < 0)
        return -1;
    for (size_t i = 0; i < names.n; i++)
        for (size_t k = 0; k < ARRAY_N(known); k++)
            if (strcmp(names.v[i], known[k].name) == 0)
                s->secrets |= known[k].bit;
    return 0;
}

static int load_dial(const struct jv *at, struct svc *s, struct err *err)
{
    struct jv list;

    if (jv_opt_array(at, "dial", &list, err) < 0)
        return -1;
    s->dials = list.v != NULL;
    if (jv_n(&list) > SVC_DIAL_MAX)
        return jv_err(&list, err, "more than %d ports", SVC_DIAL_MAX);
    for (size_t i = 0; i < jv_n(&list); i++) {
        struct jv e = jv_elem(&list, i);
        int64_t port;

        if (jv_as_int(&e, (struct jv_range){1, 65535}, &port, err) < 0)
            return -1;
        s->dial[s->dial_n++] = (uint16_t)port;
    }
    return 0;
}

static int load_u32(const struct jv *at, const char *key, uint32_t *out, struct err *err)
{
    int64_t v;

    if (jv_int(at, key, (struct jv_range){1, 1000000}, &v, err) < 0)
        return -1;
    *out = (uint32_t)v;
    return 0;
}

static int load_numbers(const struct jv *at, struct svc *s, struct err *err)
{
    struct jv limits;
    struct jv times;

    if (jv_object(at, "limits", &limits, err) < 0 || jv_object(at, "times", &times, err) < 0 ||
        jv_opt_size(&limits, "memory", SIZE_LIMIT, 0, &s->limits.memory, err) < 0 ||
        load_u32(&limits, "pids", &s->limits.pids, err) < 0 ||
        load_u32(&limits, "nofile", &s->limits.nofile, err) < 0 ||
        load_u32(&times, "ready", &s->ready_s, err) < 0 ||
        load_u32(&times, "stop", &s->stop_s, err) < 0 ||
        load_u32(&times, "watchdog", &s->watchdog_s, err) < 0 ||
        jv_opt_size(at, "tmp", SIZE_LIMIT, 0, &s->tmp, err) < 0)
        return -1;
    struct jv cpus = jv_member(&limits, "cpus");

    if (json_is_number(cpus.v))
        s->limits.cpu_milli = (uint32_t)(json_number_value(cpus.v) * 1000.0);
    return 0;
}

static int load_one(struct arena *a, const struct jv *at, struct svc *s, struct err *err)
{
    struct str network;

    if (load_ports(a, at, s, err) < 0 || load_sockets(a, at, s, err) < 0 ||
        load_volumes(a, at, s, err) < 0 || load_secrets(a, at, s, err) < 0 ||
        load_dial(at, s, err) < 0 || load_numbers(at, s, err) < 0 ||
        load_strings(a, at, "talks", &s->talks, err) < 0 ||
        load_strings(a, at, "after", &s->after, err) < 0 ||
        jv_opt_str(at, "network", STR("none"), &network, err) < 0 ||
        jv_opt_bool(at, "mail_group", false, &s->mail_group, err) < 0 ||
        jv_opt_bool(at, "conf_at_start", false, &s->conf_at_start, err) < 0)
        return -1;
    s->dns_network = str_eq(network, STR("dns"));
    return 0;
}

int svc_load(struct arena *a, struct svc_table *out, struct err *err)
{
    memset(out, 0, sizeof(*out));
    for (unsigned i = 0; i < SVC_N; i++) {
        const struct specs_of *spec = specs_get(i);
        own_json json_t *doc = jv_load_str(str_of(spec->service), spec->name, err);
        struct jv root = jv_root(doc);

        out->v[i].name = spec->name;
        out->v[i].index = i;
        out->v[i].limits.service = spec->name;
        if (!doc || load_one(a, &root, &out->v[i], err) < 0)
            return err_wrap(err, "specs/services/%s.json", spec->name);
    }
    return 0;
}

const struct svc *svc_get(const struct svc_table *t, const char *name)
{
    for (size_t i = 0; i < SVC_N; i++)
        if (strcmp(t->v[i].name, name) == 0)
            return &t->v[i];
    return NULL;
}

static bool listens(const struct stack_config *c, enum stack_port p)
{
    return c->listen[p].n > 0;
}

bool svc_wanted(const struct svc *s, const struct stack_config *c)
{
    bool some = false;
    bool any = false;

    if (strcmp(s->name, "imapd") == 0)
        return listens(c, STACK_IMAP) || listens(c, STACK_IMAPS);
    if (strcmp(s->name, "pop3d") == 0)
        return listens(c, STACK_POP3) || listens(c, STACK_POP3S);
    for (int p = 0; p < STACK_PORTS; p++) {
        any = any || s->ports[p];
        some = some || (s->ports[p] && c->listen[p].n > 0);
    }
    return !any || some;
}

struct stack_limits svc_limits(const struct svc *s, const struct stack_config *c)
{
    struct stack_limits out = s->limits;
    const struct stack_limits *over = stack_limits_get(c, s->name);

    if (!over)
        return out;
    out.memory = over->memory ? over->memory : out.memory;
    out.pids = over->pids ? over->pids : out.pids;
    out.cpu_milli = over->cpu_milli ? over->cpu_milli : out.cpu_milli;
    out.nofile = over->nofile ? over->nofile : out.nofile;
    out.workers = over->workers;
    return out;
}

uint32_t svc_uid(const struct svc *s, const struct stack_config *c)
{
    return c->ids_base + 1 + s->index;
}

bool svc_is_rootless(void)
{
    return geteuid() != 0;
}

uint32_t svc_host_uid(const struct svc *s, const struct stack_config *c)
{
    return svc_is_rootless() ? geteuid() : svc_uid(s, c);
}

uint32_t svc_host_gid(const struct svc *s, const struct stack_config *c)
{
    return svc_is_rootless() ? getegid() : svc_uid(s, c);
}

uint32_t svc_setup_id(const struct stack_config *c)
{
    return c->ids_base;
}

uint32_t svc_mail_gid(const struct stack_config *c)
{
    return c->ids_base + 100;
}
