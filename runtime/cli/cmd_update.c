/* SPDX-License-Identifier: Apache-2.0 */
/*
 * update: limits come from --resources, a resources object as in config.json, or from options.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/fd.h"
#include "runtime/base/file.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"
#include "runtime/cli/cmd.h"
#include "runtime/spec/oci.h"

struct update_opts {
    const char *resources;
    const char *memory;
    const char *reservation;
    const char *swap;
    const char *cpus;
    const char *mems;
    const char *kernel;
    const char *kernel_tcp;
    const char *l3_schema;
    const char *bandwidth;
    struct opt_number blkio_weight;
    struct opt_number period;
    struct opt_number quota;
    struct opt_number burst;
    struct opt_number shares;
    struct opt_number idle;
    struct opt_number rt_period;
    struct opt_number rt_runtime;
    struct opt_number pids;
};

#define NUMBER(m, name, min, help) OPT_NUMBER(update_opts, m, name, 0, "N", min, INT64_MAX, help)
#define TEXT(m, name, value, help) OPT_VALUE(update_opts, m, OPT_KIND_TEXT, name, 0, value, help)

static const struct opt rows[] = {
    OPT_VALUE(update_opts, resources, OPT_KIND_TEXT, "resources", 'r', "FILE",
              "a resources object as in config.json; '-' is standard input"),
    NUMBER(blkio_weight, "blkio-weight", 0, "relative weight of block I/O, 10 to 1000"),
    NUMBER(period, "cpu-period", 0, "period of the CPU limit, in microseconds"),
    NUMBER(quota, "cpu-quota", -1, "CPU time in a period, in microseconds; -1: no limit"),
    NUMBER(burst, "cpu-burst", 0, "CPU time that may be saved up, in microseconds"),
    NUMBER(shares, "cpu-share", 0, "relative weight of CPU time"),
    NUMBER(shares, "cpu-shares", 0, "the same"),
    NUMBER(idle, "cpu-idle", 0, "1: only CPU time that nobody else wants"),
    NUMBER(rt_period, "cpu-rt-period", 0, "period of the realtime limit, in microseconds"),
    NUMBER(rt_runtime, "cpu-rt-runtime", -1, "realtime CPU time in a period, in microseconds"),
    TEXT(cpus, "cpuset-cpus", "LIST", "CPUs it may run on, such as 0-3,7"),
    TEXT(mems, "cpuset-mems", "LIST", "memory nodes it may use"),
    TEXT(memory, "memory", "SIZE", "memory limit, such as 512M; -1: none"),
    TEXT(reservation, "memory-reservation", "SIZE", "memory that is not taken from it lightly"),
    TEXT(swap, "memory-swap", "SIZE", "limit of memory and swap together; -1: none"),
    TEXT(kernel, "kernel-memory", "SIZE", "obsolete: kernels since 5.16 have no such limit"),
    TEXT(kernel_tcp, "kernel-memory-tcp", "SIZE", "obsolete, the same"),
    NUMBER(pids, "pids-limit", -1, "number of processes; -1: no limit"),
    TEXT(l3_schema, "l3-cache-schema", "LINE", "share of the L3 cache, such as L3:0=f0;1=f"),
    TEXT(bandwidth, "mem-bw-schema", "LINE", "memory bandwidth, such as MB:0=20;1=70"),
};

#define RESOURCES_MAX (1U << 20)

static int read_stdin(struct buf *out, struct err *err)
{
    for (;;) {
        char chunk[4096];
        ssize_t n = fd_read_full(STDIN_FILENO, chunk, sizeof chunk, err);

        if (n <= 0)
            return n < 0 ? -1 : buf_check(out, "standard input", err);
        buf_append_n(out, chunk, (size_t)n);
    }
}

static int load_resources(struct cmd *c, const char *path, struct oci_resources *r, struct err *err)
{
    own_buf struct buf text = BUF_INIT(RESOURCES_MAX);
    int rc =
        strcmp(path, "-") == 0 ? read_stdin(&text, err) : file_read(AT_FDCWD, path, &text, err);

    return rc < 0 ? -1 : oci_load_resources(c->arena, buf_str(&text), r, err);
}

/* "512m", and as others write it: "512mb", "512MiB". */
static struct str without_unit(struct str s)
{
    const struct str units[] = {STR("ib"), STR("b")};

