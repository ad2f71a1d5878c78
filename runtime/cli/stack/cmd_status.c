/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/jv.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"
#include "runtime/cli/stack/cmd.h"
#include "runtime/stack/control.h"
#include "runtime/stack/layout.h"
#include "runtime/stack/place.h"

struct status_opts {
    struct opt_flag json;
    struct opt_flag prometheus;
};

static const struct opt rows[] = {
    OPT_FLAG(status_opts, json, "json", 0, "print JSON"),
    OPT_FLAG(status_opts, prometheus, "prometheus", 0, "print metrics as Prometheus text"),
};

static int64_t number(const struct jv *at, const char *key)
{
    return json_integer_value(jv_member(at, key).v);
}

static const char *text(const struct jv *at, const char *key)
{
    const char *s = json_string_value(jv_member(at, key).v);

    return s ? s : "";
}

static void format_uptime(int64_t s, struct buf *out)
{
    if (s >= 86400)
        buf_printf(out, "%lldd%lldh", (long long)(s / 86400), (long long)(s % 86400 / 3600));
    else if (s >= 3600)
        buf_printf(out, "%lldh%lldm", (long long)(s / 3600), (long long)(s % 3600 / 60));
    else if (s >= 60)
        buf_printf(out, "%lldm%llds", (long long)(s / 60), (long long)(s % 60));
    else
        buf_printf(out, "%llds", (long long)s);
}

static void format_service(const struct jv *s, struct buf *out)
{
    char memory[NUM_TEXT_MAX];
    struct buf uptime = BUF_INIT(64);

    num_format_size((uint64_t)number(s, "memory_bytes"), memory);
    if (number(s, "pid"))
        format_uptime(number(s, "uptime_s"), &uptime);
    buf_printf(out, "%-9s %-9s %8lld %9lld %9s %9s  %s\n", text(s, "name"), text(s, "state"),
               (long long)number(s, "pid"), (long long)number(s, "restarts"), memory,
               buf_c(&uptime), text(s, "last_exit")[0] ? text(s, "last_exit") : text(s, "status"));
    buf_done(&uptime);
}

static int format_all(const struct buf *answer, struct buf *out, struct err *err)
{
    own_json json_t *doc = jv_load_str(buf_str(answer), "status", err);
    struct jv root = jv_root(doc);
    struct jv services;
    struct jv endpoints;

    if (!doc || jv_array(&root, "services", &services, err) < 0 ||
        jv_array(&root, "endpoints", &endpoints, err) < 0)
        return -1;
    buf_printf(out, "%s is %s, since ", text(&root, "hostname"), text(&root, "state"));
    format_uptime(number(&root, "uptime_s"), out);
    buf_printf(out, "; supervisor %lld; dnsd's network: %s; limits: %s\n",
               (long long)number(&root, "pid"), text(&root, "dns_network"), text(&root, "limits"));
    if (strcmp(text(&root, "open_files"), "set") != 0)
        buf_printf(out, "open files: %s\n", text(&root, "open_files"));
    buf_append_char(out, '\n');
    buf_printf(out, "%-9s %-9s %8s %9s %9s %9s  %s\n", "SERVICE", "STATE", "PID", "RESTARTS",
               "MEMORY", "UPTIME", "LAST EXIT OR STATUS");
    for (size_t i = 0; i < jv_n(&services); i++) {
        struct jv s = jv_elem(&services, i);

        format_service(&s, out);
    }
    buf_append_char(out, '\n');
    for (size_t i = 0; i < jv_n(&endpoints); i++) {
        struct jv e = jv_elem(&endpoints, i);

        buf_printf(out, "%-12s %-26s %s\n", text(&e, "protocol"), text(&e, "address"),
                   text(&e, "tls"));
    }
    return 0;
}

static int print_down(struct cmd *c, const struct status_opts *o, struct err *err)
{
    own_buf struct buf out = BUF_INIT(8192);

    c->code = 1;
    if (o->json.on)
        buf_append_c(&out, "{\"services\": [], \"state\": \"down\"}\n");
    else
        buf_printf(&out, "'%s' %s\n", c->args[0], cmd_not_up());
    return cmd_print(&out, err);
}

static int run(struct cmd *c, struct err *err)
{
    const struct status_opts *o = c->opts;
    own_buf struct buf answer = BUF_INIT(CONTROL_TEXT_MAX);
    own_buf struct buf out = BUF_INIT(CONTROL_TEXT_MAX);
    struct layout l;

    if (layout_find(c->arena, c->args[0], &l, err) < 0)
        return -1;
    if (!place_is_locked(&l))
        return print_down(c, o, err);
    if (cmd_ask(c, c->args[0], o->prometheus.on ? "prometheus" : "status", CONTROL_ASK_S, &answer,
                err) < 0)
        return -1;
    if (o->json.on || o->prometheus.on)
        return cmd_print(&answer, err);
    if (format_all(&answer, &out, err) < 0)
        return -1;
    return cmd_print(&out, err);
}

const struct verb cmd_status = {
    .name = "status",
    .usage = "[--json | --prometheus] FILE",
    .help = "what runs, and how it fares",
    .more = "The exit status is 1 if the stack is not up.",
    .opts = OPT_TABLE(rows, OPT_ANYWHERE),
    .opts_size = sizeof(struct status_opts),
    .args_min = 1,
    .args_max = 1,
    .run = run,
};
