/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events: figures of the cgroup, once or at an interval until the container has ended. An OOM kill
 * that happened since the last look is an event of its own, before the figures.
 */
#include <poll.h>
#include <stdint.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/jw.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"
#include "runtime/base/str.h"
#include "runtime/cli/cmd.h"

struct events_opts {
    const char *interval;
    struct opt_flag stats;
};

static const struct opt rows[] = {
    OPT_VALUE(events_opts, interval, OPT_KIND_TEXT, "interval", 0, "TIME",
              "how often, such as 5s (default) or 1m"),
    OPT_FLAG(events_opts, stats, "stats", 0, "print the figures once"),
};

#define INTERVAL_DEFAULT_S 5
#define INTERVAL_MAX_S     86400
#define LINE_TEXT_MAX      8192

/* A figure the kernel does not give is left out. */
static void figure(struct jw *w, const char *key, uint64_t v)
{
    if (v != UINT64_MAX)
        jw_uint(w, key, v);
}

static void format_stats(const char *id, const struct container_stats *s, struct buf *out)
{
    struct jw w = jw_start(out, JW_ONE_LINE);

    jw_object(&w, NULL);
    jw_c(&w, "type", "stats");
    jw_c(&w, "id", id);
    jw_object(&w, "data");
    jw_object(&w, "cpu");
    jw_object(&w, "usage");
    figure(&w, "total", s->cpu_ns);
    figure(&w, "kernel", s->cpu_system_ns);
    figure(&w, "user", s->cpu_user_ns);
    jw_end(&w);
    jw_end(&w);
    jw_object(&w, "memory");
    jw_object(&w, "usage");
    figure(&w, "limit", s->memory_limit);
    figure(&w, "usage", s->memory_bytes);
    figure(&w, "max", s->memory_peak);
    jw_end(&w);
    jw_end(&w);
    jw_object(&w, "pids");
    figure(&w, "current", s->pids);
    figure(&w, "limit", s->pids_limit);
    jw_end(&w);
    jw_end(&w);
    jw_end(&w);
    buf_append_char(out, '\n');
}

static void format_oom(const char *id, struct buf *out)
{
    struct jw w = jw_start(out, JW_ONE_LINE);

    jw_object(&w, NULL);
    jw_c(&w, "type", "oom");
    jw_c(&w, "id", id);
    jw_end(&w);
    buf_append_char(out, '\n');
}

static int look_once(struct cmd *c, uint64_t *oom_kills, struct err *err)
{
    own_buf struct buf out = BUF_INIT(LINE_TEXT_MAX);
    struct container_stats s;

    if (container_stats(&c->env, c->args[0], &s, err) < 0)
        return -1;
    if (*oom_kills != UINT64_MAX && s.oom_kills != UINT64_MAX && s.oom_kills > *oom_kills)
        format_oom(c->args[0], &out);
    *oom_kills = s.oom_kills;
    format_stats(c->args[0], &s, &out);
    return cmd_print(&out, err);
}

/* 1 while there is something to look at. The arena of its own keeps a long watch small. */
static int is_alive(struct cmd *c, struct err *err)
{
    struct arena *a = arena_new(1U << 22);
    struct container_state state;
    int rc = container_state(&c->env, c->args[0], a, &state, err);

    arena_free(a);
    return rc < 0 ? -1 : state.status != CONTAINER_STOPPED;
}

static int run(struct cmd *c, struct err *err)
{
    const struct events_opts *o = c->opts;
    uint64_t seconds = INTERVAL_DEFAULT_S, oom_kills = UINT64_MAX;
    int alive;

    if (o->interval != NULL &&
        num_parse_seconds(str_of(o->interval), INTERVAL_MAX_S, &seconds, err) < 0)
        return err_wrap(err, "option '--interval'");
    if (seconds == 0)
        return err_set(err, 0, "option '--interval': expected at least one second");
    if (o->stats.on)
        return look_once(c, &oom_kills, err);
    while ((alive = is_alive(c, err)) == 1) {
        if (look_once(c, &oom_kills, err) < 0)
            return -1;
        (void)poll(NULL, 0, (int)seconds * 1000); /* a signal just makes us look earlier */
    }
    return alive;
}

const struct verb cmd_events = {
    .name = "events",
    .usage = "[OPTIONS] CONTAINER-ID",
    .help = "print figures of a container as it runs",
    .opts = OPT_TABLE(rows, OPT_ANYWHERE),
    .opts_size = sizeof(struct events_opts),
    .args_min = 1,
    .args_max = 1,
    .doing = "events of container",
    .run = run,
};