    for (size_t i = 0; i < ARRAY_N(units); i++)
        if (str_iends(s, units[i]))
            return str_head(s, s.n - units[i].n);
    return s;
}

/* An empty text says nothing, as the engines that fill in a template have it. */
static int set_size(const char *text, const char *option, struct oci_i64 *out, struct err *err)
{
    uint64_t v;

    if (text == NULL || *text == '\0')
        return 0;
    if (strcmp(text, "-1") == 0) {
        *out = (struct oci_i64){true, -1};
        return 0;
    }
    if (num_parse_size(without_unit(str_of(text)), INT64_MAX, &v, err) < 0)
        return err_wrap(err, "option '%s'", option);
    *out = (struct oci_i64){true, (int64_t)v};
    return 0;
}

static void set_uint(const struct opt_number *n, struct oci_u64 *out)
{
    if (n->given)
        *out = (struct oci_u64){true, (uint64_t)n->v};
}

static const char *text_or_null(const char *text)
{
    return text != NULL && *text != '\0' ? text : NULL;
}

static void set_int(const struct opt_number *n, struct oci_i64 *out)
{
    if (n->given)
        *out = (struct oci_i64){true, n->v};
}

static int from_options(const struct update_opts *o, struct oci_resources *r, struct err *err)
{
    if (o->blkio_weight.v != 0) /* as runc has it: 0 is none */
        set_uint(&o->blkio_weight, &r->blkio.weight);
    set_uint(&o->period, &r->cpu.period);
    set_int(&o->quota, &r->cpu.quota);
    set_uint(&o->burst, &r->cpu.burst);
    set_uint(&o->shares, &r->cpu.shares);
    set_int(&o->idle, &r->cpu.idle);
    set_uint(&o->rt_period, &r->cpu.rt_period);
    set_int(&o->rt_runtime, &r->cpu.rt_runtime);
    set_int(&o->pids, &r->pids_limit);
    r->cpu.cpus = text_or_null(o->cpus);
    r->cpu.mems = text_or_null(o->mems);
    if (set_size(o->memory, "--memory", &r->memory.limit, err) < 0 ||
        set_size(o->reservation, "--memory-reservation", &r->memory.reservation, err) < 0 ||
        set_size(o->kernel, "--kernel-memory", &r->memory.kernel, err) < 0 ||
        set_size(o->kernel_tcp, "--kernel-memory-tcp", &r->memory.kernel_tcp, err) < 0)
        return -1;
    return set_size(o->swap, "--memory-swap", &r->memory.swap, err);
}

static int update_rdt(struct cmd *c, const struct update_opts *o, struct err *err)
{
    const char *given[] = {text_or_null(o->l3_schema), text_or_null(o->bandwidth)};
    const char *lines[ARRAY_N(given)];
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_N(given); i++)
        if (given[i] != NULL)
            lines[n++] = given[i];
    return n == 0 ? 0 : container_update_rdt(&c->env, c->args[0], lines, n, err);
}

static int run(struct cmd *c, struct err *err)
{
    const struct update_opts *o = c->opts;
    struct oci_resources r = {0};
    int rc =
        o->resources != NULL ? load_resources(c, o->resources, &r, err) : from_options(o, &r, err);

    if (rc < 0 || container_update(&c->env, c->args[0], &r, err) < 0)
        return -1;
    return update_rdt(c, o, err);
}

const struct verb cmd_update = {
    .name = "update",
    .usage = "[OPTIONS] CONTAINER-ID",
    .help = "change the limits of a container",
    .opts = OPT_TABLE(rows, OPT_ANYWHERE),
    .opts_size = sizeof(struct update_opts),
    .args_min = 1,
    .args_max = 1,
    .doing = "update container",
    .run = run,
};
