/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A change of any unit leads to one super_step at the end of the turn, which looks at all of them
 * and does what the phase asks. Nothing is started or stopped from anywhere else, so that the order
 * holds whatever happens at once.
 */
#include "runtime/stack/super.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"
#include "runtime/base/slim.h"
#include "runtime/stack/files.h"
#include "runtime/stack/keys.h"
#include "runtime/stack/place.h"

#define WATCH_SETTLE_MS 50

const char *const super_phase_names[] = {"starting", "running", "stopping", NULL};

bool super_wanted(const struct super *s, size_t i)
{
    return s->phase != SUPER_STOPPING && s->gen->v[i].wanted;
}

void super_step_soon(struct super *s)
{
    loop_defer(s->loop, &s->step);
}

static void progress(const struct super *s, const char *text)
{
    if (s->run->progress)
        s->run->progress(s->run->ctx, text);
}

/* --- the step -----------------------------------------------------------------------------------
 */

struct view { /* of all units at once */
    bool wanted[SVC_N];
    bool up[SVC_N];
    bool down[SVC_N];
    bool all_up;
    bool all_down;
    const struct service *failed;
};

static struct view look(const struct super *s)
{
    struct view v = {.all_up = true, .all_down = true};

    for (size_t i = 0; i < SVC_N; i++) {
        const struct unit *u = &s->v[i].unit;

        v.wanted[i] = super_wanted(s, i);
        v.up[i] = u->state == UNIT_UP;
        v.down[i] = unit_is_settled(u);
        v.all_up = v.all_up && (v.up[i] || !v.wanted[i]);
        v.all_down = v.all_down && v.down[i];
        if (u->state == UNIT_FAILED)
            v.failed = &s->v[i];
    }
    return v;
}

/* Each call may change the state of its unit, and with it what the next may do: look again. */
static void push_units(struct super *s)
{
    for (size_t i = 0; i < SVC_N; i++) {
        struct view v = look(s);
        struct unit *u = &s->v[i].unit;

        if (v.wanted[i] && u->state == UNIT_DOWN && order_may_start(&s->order, i, v.wanted, v.up))
            unit_event(u, UNIT_WANT_UP);
        else if (!v.wanted[i] && !v.down[i] && u->state != UNIT_STOPPING &&
                 order_may_stop(&s->order, i, v.wanted, v.down))
            unit_event(u, UNIT_WANT_DOWN);
    }
}

static void answer_up(struct super *s, struct str text)
{
    list_for_each (it, next, &s->control.asks) {
        struct control_ask *a = list_of(it, struct control_ask, node);

        if (a->wait != SUPER_WAIT_UP)
            continue;
        a->wait = SUPER_WAIT_NONE;
        control_answer(a, text);
    }
}

static void become_running(struct super *s)
{
    s->phase = SUPER_RUNNING;
    s->ready_ms = clock_now_ms() - s->started_ms;
    for (size_t i = 0; i < SVC_N; i++)
        s->v[i].unit.once = false;
    logs_say(&s->logs, LOG_LEVEL_INFO, "stack.ready", LOG_U("ms", s->ready_ms));
    if (s->run->ready)
        s->run->ready(s->run->ctx, s);
    slim_now();
}

/* A service that fell into back-off while somebody waits for all to be up: tell, do not hang. */
static void answer_fallen(struct super *s)
{
    for (size_t i = 0; i < SVC_N; i++) {
        const struct unit *u = &s->v[i].unit;

        if (u->state == UNIT_BACKOFF && u->next_ms > clock_now_ms()) {
            own_buf struct buf text = BUF_INIT(2048);

            buf_printf(&text, "error service '%s': %s\n", u->name, u->last_exit);
            answer_up(s, buf_str(&text));
        }
    }
}

static void on_step(struct loop_call *c)
{
    struct super *s = container_of(c, struct super, step);
    struct view v;

    push_units(s);
    v = look(s);
    if (s->phase == SUPER_STARTING && v.failed) {
        s->failed = true;
        super_stop(s);
    } else if (s->phase == SUPER_STARTING && v.all_up) {
        become_running(s);
    } else if (s->phase == SUPER_STOPPING && v.all_down) {
        loop_stop(s->loop);
    } else if (s->phase == SUPER_RUNNING && v.all_up) {
        answer_up(s, STR("ok\n"));
    } else if (s->phase == SUPER_RUNNING) {
        answer_fallen(s);
    }
}

