/* SPDX-License-Identifier: Apache-2.0 */
/*
 * With helpers of our own, shell scripts; the real ones are those of tests/oci/test_usernet.py.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"
#include "runtime/container/usernet.h"
#include "runtime/kernel/proc.h"

#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

static void write_script(struct tmpdir *t, const char *name, const char *script)
{
    own_buf struct buf text = BUF_INIT(4096);
    struct err err = {0};

    buf_printf(&text, "#!/bin/sh\n%s\n", script);
    assert_ok(file_put(AT_FDCWD, tmpdir_path(t, name), buf_str(&text), 0755, &err), &err);
}

static void it_is_found_in_the_path(void **state)
{
    struct tmpdir *t = *state;
    struct arena *a = arena_new(1 << 16);
    const struct usernet_kind *kind = NULL;
    struct err err = {0};
    own_buf struct buf path = BUF_INIT(4096);

    buf_printf(&path, "relative::%s", tmpdir_path(t, "bin"));
    assert_int_equal(setenv("PATH", buf_c(&path), 1), 0);
    assert_int_equal(mkdir(tmpdir_path(t, "bin"), 0755), 0);
    assert_null(usernet_find(a, &kind, &err));
    assert_err(&err, "install the package passt or slirp4netns");
    write_script(t, "bin/slirp4netns", "");
    assert_non_null(usernet_find(a, &kind, &err));
    assert_ptr_equal(kind, &usernet_slirp4netns);
    kind = &usernet_pasta;
    assert_null(usernet_find(a, &kind, &err));
    assert_err(&err, "'pasta' is not in $PATH: install the package passt");
    write_script(t, "bin/pasta", "");
    kind = NULL;
    assert_string_equal(usernet_find(a, &kind, &err), tmpdir_path(t, "bin/pasta"));
    assert_ptr_equal(kind, &usernet_pasta);
    arena_free(a);
}

static void words_are_one_line_without_noise(void **state)
{
    own_buf struct buf out = BUF_INIT(512);

    (void)state;
    usernet_words(STR("sent tapfd=5 for tap0\nFailed to send 47 bytes to syslog\n\n one \ntwo"),
                  &out);
    assert_string_equal(buf_c(&out), "one; two");
    buf_reset(&out);
    usernet_words(STR_NONE, &out);
    assert_int_equal(out.n, 0);
}

/* A process that stands for a container's first, and what is asked for it. */
static struct usernet_ask begin(struct tmpdir *t, const char *script)
{
    struct usernet_ask ask = {.kind = &usernet_pasta,
                              .program = tmpdir_path(t, "helper"),
                              .dir = tmpdir_path(t, "."),
                              .target = {.root = false}};

    write_script(t, "helper", script);
    ask.dir_fd = open(ask.dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    ask.target.pid = fork();
    if (ask.target.pid == 0)
        for (;;)
            (void)pause();
    ask.pid_fd = pidfd_open(ask.target.pid, 0);
    assert_true(ask.dir_fd >= 0 && ask.pid_fd >= 0);
    return ask;
}

static void end_container(const struct usernet_ask *ask)
{
    (void)kill(ask->target.pid, SIGKILL);
    assert_int_equal(waitpid(ask->target.pid, NULL, 0), ask->target.pid);
}

static bool is_alive(pid_t pid, uint64_t start)
{
    struct err err = {0};
    bool alive = false;

    assert_ok(proc_alive(pid, start, &alive, &err), &err);
    return alive;
}

static void finish(const struct usernet_ask *ask, const struct usernet *n)
{
    usernet_end(n);
    assert_false(n->minder.pid > 0 && is_alive(n->minder.pid, n->minder.start));
    assert_false(n->helper.pid > 0 && is_alive(n->helper.pid, n->helper.start));
    (void)close(ask->pid_fd);
    (void)close(ask->dir_fd);
}

static void it_lives_as_long_as_the_container(void **state)
{
    struct arena *a = arena_new(1 << 16);
    struct usernet_ask ask = begin(*state, "echo $$; exec sleep 60");
    struct usernet n;
    struct err err = {0};

    assert_ok(usernet_start(a, &ask, &n, &err), &err);
    assert_true(is_alive(n.minder.pid, n.minder.start));
    assert_true(is_alive(n.helper.pid, n.helper.start));
    end_container(&ask);
    finish(&ask, &n);
    arena_free(a);
}

static void what_it_says_when_it_fails_is_the_error(void **state)
{
    struct arena *a = arena_new(1 << 16);
    struct usernet_ask ask = begin(*state, "echo no such device >&2; exit 3");
    struct usernet n;
    struct err err = {0};

    assert_int_equal(usernet_start(a, &ask, &n, &err), -1);
    assert_string_equal(err.text, "pasta: exited with 3, saying: no such device");
    end_container(&ask);
    finish(&ask, &n);
    ask = begin(*state, "exec >&- 2>&-; exit 0");
    assert_int_equal(usernet_start(a, &ask, &n, &err), -1);
    assert_string_equal(err.text, "pasta: exited with 0");
    end_container(&ask);
    finish(&ask, &n);
    arena_free(a);
}

static void a_container_that_ends_meanwhile_ends_it(void **state)
{
    struct arena *a = arena_new(1 << 16);
    /* Its last argument is the pid of the container's process. */
    struct usernet_ask ask = begin(*state, "for p; do :; done; kill -9 $p; exec sleep 60");
    struct usernet n;
    struct err err = {0};

    assert_int_equal(usernet_start(a, &ask, &n, &err), -1);
    assert_string_equal(err.text, "pasta: the container's process has ended");
    end_container(&ask);
    finish(&ask, &n);
    arena_free(a);
}

static void a_helper_that_died_leaves_its_words(void **state)
{
    struct arena *a = arena_new(1 << 16);
    struct usernet_ask ask = begin(*state, "echo $$; echo tired >&2; sleep 0.1; exit 4");
    own_buf struct buf text = BUF_INIT(4096);
    struct usernet n;
    struct err err = {0};
    siginfo_t info;

    assert_ok(usernet_start(a, &ask, &n, &err), &err);
    assert_int_equal(waitid(P_PID, (id_t)n.minder.pid, &info, WEXITED | WNOWAIT), 0);
    assert_ok(file_read(ask.dir_fd, USERNET_LOG, &text, &err), &err);
    assert_string_equal(buf_c(&text), "pasta exited with 4, saying: tired\n");
    end_container(&ask);
    finish(&ask, &n);
    arena_free(a);
}

static void a_pid_of_somebody_else_is_left_alone(void **state)
{
    struct usernet n = {.minder = {getpid(), 1}, .helper = {getpid(), 1}};

    (void)state;
    usernet_end(&n); /* we live, but were started later than that */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, tmpdir_setup, tmpdir_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(words_are_one_line_without_noise),
        TEST(it_lives_as_long_as_the_container),
        TEST(what_it_says_when_it_fails_is_the_error),
        TEST(a_container_that_ends_meanwhile_ends_it),
        TEST(a_helper_that_died_leaves_its_words),
        TEST(a_pid_of_somebody_else_is_left_alone),
        TEST(it_is_found_in_the_path), /* last: it changes PATH */
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
