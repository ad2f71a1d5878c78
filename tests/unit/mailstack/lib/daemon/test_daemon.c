/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon_main is a whole program: it runs in a child, and the test is its supervisor, with a
 * NOTIFY_SOCKET to hear it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/file.h"
#include "runtime/base/jv.h"
#include "runtime/base/log.h"
#include "runtime/base/loop.h"
#include "runtime/base/own.h"

#include "mailstack/lib/daemon/daemon.h"

#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

#define WAIT_MS 5000

struct world {
    struct tmpdir *dir;
    int notify_fd;
    pid_t pid;
};

/* --- a daemon of the test's own ----------------------------------------------------------------
 */

static int on_load(struct daemon *d, const struct jv *conf, struct err *err)
{
    static const char *const keys[] = {"n", "log_level", "drains", "listen", NULL};
    static int64_t n;

    if (jv_only(conf, keys, err) < 0 || jv_int(conf, "n", (struct jv_range){0, 9}, &n, err) < 0)
        return -1;
    d->ctx = &n;
    return 0;
}

static void say(struct daemon *d, const char *what)
{
    char text[64];

    (void)snprintf(text, sizeof(text), "STATUS=%s %d", what, (int)*(int64_t *)d->ctx);
    daemon_notify(text);
}

static int on_start(struct daemon *d, struct err *err)
{
    char path[] = "/bin/true";
    char *const argv[] = {path, NULL};

    if (*(int64_t *)d->ctx == 9)
        return err_set(err, 0, "nine is not started");
    if (execv(path, argv) < 0 && errno != EPERM)
        return err_set(err, errno, "execve was not refused");
    say(d, "start");
    return 0;
}

static void on_reload(struct daemon *d)
{
    say(d, "reload");
}

static void on_drain(struct daemon *d)
{
    say(d, "drain");
    loop_stop(d->loop);
}

static const char *const descriptors[] = {"smtp", NULL};
static const struct daemon_ops ops = {.name = "testd",
                                      .what = "nothing",
                                      .descriptors = descriptors,
                                      .load = on_load,
                                      .start = on_start,
                                      .reload = on_reload,
                                      .drain = on_drain};

/* --- its supervisor ----------------------------------------------------------------------------
 */

static int set_up(void **state)
{
    static struct world w;
    struct err err = {0};

    w = (struct world){.dir = tmpdir_new()};
    w.notify_fd = fd_unix_listen(tmpdir_path(w.dir, "notify"), SOCK_DGRAM, 0600, 0, &err);
    assert_ok(w.notify_fd, &err);
    assert_int_equal(setenv("NOTIFY_SOCKET", tmpdir_path(w.dir, "notify"), 1), 0);
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    if (w->pid > 0) {
        (void)kill(w->pid, SIGKILL);
        (void)waitpid(w->pid, NULL, 0);
    }
    own_close_fd(&w->notify_fd);
    tmpdir_free(w->dir);
    return 0;
}

static void put_conf(struct world *w, const char *text)
{
    struct err err = {0};

    assert_ok(file_put(w->dir->fd, "conf", str_of(text), 0600, &err), &err);
}