void super_stop(struct super *s)
{
    if (s->phase == SUPER_STOPPING)
        return;
    logs_say(&s->logs, LOG_LEVEL_INFO, "stack.stop");
    s->phase = SUPER_STOPPING;
    answer_up(s, STR("error the stack is being stopped\n"));
    super_step_soon(s);
}

static void on_changed(void *ctx)
{
    super_step_soon(ctx);
}

static void on_signal(struct sig_watch *w, int signo)
{
    struct super *s = container_of(w, struct super, signals);

    if (signo == SIGHUP) {
        own_buf struct buf answer = BUF_INIT(CONTROL_TEXT_MAX);

        super_reload(s, &answer);
        return;
    }
    if (s->phase != SUPER_STOPPING) {
        progress(s, "stopping; once more to kill");
        super_stop(s);
        return;
    }
    if (s->killing)
        return;
    s->killing = true;
    for (size_t i = 0; i < SVC_N; i++)
        service_kill(&s->v[i]);
}

static void on_settle(struct loop_timer *t)
{
    super_accounts_changed(container_of(t, struct super, settle));
}

static void on_watch(struct watch *w)
{
    struct super *s = container_of(w, struct super, watch);

    loop_timer_set(s->loop, &s->settle, WATCH_SETTLE_MS);
}

/* --- preparing ----------------------------------------------------------------------------------
 */

int super_network(struct super *s, struct gen *g, struct err *err)
{
    struct err why = {0};

    s->dns_note[0] = '\0';
    if (g->config->dns.mode == STACK_DNS_HOST) {
        (void)snprintf(s->dns_note, sizeof(s->dns_note), "the host's, as \"dns.network\" asks");
        return 0;
    }
    if (dnsnet_up(&s->dnsnet, g->config, &why) == 0)
        return 0;
    if (dnsnet_down(&s->dnsnet, err) < 0)
        err_reset(err); /* what could not be made may not be there to be removed */
    (void)snprintf(s->dns_note, sizeof(s->dns_note),
                   "the host's, for it cannot have its own: %.400s", why.text);
    logs_say(&s->logs, LOG_LEVEL_WARN, "dns.network", LOG_S("error", why.text));
    return 0;
}

static int prepare_loop(struct super *s, struct err *err)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, 0};

    s->loop = loop_new(err);
    if (!s->loop)
        return -1;
    s->step.fn = on_step;
    s->settle.fn = on_settle;
    s->signals.fn = on_signal;
    s->watch.fn = on_watch;
    s->control.fn = super_ask;
    s->control.ctx = s;
    return sig_watch(s->loop, &s->signals, signals, err);
}

static int prepare_logs(struct super *s, struct err *err)
{
    const struct stack_config *c = s->gen->config;
    own_buf struct buf dir = BUF_INIT(8192);

    buf_printf(&dir, "%s/log", c->storage);
    if (logs_open(&s->logs, buf_c(&dir), c->log.size, c->log.keep, err) < 0)
        return -1;
    if (s->run->screen) {
        s->logs.screen_fd = STDOUT_FILENO;
        s->logs.colour = isatty(STDOUT_FILENO) == 1;
    }
    return 0;
}

static int prepare_services(struct super *s, struct err *err)
{
    for (size_t i = 0; i < SVC_N; i++) {
        const struct svc *svc = &s->gen->table.v[i];

        if (!s->gen->v[i].wanted)
            continue;
        if (place_service(s->gen, s->run->layout, svc, err) < 0 || service_open(&s->v[i], err) < 0)
            return -1;
        s->v[i].unit.once = true;
        dialpolicy_make(s->gen->a, s->gen->config, svc, &s->v[i].dial.policy);
    }
    return 0;
}

