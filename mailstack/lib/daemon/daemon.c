/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/clock.h"
#include "runtime/base/counter.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/loop.h"
#include "runtime/base/num.h"
#include "runtime/base/sig.h"
#include "runtime/base/slim.h"

#include "mailstack/lib/daemon/given.h"

enum {
    EXIT_OK,
    EXIT_FAILED,
    EXIT_USAGE
};

struct args {
    const char *conf;
    bool check;
};

struct skeleton {
    struct daemon d;
    const struct daemon_ops *ops;
    struct args args;
    json_t *conf;
    struct sig_watch signals;
    struct loop_timer grace;
    struct loop_timer watchdog;
    uint64_t watchdog_ms;
};

static void usage(FILE *to, const struct daemon_ops *ops)
{
    (void)fprintf(to,
                  "usage: %s -c FILE [--check]\n"
                  "\n"
                  "%s\n"
                  "\n"
                  "  -c FILE     the configuration, JSON; %s(8) describes its keys\n"
                  "  --check     check the configuration and exit: 0, or 2 with the reason\n"
                  "  --version   print the version and exit\n"
                  "  --help      print this and exit\n",
                  ops->name, ops->what, ops->name);
}

/* -1: go on; else the exit code. */
static int parse_args(int argc, char **argv, const struct daemon_ops *ops, struct args *out)
{
    for (int i = 1; i < argc; i++) {
        struct str a = str_of(argv[i]);

        if (str_eq_c(a, "--help") || str_eq_c(a, "-h")) {
            usage(stdout, ops);
            return EXIT_OK;
        }
        if (str_eq_c(a, "--version")) {
            (void)printf("%s (mailbox-run) %s\n", ops->name, MR_VERSION);
            return EXIT_OK;
        }
        if (str_eq_c(a, "--check")) {
            out->check = true;
        } else if (str_eq_c(a, "-c") && i + 1 < argc) {
            out->conf = argv[++i];
        } else {
            (void)fprintf(stderr, "%s: unknown argument '%s'\n", ops->name, argv[i]);
            usage(stderr, ops);
            return EXIT_USAGE;
        }
    }
    if (out->conf)
        return -1;
    (void)fprintf(stderr, "%s: no configuration: give '-c FILE'\n", ops->name);
    return EXIT_USAGE;
}

static int set_log_level(const struct jv *root, struct err *err)
{
    static const char *const names[] = {"error", "warn", "info", "debug", NULL};
    size_t level = LOG_LEVEL_INFO;
    struct jv at = jv_member(root, "log_level");

    if (jv_has(root, "log_level") && jv_enum(&at, names, &level, err) < 0)
        return -1;
    log_set_level((enum log_level)level);
    return 0;
}

/* The new document takes the old one's place only if the daemon accepts it. */
static int load(struct skeleton *s, struct err *err)
{
    json_t *conf = jv_load_file(AT_FDCWD, s->args.conf, DAEMON_CONF_MAX, err);
    struct jv root;

    if (!conf)
        return -1;
    root = jv_root(conf);
    if (set_log_level(&root, err) < 0 || s->ops->load(&s->d, &root, err) < 0) {
        json_decref(conf);
        return err_wrap(err, "'%s'", s->args.conf);
    }
    json_decref(s->conf);
    s->conf = conf;
    return 0;
}

static void reload(struct skeleton *s)
{
    struct err err = {0};

    daemon_notify("RELOADING=1");
    if (load(s, &err) < 0) {
        log_warn("daemon.reload", LOG_S("result", "the old configuration stays"),
                 LOG_S("error", err.text));
    } else {
        if (s->ops->reload)
            s->ops->reload(&s->d);
        log_info("daemon.reload", LOG_S("result", "done"));
    }
    daemon_notify("READY=1");
}

static void drain(struct skeleton *s)
{
    daemon_notify("STOPPING=1");
    if (!s->ops->drain) {
        loop_stop(s->d.loop);
        return;
    }
    loop_timer_set(s->d.loop, &s->grace, DAEMON_DRAIN_S * UINT64_C(1000));
    s->ops->drain(&s->d);
}

static void on_signal(struct sig_watch *w, int signo)
{
    struct skeleton *s = container_of(w, struct skeleton, signals);

    if (signo == SIGHUP)
        reload(s);
    else
        drain(s);
}

static void on_grace(struct loop_timer *t)
{
    struct skeleton *s = container_of(t, struct skeleton, grace);

    log_warn("daemon.drain", LOG_S("result", "not done in the grace time"));
    loop_stop(s->d.loop);
}

static void on_watchdog(struct loop_timer *t)
{
    struct skeleton *s = container_of(t, struct skeleton, watchdog);

    daemon_notify("WATCHDOG=1");
    loop_timer_set(s->d.loop, t, s->watchdog_ms);
}

static void start_watchdog(struct skeleton *s)
{
    const char *text = getenv("WATCHDOG_USEC"); // NOLINT(concurrency-mt-unsafe): one thread
    struct err ignored = {0};
    uint64_t us;

    if (!text || num_parse_u64(str_of(text), 2000, UINT64_MAX, &us, &ignored) < 0)
        return;
    s->watchdog_ms = us / 2000;
    loop_timer_set(s->d.loop, &s->watchdog, s->watchdog_ms);
}

static int prepare(struct skeleton *s, struct err *err)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, 0};
    struct jv root = jv_root(s->conf);

    if (given_bind(s->d.given, &root, s->ops->descriptors, err) < 0)
        return -1;
    s->d.counters = counter_map(given_fd(s->d.given, "counters", 0), err);
    s->d.loop = loop_new(err);
    if (!s->d.counters || !s->d.loop)
        return -1;
    return sig_watch(s->d.loop, &s->signals, signals, err);
}

/* No execve before anything from outside is read; workers that `start` forked before the seal was
 * laid would be without it, so it comes first. */
static int serve(struct skeleton *s, struct err *err)
{
    if (prepare(s, err) < 0 || daemon_seal(err) < 0 || s->ops->start(&s->d, err) < 0)
        return -1;
    start_watchdog(s);
    daemon_notify("READY=1");
    log_info("daemon.ready", LOG_S("version", MR_VERSION));
    slim_now();
    return loop_run(s->d.loop, err);
}

static int fail(const struct skeleton *s, int code, const struct err *err)
{
    if (s->args.check)
        (void)fprintf(stderr, "%s: %s\n", s->ops->name, err->text);
    else
        log_error("daemon.fail", LOG_S("error", err->text));
    return code;
}

int daemon_main(int argc, char **argv, const struct daemon_ops *ops)
{
    struct skeleton s = {.d = {.name = ops->name}, .ops = ops};
    struct err err = {0};
    int done = parse_args(argc, argv, ops, &s.args);

    if (done >= 0)
        return done;
    s.signals.fn = on_signal;
    s.grace.fn = on_grace;
    s.watchdog.fn = on_watchdog;
    s.d.given = given_take(&err);
    if (!s.d.given)
        return fail(&s, EXIT_FAILED, &err);
    if (load(&s, &err) < 0)
        return fail(&s, EXIT_USAGE, &err);
    if (s.args.check)
        return EXIT_OK;
    if (serve(&s, &err) < 0)
        return fail(&s, EXIT_FAILED, &err);
    given_free(s.d.given);
    json_decref(s.conf);
    return EXIT_OK;
}
