/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events: figures of the cgroup, once or at an interval until the container has ended, in the form
 * of runc. That it ran out of memory is an event of its own, printed at once.
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
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
              "how often, such as 500ms, 5s (default) or 1m30s"),
    OPT_FLAG(events_opts, stats, "stats", 0, "print the figures once"),
};

#define INTERVAL_DEFAULT_MS 5000
#define INTERVAL_MAX_S      86400
#define LINE_TEXT_MAX       (4U << 20)
#define LOOK_ARENA_MAX      (16U << 20) /* of one look, so that a long watch stays small */

/* --- as JSON ---------------------------------------------------------------------------------- */

/* A figure the kernel does not give is left out. */
static void figure(struct jw *w, const char *key, uint64_t v)
{
    if (v != UINT64_MAX)
        jw_uint(w, key, v);
}

static void format_cpu(struct jw *w, const struct container_stats *s)
{
    jw_object(w, "cpu");
    jw_object(w, "usage");
    figure(w, "total", s->cpu_ns);
    if (s->percpu_n > 0) {
        jw_array(w, "percpu");
        for (size_t i = 0; i < s->percpu_n; i++)
            jw_uint(w, NULL, s->percpu[i]);
        jw_end(w);
    }
    figure(w, "kernel", s->cpu_system_ns);
    figure(w, "user", s->cpu_user_ns);
    jw_end(w);
    jw_object(w, "throttling");
    figure(w, "periods", s->periods);
    figure(w, "throttledPeriods", s->throttled_periods);
    figure(w, "throttledTime", s->throttled_ns);
    jw_end(w);
    jw_end(w);
}

static void format_use(struct jw *w, const char *key, uint64_t limit, uint64_t usage)
{
    jw_object(w, key);
    figure(w, "limit", limit);
    figure(w, "usage", usage);
    jw_end(w);
}

static void format_memory(struct jw *w, const struct container_stats *s)
{
    jw_object(w, "memory");
    figure(w, "cache", s->memory_cache);
    jw_object(w, "usage");
    figure(w, "limit", s->memory_limit);
    figure(w, "usage", s->memory_bytes);
    figure(w, "max", s->memory_peak);
    figure(w, "failcnt", s->memory_fails);
    jw_end(w);
    format_use(w, "swap", s->swap_limit, s->swap_bytes);
    format_use(w, "kernel", UINT64_MAX, s->kernel_bytes);
    format_use(w, "kernelTCP", UINT64_MAX, s->tcp_bytes);
    jw_object(w, "raw");
    for (size_t i = 0; i < s->memory_raw_n; i++)
        figure(w, s->memory_raw[i].key, s->memory_raw[i].value);
    jw_end(w);
    jw_end(w);
}

static void format_io(struct jw *w, const char *key, const struct container_io_list *l)
{
    jw_array(w, key);
    for (size_t i = 0; i < l->n; i++) {
        jw_object(w, NULL);
        jw_uint(w, "major", l->v[i].major);
        jw_uint(w, "minor", l->v[i].minor);
        jw_c(w, "op", l->v[i].op);
        figure(w, "value", l->v[i].value);
        jw_end(w);
    }
    jw_end(w);
}

static void format_rest(struct jw *w, const struct container_stats *s)
{
    jw_object(w, "pids");
    figure(w, "current", s->pids);
    figure(w, "limit", s->pids_limit);
    jw_end(w);
    jw_object(w, "blkio");
    format_io(w, "ioServiceBytesRecursive", &s->io_bytes);
    format_io(w, "ioServicedRecursive", &s->io_ops);
    jw_end(w);
    jw_object(w, "hugetlb");
    for (size_t i = 0; i < s->huge_n; i++) {
        jw_object(w, s->huge[i].size);
        figure(w, "usage", s->huge[i].bytes);
        figure(w, "max", s->huge[i].peak);
        figure(w, "failcnt", s->huge[i].fails);
        jw_end(w);
    }
    jw_end(w);
}

