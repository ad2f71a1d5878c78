/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/stack/report.h"

#include <string.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/counter.h"
#include "runtime/base/jw.h"
#include "runtime/base/own.h"
#include "runtime/stack/files.h"
#include "runtime/stack/super.h"

#define ACCOUNTS_SHOWN 10

static const char *tls_of(enum stack_port p)
{
    return p == STACK_SUBMISSIONS || p == STACK_IMAPS || p == STACK_POP3S ? "TLS" : "STARTTLS";
}

static const char *state_of(const struct super *s, const struct service *v)
{
    if (!s->gen->v[v->svc->index].wanted && v->unit.state == UNIT_DOWN)
        return "off";
    return unit_state_names[v->unit.state];
}

static void json_counters(struct jw *w, const struct service *v)
{
    struct counter c;

    jw_object(w, "counters");
    for (unsigned i = 0; v->page && i < COUNTER_MAX; i++)
        if (counter_read(v->page, i, &c))
            jw_int(w, c.name, c.value);
    jw_end(w);
}

static void json_service(struct jw *w, const struct super *s, const struct service *v)
{
    const struct unit *u = &v->unit;

    jw_object(w, NULL);
    jw_c(w, "name", v->svc->name);
    jw_c(w, "state", state_of(s, v));
    jw_uint(w, "pid", (uint64_t)u->pid);
    jw_uint(w, "restarts", u->restarts);
    jw_uint(w, "memory_bytes", service_memory(v));
    jw_uint(w, "uptime_s", u->pid ? unit_uptime_ms(u) / 1000 : 0);
    jw_c(w, "last_exit", u->last_exit[0] ? u->last_exit : NULL);
    jw_c(w, "status", u->status[0] ? u->status : NULL);
    json_counters(w, v);
    jw_end(w);
}

static void json_endpoints(struct jw *w, const struct stack_config *c)
{
    jw_array(w, "endpoints");
    for (int p = 0; p < STACK_PORTS; p++)
        for (size_t i = 0; i < c->listen[p].n; i++) {
            jw_object(w, NULL);
            jw_c(w, "protocol", stack_port_names[p]);
            jw_c(w, "address", c->listen[p].v[i].text);
            jw_c(w, "tls", tls_of((enum stack_port)p));
            jw_end(w);
        }
    jw_end(w);
}

void report_json(const struct super *s, struct buf *out)
{
    own_buf struct buf files = BUF_INIT(1024);
    struct jw w = jw_start(out, JW_INDENT_TWO);

    jw_object(&w, NULL);
    jw_array(&w, "services");
    for (size_t i = 0; i < SVC_N; i++)
        json_service(&w, s, &s->v[i]);
    jw_end(&w);
    json_endpoints(&w, s->gen->config);
    jw_c(&w, "state", super_phase_names[s->phase]);
    jw_c(&w, "file", s->run->layout->file);
    jw_c(&w, "hostname", s->gen->config->hostname);
    jw_uint(&w, "pid", (uint64_t)getpid());
    jw_uint(&w, "uptime_s", (clock_now_ms() - s->started_ms) / 1000);
    jw_uint(&w, "start_ms", s->ready_ms);
    jw_c(&w, "dns_network", s->dns_note[0] ? s->dns_note : "own");
    jw_c(&w, "limits", s->run->layout->cgroup ? "set" : LAYOUT_NO_LIMITS);
    files_note(&s->gen->table, s->gen->config, &files);
    jw_str(&w, "open_files", buf_str(&files));
    jw_end(&w);
    buf_append_char(out, '\n');
}

/* --- Prometheus ---------------------------------------------------------------------------------
 */

static void family(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void sample(struct buf *out, const char *name, const char *service, int64_t value)
{
    buf_printf(out, "%s{service=\"%s\"} %lld\n", name, service, (long long)value);
}

static void own_figures(const struct super *s, struct buf *out)
{
    family(out, "mailstack_up", "gauge", "Whether the service is ready.");
    for (size_t i = 0; i < SVC_N; i++)
        sample(out, "mailstack_up", s->v[i].svc->name, s->v[i].unit.state == UNIT_UP);
    family(out, "mailstack_restarts_total", "counter", "Starts after the first.");
    for (size_t i = 0; i < SVC_N; i++)
        sample(out, "mailstack_restarts_total", s->v[i].svc->name, s->v[i].unit.restarts);
    family(out, "mailstack_memory_bytes", "gauge", "Memory of the service's cgroup.");
    for (size_t i = 0; i < SVC_N; i++)
        sample(out, "mailstack_memory_bytes", s->v[i].svc->name, (int64_t)service_memory(&s->v[i]));
}

static bool counter_named(const struct service *v, const char *name, struct counter *out)
{
    for (unsigned i = 0; v->page && i < COUNTER_MAX; i++)
        if (counter_read(v->page, i, out) && strcmp(out->name, name) == 0)
            return true;
    return false;
}

static bool seen_before(const struct super *s, size_t service, const char *name)
{
    struct counter c;

    for (size_t i = 0; i < service; i++)
        if (counter_named(&s->v[i], name, &c))
            return true;
    return false;
}

/* All samples of one name must stand together. */
static void one_counter(const struct super *s, size_t from, const char *name, struct buf *out)
{
    char full[COUNTER_NAME_MAX + 16];
    struct buf b = BUF_INIT(sizeof(full));
    bool total = str_ends(str_of(name), STR("_total"));

    buf_printf(&b, "mailstack_%s", name);
    buf_printf(out, "# TYPE %s %s\n", buf_c(&b), total ? "counter" : "gauge");
    for (size_t i = from; i < SVC_N; i++) {
        struct counter c;

        if (counter_named(&s->v[i], name, &c))
            sample(out, buf_c(&b), s->v[i].svc->name, c.value);
    }
    buf_done(&b);
}

void report_prometheus(const struct super *s, struct buf *out)
{
    own_figures(s, out);
    for (size_t i = 0; i < SVC_N; i++) {
        struct counter c;

        for (unsigned k = 0; s->v[i].page && k < COUNTER_MAX; k++)
            if (counter_read(s->v[i].page, k, &c) && !seen_before(s, i, c.name))
                one_counter(s, i, c.name, out);
    }
}

/* --- for people ---------------------------------------------------------------------------------
 */

void report_endpoints(const struct stack_config *c, struct buf *out)
{
    buf_printf(out, "  %-12s %-26s %s\n", "PROTOCOL", "ADDRESS", "TLS");
    for (int p = 0; p < STACK_PORTS; p++)
        for (size_t i = 0; i < c->listen[p].n; i++)
            buf_printf(out, "  %-12s %-26s %s\n", stack_port_names[p], c->listen[p].v[i].text,
                       tls_of((enum stack_port)p));
}

void report_accounts(const struct stack_config *c, struct buf *out)
{
    for (size_t i = 0; i < c->accounts.n && i < ACCOUNTS_SHOWN; i++)
        buf_printf(out, "%s%s", i ? ", " : "  ", c->accounts.v[i].address);
    if (c->accounts.n > ACCOUNTS_SHOWN)
        buf_printf(out, " and %zu more", c->accounts.n - ACCOUNTS_SHOWN);
    buf_append_c(out, c->accounts.n ? "\n" : "  none yet: mailbox-run user add FILE ADDRESS\n");
}