static void quiet(void)
{
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

    if (dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
        _exit(90);
}

static void run_with(struct world *w, int argc, char **argv)
{
    w->pid = fork();
    if (w->pid == 0) {
        (void)alarm(30);
        quiet();
        _exit(daemon_main(argc, argv, &ops));
    }
    assert_true(w->pid > 0);
}

static void run(struct world *w, const char *last)
{
    static char path[128];
    static char word[32];
    char name[] = "testd";
    char c[] = "-c";
    char *argv[] = {name, c, path, word, NULL};

    (void)snprintf(path, sizeof(path), "%s", tmpdir_path(w->dir, "conf"));
    (void)snprintf(word, sizeof(word), "%s", last ? last : "");
    run_with(w, last ? 4 : 3, argv);
}

static void hears(struct world *w, const char *want)
{
    struct pollfd p = {.fd = w->notify_fd, .events = POLLIN};
    char text[256];
    ssize_t n;

    assert_int_equal(poll(&p, 1, WAIT_MS), 1);
    n = recv(w->notify_fd, text, sizeof(text), 0);
    assert_str(((struct str){text, n > 0 ? (size_t)n : 0}), want);
}

static int ends(struct world *w)
{
    int status;

    assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
    w->pid = 0;
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void a_life_from_start_to_drain(void **state)
{
    struct world *w = *state;

    put_conf(w, "{\"n\": 1}");
    run(w, NULL);
    hears(w, "STATUS=start 1");
    hears(w, "READY=1");
    put_conf(w, "{\"n\": 2}");
    assert_int_equal(kill(w->pid, SIGHUP), 0);
    hears(w, "RELOADING=1");
    hears(w, "STATUS=reload 2");
    hears(w, "READY=1");
    assert_int_equal(kill(w->pid, SIGTERM), 0);
    hears(w, "STOPPING=1");
    hears(w, "STATUS=drain 2");
    assert_int_equal(ends(w), 0);
}

static void a_wrong_reload_keeps_the_old_configuration(void **state)
{
    static const char *const bad[] = {"{\"n\": 77}", "{", "{\"n\": 1, \"m\": 2}",
                                      "{\"n\": 1, \"log_level\": \"loud\"}"};
    struct world *w = *state;

    put_conf(w, "{\"n\": 1}");
    run(w, NULL);
    hears(w, "STATUS=start 1");
    hears(w, "READY=1");
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        put_conf(w, bad[i]);
        assert_int_equal(kill(w->pid, SIGHUP), 0);
        hears(w, "RELOADING=1");
        hears(w, "READY=1");
    }
    assert_int_equal(kill(w->pid, SIGINT), 0);
    hears(w, "STOPPING=1");
    hears(w, "STATUS=drain 1");
    assert_int_equal(ends(w), 0);
}

static void exit_codes_say_what_was_wrong(void **state)
{
    static const struct {
        const char *conf;
        const char *last;
        int code;
    } cases[] = {
        {"{\"n\": 1}", "--check", 0}, {"{\"n\": 77}", "--check", 2},
        {"{\"n\": 77}", NULL, 2},     {"{", NULL, 2},
        {"{\"n\": 9}", NULL, 1},      {"{\"n\": 1}", "--nonsense", 2},
        {"{\"n\": 1}", "-c", 2},      {"{}", "--version", 0},
        {"{}", "--help", 0},          {"{\"n\": 1, \"listen\": {\"smtp\": [\"x\"]}}", NULL, 1},
    };
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        put_conf(w, cases[i].conf);
        run(w, cases[i].last);
        assert_int_equal(ends(w), cases[i].code);
    }
    char name[] = "testd";
    char *argv[] = {name, NULL};

    run_with(w, 1, argv);
    assert_int_equal(ends(w), 2);
}

static void the_watchdog_is_fed(void **state)
{
    struct world *w = *state;

    assert_int_equal(setenv("WATCHDOG_USEC", "40000", 1), 0);
    put_conf(w, "{\"n\": 1}");
    run(w, NULL);
    assert_int_equal(unsetenv("WATCHDOG_USEC"), 0);
    hears(w, "STATUS=start 1");
    hears(w, "READY=1");
    hears(w, "WATCHDOG=1");
    hears(w, "WATCHDOG=1");
}

static void a_name_that_is_too_long_is_no_socket(void **state)
{
    struct world *w = *state;
    char longest[300];
    char c;

    memset(longest, 'x', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(setenv("NOTIFY_SOCKET", longest, 1), 0);
    daemon_notify("READY=1");
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
    daemon_notify("READY=1");
    assert_int_equal(recv(w->notify_fd, &c, 1, MSG_DONTWAIT), -1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_life_from_start_to_drain),
        CASE(a_wrong_reload_keeps_the_old_configuration),
        CASE(exit_codes_say_what_was_wrong),
        CASE(the_watchdog_is_fed),
        CASE(a_name_that_is_too_long_is_no_socket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
