/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats: single figures by a table that knows both cgroup versions; lists by a function each. What
 * the kernel does not give is absent, never an error.
 */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"
#include "runtime/container/container.h"
#include "runtime/container/maker.h"
#include "runtime/container/state.h"

#define TEXT_MAX  (1U << 20)
#define LINES_MAX 4096

/* --- figures ---------------------------------------------------------------------------------- */

struct figure {
    const char *controller;
    const char *v1_file;
    const char *v2_file;
    const char *key; /* of a "key value" line; NULL: the file is the number */
    const char *v2_key;
    uint64_t v1_scale;
    uint64_t v2_scale;
    size_t offset;
};

#define FIGURE(member) offsetof(struct container_stats, member)
#define TICK_NS        10000000 /* USER_HZ is 100 on every architecture */

/* clang-format off */
static const struct figure figures[] = {
    {"memory", "memory.usage_in_bytes", "memory.current", NULL, NULL, 1, 1, FIGURE(memory_bytes)},
    {"memory", "memory.limit_in_bytes", "memory.max", NULL, NULL, 1, 1, FIGURE(memory_limit)},
    {"memory", "memory.max_usage_in_bytes", "memory.peak", NULL, NULL, 1, 1, FIGURE(memory_peak)},
    {"memory", "memory.failcnt", "memory.events", NULL, "max", 1, 1, FIGURE(memory_fails)},
    {"memory", "memory.stat", "memory.stat", "total_cache", "file", 1, 1, FIGURE(memory_cache)},
    {"memory", "memory.memsw.usage_in_bytes", "memory.swap.current", NULL, NULL, 1, 1, FIGURE(swap_bytes)},
    {"memory", "memory.memsw.limit_in_bytes", "memory.swap.max", NULL, NULL, 1, 1, FIGURE(swap_limit)},
    {"memory", "memory.kmem.usage_in_bytes", "memory.stat", NULL, "kernel", 1, 1, FIGURE(kernel_bytes)},
    {"memory", "memory.kmem.tcp.usage_in_bytes", "memory.stat", NULL, "sock", 1, 1, FIGURE(tcp_bytes)},
    {"memory", "memory.oom_control", "memory.events", "oom_kill", "oom_kill", 1, 1, FIGURE(oom_kills)},
    {"cpuacct", "cpuacct.usage", "cpu.stat", NULL, "usage_usec", 1, 1000, FIGURE(cpu_ns)},
    {"cpuacct", "cpuacct.stat", "cpu.stat", "user", "user_usec", TICK_NS, 1000, FIGURE(cpu_user_ns)},
    {"cpuacct", "cpuacct.stat", "cpu.stat", "system", "system_usec", TICK_NS, 1000, FIGURE(cpu_system_ns)},
    {"cpu", "cpu.stat", "cpu.stat", "nr_periods", "nr_periods", 1, 1, FIGURE(periods)},
    {"cpu", "cpu.stat", "cpu.stat", "nr_throttled", "nr_throttled", 1, 1, FIGURE(throttled_periods)},
    {"cpu", "cpu.stat", "cpu.stat", "throttled_time", "throttled_usec", 1, 1000, FIGURE(throttled_ns)},
    {"pids", "pids.current", "pids.current", NULL, NULL, 1, 1, FIGURE(pids)},
    {"pids", "pids.max", "pids.max", NULL, NULL, 1, 1, FIGURE(pids_limit)},
};

/* clang-format on */

static struct str find_value(struct str text, const char *key)
{
    struct str line = STR_NONE, name = STR_NONE, value = STR_NONE;

    if (key == NULL)
        return text;
    while (str_next(&text, '\n', &line))
        if (str_cut(line, ' ', &name, &value) && str_eq_c(name, key))
            return value;
    return STR_NONE;
}

/* v1 says "no limit" as the largest multiple of a page in a signed number. */
#define V1_UNLIMITED (INT64_MAX - 65535)

static uint64_t number_of(struct str text)
{
    struct err ignored;
    uint64_t v = 0;

    if (num_parse_u64(str_trim(text), 0, UINT64_MAX, &v, &ignored) < 0 || v >= V1_UNLIMITED)
        return UINT64_MAX;
    return v;
}