static int prepare(struct super *s, struct err *err)
{
    const struct layout *l = s->run->layout;
    struct gen_render r = {.l = l, .images = s->run->images, .files_max = files_ceiling()};
    struct listen first;

    if (order_make(&s->gen->table, &s->order, err) < 0 ||
        listen_prepare(&s->listen, s->gen->config, &first, err) < 0)
        return -1;
    listen_commit(&s->listen, &first);
    if (place_storage(s->gen->config, &s->gen->table, err) < 0 || prepare_logs(s, err) < 0)
        return -1;
    s->env.null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (s->env.null_fd < 0)
        return err_set(err, errno, "open '/dev/null'");
    if (keys_make(s->gen->config, err) < 0 || super_network(s, s->gen, err) < 0)
        return -1;
    progress(s, "images");
    r.host_network = !s->dnsnet.up;
    if (gen_render(s->gen, &r, err) < 0 || prepare_services(s, err) < 0 ||
        control_open(&s->control, s->loop, layout_of(s->gen->a, l, "control.sock", NULL), err) < 0)
        return -1;
    return watch_open(&s->watch, s->loop, s->gen->config->accounts_file, err);
}

static void init(struct super *s, const struct super_run *r)
{
    s->run = r;
    s->started_ms = clock_now_ms();
    s->logs.fd = -1;
    s->logs.dir_fd = -1;
    s->control.fd = -1;
    s->watch.fd = -1;
    dnsnet_init(&s->dnsnet, r->layout);
}

static void init_services(struct super *s)
{
    s->env = (struct service_env){.loop = s->loop,
                                  .logs = &s->logs,
                                  .layout = s->run->layout,
                                  .gen = s->gen,
                                  .listen = &s->listen,
                                  .dnsnet = &s->dnsnet,
                                  .null_fd = -1,
                                  .changed = on_changed,
                                  .ctx = s};
    for (size_t i = 0; i < SVC_N; i++)
        service_init(&s->v[i], &s->env, &s->gen->table.v[i]);
}

static void report_failure(const struct super *s, struct buf *report, struct err *err)
{
    for (size_t i = 0; i < SVC_N; i++) {
        const struct unit *u = &s->v[i].unit;

        if (u->state != UNIT_FAILED)
            continue;
        (void)err_set(err, 0, "service '%s' did not start: %s", u->name, u->last_exit);
        logs_pipe_tail(&s->v[i].pipe, report);
        return;
    }
    (void)err_set(err, 0, "a service did not start");
}

/* The failed unit is settled as it is; the others go down. Its state is kept for the report. */
static int serve(struct super *s, struct buf *report, struct err *err)
{
    progress(s, "starting the services");
    super_step_soon(s);
    if (loop_run(s->loop, err) < 0)
        return -1;
    if (!s->failed)
        return 0;
    report_failure(s, report, err);
    return -1;
}

static int run_all(struct super *s, struct buf *report, struct err *err)
{
    s->gen = gen_load(s->run->layout->file, report);
    if (!s->gen)
        return err_set(err, EINVAL, "'%s' is wrong", s->run->layout->file);
    init_services(s);
    return prepare(s, err) < 0 ? -1 : serve(s, report, err);
}

static void done(struct super *s, int rc)
{
    list_for_each (it, next, &s->control.asks) {
        struct control_ask *a = list_of(it, struct control_ask, node);

        if (a->wait == SUPER_WAIT_DOWN)
            buf_append_c(&a->out, rc == 0 ? "ok\n" : "error something was left behind\n");
    }
    control_flush(&s->control);
    control_close(&s->control);
    sig_unwatch(&s->signals);
    listen_done(&s->listen);
    logs_close(&s->logs);
    gen_free(s->gen);
    loop_free(s->loop);
}

int super_run(const struct super_run *r, struct buf *report, struct err *err)
{
    struct super *s = mem_type(struct super);
    struct err clean = {0};
    int rc;

    init(s, r);
    list_init(&s->control.asks);
    rc = prepare_loop(s, err);
    if (rc == 0)
        rc = run_all(s, report, err);
    watch_close(&s->watch);
    loop_timer_del(&s->settle);
    for (size_t i = 0; s->gen && i < SVC_N; i++)
        service_close(&s->v[i]);
    if (s->gen && s->env.null_fd >= 0)
        (void)close(s->env.null_fd);
    if (place_clean(r->layout, &clean) < 0 && rc == 0) {
        *err = clean;
        rc = -1;
    }
    done(s, rc);
    free(s);
    return rc;
}
