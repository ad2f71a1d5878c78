/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors are given from number 3 on: each case runs in a child of its own. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/jv.h"
#include "runtime/base/own.h"

#include "mailstack/lib/daemon/given.h"

#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

static int in_child(int (*fn)(void))
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(fn());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* n descriptors from 3 on, not cloexec, as an exec would have left them. */
static void give(int n)
{
    for (int i = 0; i < n; i++)
        if (dup2(STDERR_FILENO, 3 + i) < 0)
            _exit(90);
    if (close_range((unsigned)(3 + n), ~0u, 0) < 0)
        _exit(91);
}

static void env(const char *fds, const char *pid, const char *names)
{
    (void)(fds ? setenv("LISTEN_FDS", fds, 1) : unsetenv("LISTEN_FDS"));
    (void)(pid ? setenv("LISTEN_PID", pid, 1) : unsetenv("LISTEN_PID"));
    (void)(names ? setenv("LISTEN_FDNAMES", names, 1) : unsetenv("LISTEN_FDNAMES"));
}

static int names_and_order(void)
{
    struct err err = {0};
    struct given *g;
    const char *name = NULL;

    give(4);
    env("4", NULL, "smtp:dial:smtp:");
    g = given_take(&err);
    if (!g || given_fd(g, "smtp", 0) != 3 || given_fd(g, "smtp", 1) != 5)
        return 1;
    if (given_fd(g, "smtp", 2) != -1 || given_fd(g, "smt", 0) != -1 || given_fd(g, "dial", 0) != 4)
        return 2;
    if (given_at(g, 3, &name) != 6 || given_at(g, 4, &name) != -1)
        return 3;
    for (int fd = 3; fd < 7; fd++)
        if (!(fcntl(fd, F_GETFD) & FD_CLOEXEC))
            return 4;
    if (getenv("LISTEN_FDS") || getenv("LISTEN_PID") || getenv("LISTEN_FDNAMES"))
        return 5; /* a child must not take them for its own */
    given_free(g);
    return fcntl(3, F_GETFD) >= 0 ? 6 : 0;
}

static void given_descriptors_have_their_names(void **state)
{
    (void)state;
    assert_int_equal(in_child(names_and_order), 0);
}

static int for_another_process(void)
{
    struct err err = {0};
    struct given *g;

    give(1);
    env("1", "1", "smtp");
    g = given_take(&err);
    return g && given_fd(g, "smtp", 0) == -1 && fcntl(3, F_GETFD) >= 0 ? 0 : 1;
}

static int for_this_process(void)
{
    struct err err = {0};
    struct given *g;
    char pid[16];

    give(1);
    (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
    env("1", pid, NULL);
    g = given_take(&err);
    return g && given_fd(g, "unknown", 0) == 3 ? 0 : 1;
}

static void the_process_id_says_who_is_meant(void **state)
{
    (void)state;
    assert_int_equal(in_child(for_another_process), 0);
    assert_int_equal(in_child(for_this_process), 0);
}

static int refused(const char *fds, int n)
{
    struct err err = {0};

    give(n);
    env(fds, NULL, "a:b:c");
    if (given_take(&err) != NULL)
        return 1;
    return err.text[0] ? 0 : 2;
}

static int one_is_missing(void)
{
    return refused("3", 2);
}

static int no_number(void)
{
    return refused("two", 3);
}

static int too_many(void)
{
    return refused("65", 3);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    assert_int_equal(in_child(one_is_missing), 0);
    assert_int_equal(in_child(no_number), 0);
    assert_int_equal(in_child(too_many), 0);
}

static const char *const names[] = {"lmtp", "session", NULL};

static int bind_text(struct given *g, const char *text, struct err *err)
{
    own_json json_t *doc = jv_load_str(str_of(text), "conf", err);
    struct jv root = jv_root(doc);

    return given_bind(g, &root, names, err);
}

static int type_of(int fd)
{
    int type = 0;
    socklen_t n = sizeof(type);

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) < 0 ? -1 : type;
}

static void what_was_not_given_is_bound(void **state)
{
    const struct tmpdir *t = *state;
    own_buf struct buf conf = BUF_INIT(1024);
    struct err err = {0};
    struct given *g;
    struct stat st;

    env(NULL, NULL, NULL);
    g = given_take(&err);
    assert_non_null(g);
    buf_printf(&conf, "{\"listen\": {\"lmtp\": [\"%s/a\", \"%s/b\"], \"session\": [\"%s/c\"]}}",
               t->path, t->path, t->path);
    assert_ok(bind_text(g, buf_c(&conf), &err), &err);
    assert_int_equal(type_of(given_fd(g, "lmtp", 0)), SOCK_STREAM);
    assert_int_equal(type_of(given_fd(g, "lmtp", 1)), SOCK_STREAM);
    assert_int_equal(type_of(given_fd(g, "session", 0)), SOCK_SEQPACKET);
    assert_int_equal(fstatat(t->fd, "a", &st, 0), 0);
    assert_int_equal(st.st_mode & 07, 0); /* not for everybody */
    own_fd int fd = fd_unix_connect(tmpdir_path(t, "b"), SOCK_STREAM, &err);

    assert_ok(fd, &err);
    /* A second daemon does not take the socket away from one that listens. */
    struct given *other = given_take(&err);

    assert_int_equal(bind_text(other, buf_c(&conf), &err), -1);
    assert_err(&err, "$.listen.lmtp[0]");
    given_free(other);
    given_free(g);
}

static void a_wrong_address_is_named(void **state)
{
    static const char *const bad[] = {
        "{\"listen\": []}",
        "{\"listen\": {\"lmtp\": \"/x\"}}",
        "{\"listen\": {\"lmtp\": [7]}}",
        "{\"listen\": {\"imap\": [\"127.0.0.1:1\"]}}",
        "{\"listen\": {\"lmtp\": [\"127.0.0.1\"]}}",
        "{\"listen\": {\"lmtp\": [\"127.0.0.1:0\"]}}",
        "{\"listen\": {\"lmtp\": [\"127.0.0.1:65536\"]}}",
        "{\"listen\": {\"lmtp\": [\"localhost:25\"]}}",
        "{\"listen\": {\"lmtp\": [\"[::1:25\"]}}",
        "{\"listen\": {\"lmtp\": [\"/nowhere/at/all\"]}}",
    };

    (void)state;
    env(NULL, NULL, NULL);
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        struct err err = {0};
        struct given *g = given_take(&err);

        assert_int_equal(bind_text(g, bad[i], &err), -1);
        assert_err(&err, "$.listen");
        given_free(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(given_descriptors_have_their_names),
        cmocka_unit_test(the_process_id_says_who_is_meant),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test_setup_teardown(what_was_not_given_is_bound, tmpdir_setup, tmpdir_teardown),
        cmocka_unit_test(a_wrong_address_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