static uint64_t read_figure(const struct cgroup *g, const struct figure *f)
{
    own_buf struct buf text = BUF_INIT(65536);
    const struct cgroup_hier *h = cgroup_find(g, f->controller);
    struct err ignored;
    uint64_t v = 0;

    if (h == NULL || cgroup_read(h, h->v2 ? f->v2_file : f->v1_file, &text, &ignored) < 0)
        return UINT64_MAX;
    v = number_of(find_value(buf_str(&text), h->v2 ? f->v2_key : f->key));
    return v == UINT64_MAX ? v : v * (h->v2 ? f->v2_scale : f->v1_scale);
}

static void read_figures(const struct cgroup *g, struct container_stats *out)
{
    for (size_t i = 0; i < ARRAY_N(figures); i++) {
        uint64_t v = read_figure(g, &figures[i]);

        memcpy((char *)out + figures[i].offset, &v, sizeof v);
    }
}

/* --- lists ------------------------------------------------------------------------------------ */

struct reading {
    const struct cgroup *g;
    struct arena *a;
    struct buf text;
};

/* The file's content until the next call; nothing if there is none. */
static struct str content(struct reading *r, const char *controller, const char *v1, const char *v2)
{
    const struct cgroup_hier *h = cgroup_find(r->g, controller);
    const char *file = h == NULL ? NULL : h->v2 ? v2 : v1;
    struct err ignored;

    buf_reset(&r->text);
    if (file == NULL || cgroup_read(h, file, &r->text, &ignored) < 0)
        return STR_NONE;
    return buf_str(&r->text);
}

static void read_raw(struct reading *r, struct container_stats *out)
{
    struct str text = content(r, "memory", "memory.stat", "memory.stat"), line, key, value;
    struct container_number *v = arena_array(r->a, LINES_MAX, sizeof *v);
    size_t n = 0;

    while (v != NULL && n < LINES_MAX && str_next(&text, '\n', &line))
        if (str_cut(line, ' ', &key, &value))
            v[n++] = (struct container_number){arena_copy(r->a, key), number_of(value)};
    out->memory_raw = v;
    out->memory_raw_n = v == NULL ? 0 : n;
}

static void read_percpu(struct reading *r, struct container_stats *out)
{
    struct str text = content(r, "cpuacct", "cpuacct.usage_percpu", NULL), word;
    uint64_t *v = arena_array(r->a, LINES_MAX, sizeof *v);
    size_t n = 0;

    while (v != NULL && n < LINES_MAX && str_next(&text, ' ', &word))
        if (str_trim(word).n > 0)
            v[n++] = number_of(word);
    out->percpu = v;
    out->percpu_n = v == NULL ? 0 : n;
}

static bool cut_device(struct str text, struct container_io_figure *out)
{
    struct str major, minor;

    if (!str_cut(text, ':', &major, &minor))
        return false;
    out->major = number_of(major);
    out->minor = number_of(minor);
    return out->major != UINT64_MAX && out->minor != UINT64_MAX;
}

static void add_io(struct reading *r, struct container_io_list *l, struct container_io_figure x,
                   struct str op)
{
    if (l->v == NULL)
        l->v = arena_array(r->a, LINES_MAX, sizeof *l->v);
    if (l->v == NULL || l->n >= LINES_MAX)
        return;
    x.op = arena_copy(r->a, op);
    l->v[l->n++] = x;
}

/* v1: "8:0 Read 4096". */
static void read_io_v1(struct reading *r, const char *file, struct container_io_list *l)
{
    struct str text = content(r, "blkio", file, NULL), line, device, rest, op, value;

    while (str_next(&text, '\n', &line)) {
        struct container_io_figure x = {.major = 0};

        if (!str_cut(line, ' ', &device, &rest) || !str_cut(rest, ' ', &op, &value) ||
            !cut_device(device, &x))
            continue;
        x.value = number_of(value);
        add_io(r, l, x, op);
    }
}

/* v2: "8:0 rbytes=4096 wbytes=0 rios=1 wios=0 ...". */
static void read_io_v2(struct reading *r, struct container_stats *out)
{
    struct str text = content(r, "io", NULL, "io.stat"), line, device, rest, word, key, value;

    while (str_next(&text, '\n', &line)) {
        struct container_io_figure x = {.major = 0};

        if (!str_cut(line, ' ', &device, &rest) || !cut_device(device, &x))
            continue;
        while (str_next(&rest, ' ', &word)) {
            if (!str_cut(word, '=', &key, &value))
                continue;
            x.value = number_of(value);
            if (str_eq_c(key, "rbytes") || str_eq_c(key, "wbytes"))
                add_io(r, &out->io_bytes, x, key.p[0] == 'r' ? STR("Read") : STR("Write"));
            else if (str_eq_c(key, "rios") || str_eq_c(key, "wios"))
                add_io(r, &out->io_ops, x, key.p[0] == 'r' ? STR("Read") : STR("Write"));
        }
    }
}

