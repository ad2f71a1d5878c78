/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mb-image - builds the images of the daemons, shows and unpacks any
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"

#include "images/tool/cmd.h"

#define ARENA_MAX (256U << 20)
#define USAGE     2

static const char help[] =
    "usage: mb-image build -o LAYOUT [--programs DIR] [--files DIR] RECIPE...\n"
    "       mb-image show -o LAYOUT [IMAGE]\n"
    "       mb-image unpack -o LAYOUT IMAGE DIR\n"
    "       mb-image import -o LAYOUT SOURCE [NAME]\n"
    "       mb-image export -o LAYOUT IMAGE FILE\n"
    "       mb-image rm -o LAYOUT IMAGE\n"
    "\n"
    "  -o, --layout DIR    the OCI image layout; build and import make it if it is absent\n"
    "      --programs DIR  where the programs that recipes name are (build/stripped)\n"
    "      --files DIR     where their static files are (images/files)\n"
    "  -h, --help          this\n"
    "      --version       the version\n";

static const struct {
    const char *name;
    int (*run)(const struct call *c, struct err *err);
    int args_min;
    int args_max;
} verbs[] = {
    {"build", cmd_build, 1, 1000}, {"show", cmd_show, 0, 1},     {"unpack", cmd_unpack, 2, 2},
    {"import", cmd_import, 1, 2},  {"export", cmd_export, 2, 2}, {"rm", cmd_rm, 1, 1},
};

int cmd_print(const struct buf *out, struct err *err)
{
    if (buf_check(out, "the output", err) < 0)
        return -1;
    return fd_write_all(STDOUT_FILENO, buf_str(out), err);
}

enum {
    OPT_PROGRAMS = 256,
    OPT_FILES,
    OPT_VERSION
};

/* -1: go on; else an exit status. */
static int parse(int argc, char **argv, struct call *c)
{
    static const struct option longs[] = {
        {"layout", required_argument, NULL, 'o'},
        {"programs", required_argument, NULL, OPT_PROGRAMS},
        {"files", required_argument, NULL, OPT_FILES},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, OPT_VERSION},
        {NULL, 0, NULL, 0},
    };
    int o;

    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread */
    while ((o = getopt_long(argc, argv, "o:h", longs, NULL)) != -1) {
        if (o == 'o')
            c->layout = optarg;
        else if (o == OPT_PROGRAMS)
            c->programs = optarg;
        else if (o == OPT_FILES)
            c->files = optarg;
        else if (o == 'h')
            return fputs(help, stdout) < 0 ? 1 : 0;
        else if (o == OPT_VERSION)
            return puts("mb-image " MR_VERSION) < 0 ? 1 : 0;
        else
            return USAGE;
    }
    c->args = argv + optind;
    c->args_n = argc - optind;
    return -1;
}

static int usage(const char *why)
{
    (void)fprintf(stderr, "mb-image: %s\n%s", why, help);
    return USAGE;
}

static int run(struct call *c)
{
    struct err err = {0};

    for (size_t i = 0; i < ARRAY_N(verbs); i++) {
        if (strcmp(verbs[i].name, c->args[0]) != 0)
            continue;
        c->args++;
        c->args_n--;
        if (c->args_n < verbs[i].args_min || c->args_n > verbs[i].args_max)
            return usage("wrong number of arguments");
        if (!c->layout)
            return usage("no layout given");
        if (verbs[i].run(c, &err) == 0)
            return 0;
        (void)fprintf(stderr, "mb-image: %s\n", err.text);
        return 1;
    }
    return usage("unknown command");
}

int main(int argc, char **argv)
{
    struct call c = {
        .arena = arena_new(ARENA_MAX), .programs = "build/stripped", .files = "images/files"};
    int code = parse(argc, argv, &c);

    if (code < 0)
        code = c.args_n > 0 ? run(&c) : usage("no command given");
    arena_free(c.arena);
    return code;
}