static void format_stats(const char *id, const struct container_stats *s, struct buf *out)
{
    struct jw w = jw_start(out, JW_ONE_LINE);

    jw_object(&w, NULL);
    jw_c(&w, "type", "stats");
    jw_c(&w, "id", id);
    jw_object(&w, "data");
    format_cpu(&w, s);
    format_memory(&w, s);
    format_rest(&w, s);
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

/* --- looking ---------------------------------------------------------------------------------- */

enum look {
    LOOK_PRINT,
    LOOK_FOR_KILLS
};

/* A kill since the last look is told first. *kills: the number so far, UINT64_MAX at first. */
static int look(struct cmd *c, enum look how, uint64_t *kills, struct err *err)
{
    own_buf struct buf out = BUF_INIT(LINE_TEXT_MAX);
    struct arena *a = arena_new(LOOK_ARENA_MAX);
    struct container_stats s;
    int rc = container_stats_all(&c->env, c->args[0], a, &s, err);

    if (rc == 0 && *kills != UINT64_MAX && s.oom_kills != UINT64_MAX && s.oom_kills > *kills)
        format_oom(c->args[0], &out);
    if (rc == 0)
        *kills = s.oom_kills;
    if (rc == 0 && how == LOOK_PRINT)
        format_stats(c->args[0], &s, &out);
    arena_free(a);
    return rc < 0 || out.n == 0 ? rc : cmd_print(&out, err);
}

/* 1 while there is something to look at. */
static int is_alive(struct cmd *c, struct err *err)
{
    struct arena *a = arena_new(LOOK_ARENA_MAX);
    struct container_state state;
    int rc = container_state(&c->env, c->args[0], a, &state, err);

    /* Deleted while we watched: the end, and no error. */
    if (rc < 0)
        rc = err->code == ENOENT ? 0 : -1;
    else /* what is half made looks like what is half deleted: there is nothing to see of either */
        rc = state.status != CONTAINER_STOPPED && state.status != CONTAINER_CREATING;
    arena_free(a);
    return rc;
}

/* What is over in the first place is an error. */
static int check_alive(struct cmd *c, struct err *err)
{
    struct container_state state;

    if (container_state(&c->env, c->args[0], c->arena, &state, err) < 0)
        return -1;
    if (state.status == CONTAINER_STOPPED || state.status == CONTAINER_CREATING)
        return err_set(err, 0, "the container is %s, not running",
                       container_status_names[state.status]);
    return 0;
}

#define COUNT_TRIES   10
#define COUNT_STEP_MS 10

/* The kernel counts a kill a moment after it tells of the event. */
static void tell_of_kills(struct cmd *c, uint64_t *kills)
{
    uint64_t before = *kills;
    struct err ignored; /* the group may be gone already, and the loop will find that out */

    for (int i = 0; i < COUNT_TRIES && *kills == before; i++) {
        if (look(c, LOOK_FOR_KILLS, kills, &ignored) < 0)
            return;
        (void)poll(NULL, 0, COUNT_STEP_MS);
    }
}

/* Until the deadline, or an event of the memory. */
static void sleep_and_tell(struct cmd *c, int oom_fd, uint64_t until_ms, uint64_t *kills)
{
    struct pollfd fd = {.fd = oom_fd, .events = POLLIN};
    uint64_t now_ms = clock_now_ms();
    char ignored[4096];

    if (poll(&fd, 1, until_ms > now_ms ? (int)(until_ms - now_ms) : 0) <= 0)
        return;
    (void)!read(oom_fd, ignored, sizeof ignored); /* only that it came matters */
    tell_of_kills(c, kills);
}

static int watch(struct cmd *c, uint64_t interval_ms, struct err *err)
{
    struct err ignored; /* without the descriptor a kill is told at the next interval */
    own_fd int oom_fd = container_oom_fd(&c->env, c->args[0], &ignored);
    uint64_t kills = UINT64_MAX;
    int alive = 0;

    while ((alive = is_alive(c, err)) == 1) {
        uint64_t until_ms = clock_now_ms() + interval_ms;

        if (look(c, LOOK_PRINT, &kills, err) < 0)
            return is_alive(c, &ignored) == 1 ? -1 : 0;
        while (clock_now_ms() < until_ms && is_alive(c, &ignored) == 1)
            sleep_and_tell(c, oom_fd, until_ms, &kills);
    }
    return alive;
}

/* One "30s" off the front of *rest, as microseconds. */
static int parse_part(struct str *rest, uint64_t *us, struct err *err)
{
    static const struct {
        struct str name;
        uint64_t us;
    } units[] = {{STR_INIT("us"), 1},
                 {STR_INIT("ms"), 1000},
                 {STR_INIT("s"), 1000000},
                 {STR_INIT("m"), 60000000},
                 {STR_INIT("h"), 3600000000}};

    size_t n = 0, unit_n = 0;
    struct str unit;
    uint64_t v;

    while (n < rest->n && ascii_is_digit(rest->p[n]))
        n++;
    if (num_parse_u64(str_head(*rest, n), 0, INTERVAL_MAX_S * 1000ULL, &v, err) < 0)
        return -1;
    unit = str_skip(*rest, n);
    while (unit_n < unit.n && ascii_is_alpha(unit.p[unit_n]))
        unit_n++;
    unit = str_head(unit, unit_n);
    *rest = str_skip(*rest, n + unit_n);
    if (unit.n == 0) /* of a number alone they are seconds */
        unit = STR("s");
    for (size_t i = 0; i < ARRAY_N(units); i++)
        if (str_eq(unit, units[i].name)) {
            *us = v * units[i].us; /* far from overflowing, by the range of v */
            return 0;
        }
    return -1;
}

/* "500ms", "1m30s". */
static int parse_interval(const char *text, uint64_t *ms, struct err *err)
{
    struct str rest = text == NULL ? STR_NONE : str_of(text);
    uint64_t sum_us = 0;

    *ms = INTERVAL_DEFAULT_MS;
    if (text == NULL)
        return 0;
    do {
        uint64_t part_us = 0;

        if (parse_part(&rest, &part_us, err) < 0 || part_us > INTERVAL_MAX_S * 1000000ULL)
            return err_set(err, 0, "expected a time such as 500ms, 5s or 1m30s, found '%.64s'",
                           text);
        sum_us += part_us;
    } while (rest.n > 0 && sum_us <= INTERVAL_MAX_S * 1000000ULL);
    *ms = sum_us / 1000;
    return *ms == 0 || *ms > INTERVAL_MAX_S * 1000ULL
               ? err_set(err, 0, "expected a time from 1ms to 24h, found '%.64s'", text)
               : 0;
}

static int run(struct cmd *c, struct err *err)
{
    const struct events_opts *o = c->opts;
    uint64_t interval_ms = 0, kills = UINT64_MAX;

    if (parse_interval(o->interval, &interval_ms, err) < 0)
        return err_wrap(err, "option '--interval'");
    if (check_alive(c, err) < 0)
        return -1;
    return o->stats.on ? look(c, LOOK_PRINT, &kills, err) : watch(c, interval_ms, err);
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
