/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mailbox-run-stack - the verbs of the mail stack; executed by mailbox-run, or by itself
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/fd.h"
#include "runtime/base/own.h"
#include "runtime/base/path.h"
#include "runtime/cli/stack/cmd.h"

#define ARENA_MAX (1U << 30)
#define HELP_MAX  65536

static const struct verb *const verbs[] = {&cmd_up,      &cmd_down,   &cmd_status,   &cmd_logs,
                                           &cmd_restart, &cmd_reload, &cmd_validate, &cmd_bundle,
                                           &cmd_user,    &cmd_queue,  &cmd_image};

struct globals {
    const char *images;
};

/* Some belong to mailbox-run's other verbs and stand in front of these, too, in scripts. */
static const struct opt global_rows[] = {
    OPT_VALUE(globals, images, OPT_KIND_PATH, "images", 0, "DIR",
              "the image layout to take images from (images beside the program)"),
    OPT_REFUSED("root", 0, "DIR", "a stack keeps its state in its own run directory"),
    OPT_REFUSED("cgroup-manager", 0, "HOW", "a stack needs cgroups"),
    OPT_REFUSED("log", 0, "FILE", "a stack logs below its storage, see 'mailbox-run logs'"),
    OPT_REFUSED("log-format", 0, "FORMAT", "a stack logs as logfmt"),
};

static const struct opt_table global_table = OPT_TABLE(global_rows, OPT_BEFORE_ARGS);

int cmd_print(const struct buf *out, struct err *err)
{
    if (buf_check(out, "output", err) < 0)
        return -1;
    return fd_write_all(STDOUT_FILENO, buf_str(out), err);
}

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < ARRAY_N(verbs); i++)
        if (strcmp(verbs[i]->name, name) == 0)
            return verbs[i];
    return NULL;
}

static int print_help(const struct verb *v, struct err *err)
{
    own_buf struct buf out = BUF_INIT(HELP_MAX);

    if (!v) {
        buf_append_c(&out, "usage: mailbox-run [OPTIONS] COMMAND ...\n\nThe mail stack:\n");
        for (size_t i = 0; i < ARRAY_N(verbs); i++)
            buf_printf(&out, "  %-10s %s\n", verbs[i]->name, verbs[i]->help);
        buf_append_c(&out, "\nOptions:\n");
        opt_help(&global_table, &out);
        return cmd_print(&out, err);
    }
    buf_printf(&out, "usage: mailbox-run %s %s\n\n%s\n", v->name, v->usage, v->help);
    if (v->more)
        buf_printf(&out, "\n%s\n", v->more);
    if (v->opts.n)
        buf_append_c(&out, "\nOptions:\n");
    opt_help(&v->opts, &out);
    return cmd_print(&out, err);
}

/* Beside the program as in build/, or where `make install` puts it. */
static const char *find_images(struct arena *a)
{
    static const char *const places[] = {"images", "../../share/mailbox-run/images",
                                         "../share/mailbox-run/images"};
    const char *given = secure_getenv("MAILBOX_RUN_IMAGES");
    own_free char *self = realpath("/proc/self/exe", NULL);

    if (given && *given)
        return given;
    for (size_t i = 0; self && i < ARRAY_N(places); i++) {
        own_buf struct buf path = BUF_INIT(8192);

        path_join(path_dir(str_of(self)), str_of(places[i]), &path);
        if (access(buf_c(&path), F_OK) == 0)
            return arena_copy(a, buf_str(&path));
    }
    return "/usr/share/mailbox-run/images";
}

static int run_verb(struct cmd *c, const struct verb *v, const struct opt_args *rest,
                    struct err *err)
{
    struct opt_args args = {0};
    void *opts = arena_alloc(c->arena, v->opts_size ? v->opts_size : 1);

    c->code = 2;
    if (opt_parse(c->arena, &v->opts, (struct opt_words){rest->v + 1, rest->n - 1}, opts, &args,
                  err) < 0)
        return err_wrap(err, "%s", v->name);
    if (args.help) {
        c->code = 0;
        return print_help(v, err);
    }
    if (args.n < v->args_min || args.n > v->args_max)
        return err_set(err, 0, "usage: mailbox-run %s %s", v->name, v->usage);
    c->opts = opts;
    c->args = args.v;
    c->args_n = args.n;
    c->code = 0;
    return v->run(c, err);
}

static int run_all(struct cmd *c, int argc, char **argv, struct err *err)
{
    struct globals g = {0};
    struct opt_args args = {0};
    const struct opt_words words = {(const char *const *)argv + 1, argc > 0 ? (size_t)argc - 1 : 0};
    const struct verb *v;

    c->code = 2;
    if (opt_parse(c->arena, &global_table, words, &g, &args, err) < 0)
        return -1;
    if (args.help || args.n == 0) {
        c->code = args.help ? 0 : 2;
        return print_help(NULL, err);
    }
    v = find_verb(args.v[0]);
    if (!v)
        return err_set(err, 0, "the command '%s' is not part of this version", args.v[0]);
    c->images = g.images ? g.images : find_images(c->arena);
    return run_verb(c, v, &args, err);
}

int main(int argc, char **argv)
{
    struct cmd c = {.arena = arena_new(ARENA_MAX), .argv = argv};
    struct err err = {0};

    /* Our caller may have it ignored: then our processes were gone before we have waited for them.
     */
    (void)signal(SIGCHLD, SIG_DFL);
    if (run_all(&c, argc, argv, &err) < 0) {
        own_buf struct buf line = BUF_INIT(ERR_TEXT_MAX * 2);

        buf_printf(&line, "mailbox-run: %s\n", err.text);
        (void)!write(STDERR_FILENO, line.p, line.n); /* nobody is left to tell */
        c.code = c.code ? c.code : 1;
    }
    arena_free(c.arena);
    return c.code;
}