/* "hugepages-2048kB" to "2MB", as the files of the controller are called. */
static const char *page_size(struct arena *a, const char *name)
{
    struct str s = str_of(name);
    struct err ignored;
    uint64_t kb = 0;

    if (!str_starts(s, STR("hugepages-")) || !str_ends(s, STR("kB")))
        return NULL;
    s = str_skip(str_head(s, s.n - 2), sizeof "hugepages-" - 1);
    if (num_parse_u64(s, 1, UINT32_MAX, &kb, &ignored) < 0)
        return NULL;
    if (kb >= 1U << 20)
        return arena_printf(a, "%lluGB", (unsigned long long)(kb >> 20));
    return kb >= 1U << 10 ? arena_printf(a, "%lluMB", (unsigned long long)(kb >> 10))
                          : arena_printf(a, "%lluKB", (unsigned long long)kb);
}

static uint64_t huge_figure(struct reading *r, const char *size, const char *v1, const char *v2)
{
    return number_of(content(r, "hugetlb", arena_printf(r->a, "hugetlb.%s.%s", size, v1),
                             v2 == NULL ? NULL : arena_printf(r->a, "hugetlb.%s.%s", size, v2)));
}

static void close_dir(DIR **dir)
{
    if (*dir != NULL)
        (void)closedir(*dir);
}

#define HUGE_MAX 16 /* page sizes of one machine */

static void read_huge(struct reading *r, struct container_stats *out)
{
    DIR *dir __attribute__((cleanup(close_dir))) = opendir("/sys/kernel/mm/hugepages");

    out->huge = arena_array(r->a, HUGE_MAX, sizeof *out->huge);
    if (dir == NULL || out->huge == NULL)
        return;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone */
    for (struct dirent *e; out->huge_n < HUGE_MAX && (e = readdir(dir)) != NULL;) {
        struct container_huge x = {.size = page_size(r->a, e->d_name)};

        if (x.size == NULL)
            continue;
        x.bytes = huge_figure(r, x.size, "usage_in_bytes", "current");
        x.peak = huge_figure(r, x.size, "max_usage_in_bytes", NULL);
        x.fails = huge_figure(r, x.size, "failcnt", NULL);
        if (x.bytes != UINT64_MAX)
            out->huge[out->huge_n++] = x;
    }
}

/* --- the whole -------------------------------------------------------------------------------- */

static int load(const struct container_env *env, const char *id, struct arena *a, struct state *out,
                struct err *err)
{
    if (state_load(env, id, a, out, err) < 0)
        return -1;
    (void)close(out->dir_fd);
    return out->cgroup.n > 0 ? 0 : err_set(err, ENOTSUP, "the container has no cgroup");
}

int container_stats(const struct container_env *env, const char *id, struct container_stats *out,
                    struct err *err)
{
    struct arena *a = arena_new(MAKER_ARENA_MAX);
    struct state s;
    int r = load(env, id, a, &s, err);

    if (r == 0) {
        *out = (struct container_stats){.memory_bytes = 0};
        read_figures(&s.cgroup, out);
    }
    arena_free(a);
    return r;
}

int container_stats_all(const struct container_env *env, const char *id, struct arena *a,
                        struct container_stats *out, struct err *err)
{
    struct reading r = {.a = a, .text = BUF_INIT(TEXT_MAX)};
    struct state s;

    if (load(env, id, a, &s, err) < 0)
        return -1;
    *out = (struct container_stats){.memory_bytes = 0};
    r.g = &s.cgroup;
    read_figures(&s.cgroup, out);
    read_raw(&r, out);
    read_percpu(&r, out);
    read_io_v1(&r, "blkio.throttle.io_service_bytes_recursive", &out->io_bytes);
    read_io_v1(&r, "blkio.throttle.io_serviced_recursive", &out->io_ops);
    read_io_v2(&r, out);
    read_huge(&r, out);
    buf_done(&r.text);
    return arena_failed(a) ? err_set(err, ENOMEM, "the container's figures") : 0;
}
