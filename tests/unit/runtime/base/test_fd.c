/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/own.h"

#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

#define BIG_N 300000 /* more than a pipe holds */

static void whole_reads_and_writes_survive_short_counts(void **state)
{
    static char out[BIG_N];
    static char in[BIG_N];
    struct err err;
    int pipe_fd[2];
    pid_t pid;

    (void)state;
    for (size_t i = 0; i < BIG_N; i++)
        out[i] = (char)(i * 7);
    assert_ok(fd_pipe(pipe_fd, &err), &err);
    pid = fork();
    if (pid == 0)
        _exit(fd_write_all(pipe_fd[1], (struct str){out, BIG_N}, &err) == 0 ? 0 : 1);
    (void)close(pipe_fd[1]);
    assert_int_equal(fd_read_full(pipe_fd[0], in, BIG_N, &err), BIG_N);
    assert_memory_equal(in, out, BIG_N);
    assert_int_equal(fd_read_full(pipe_fd[0], in, 10, &err), 0);
    (void)close(pipe_fd[0]);
    (void)waitpid(pid, NULL, 0);
}

static void failures_name_their_cause(void **state)
{
    struct err err;
    char c;

    (void)state;
    assert_int_equal(fd_write_all(-1, STR("x"), &err), -1);
    assert_int_equal(err.code, EBADF);
    assert_int_equal(fd_read_full(-1, &c, 1, &err), -1);
    assert_int_equal(err.code, EBADF);
    assert_int_equal(fd_set_nonblock(-1, true, &err), -1);
    assert_int_equal(fd_set_cloexec(-1, &err), -1);
}

static void flags_go_on_and_off(void **state)
{
    struct err err;
    int pair[2];

    (void)state;
    assert_ok(fd_socketpair(SOCK_STREAM, pair, &err), &err);
    assert_true((fcntl(pair[0], F_GETFD) & FD_CLOEXEC) != 0);
    assert_return_code(fcntl(pair[0], F_SETFD, 0), errno);
    assert_ok(fd_set_cloexec(pair[0], &err), &err);
    assert_true((fcntl(pair[0], F_GETFD) & FD_CLOEXEC) != 0);
    assert_ok(fd_set_nonblock(pair[0], true, &err), &err);
    assert_true((fcntl(pair[0], F_GETFL) & O_NONBLOCK) != 0);
    assert_ok(fd_set_nonblock(pair[0], false, &err), &err);
    assert_true((fcntl(pair[0], F_GETFL) & O_NONBLOCK) == 0);
    (void)close(pair[0]);
    (void)close(pair[1]);
}

static void a_closed_descriptor_is_no_descriptor(void **state)
{
    struct err err;
    int pair[2], was = -1;

    (void)state;
    assert_ok(fd_socketpair(SOCK_STREAM, pair, &err), &err);
    was = pair[0];
    fd_close(&pair[0]);
    assert_int_equal(pair[0], -1);
    assert_true(fcntl(was, F_GETFD) < 0);
    fd_close(&pair[0]);
    assert_int_equal(pair[0], -1);
    fd_close(&pair[1]);
}

static void close_from_closes_all_above(void **state)
{
    struct err err;
    int status = 0;
    pid_t pid = fork();

    (void)state;
    if (pid == 0) {
        (void)dup2(0, 100);
        (void)dup2(0, 200);
        _exit(fd_close_from(100, &err) == 0 && fcntl(100, F_GETFD) < 0 && fcntl(200, F_GETFD) < 0
                  ? 0
                  : 1);
    }
    (void)waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
}

static int open_n(void)
{
    int n = 0;

    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void descriptors_travel_with_their_message(void **state)
{
    struct err err;
    int pair[2];
    int pipe_fd[2];
    int got[FD_PASS_MAX];
    size_t got_n = FD_PASS_MAX;
    char text[32];

    (void)state;
    assert_ok(fd_socketpair(SOCK_SEQPACKET, pair, &err), &err);
    assert_ok(fd_pipe(pipe_fd, &err), &err);
    assert_ok(fd_send(pair[0], STR("two"), pipe_fd, 2, &err), &err);
    assert_int_equal(fd_recv(pair[1], text, sizeof(text), got, &got_n, &err), 3);
    assert_memory_equal(text, "two", 3);
    assert_int_equal(got_n, 2);
    assert_true((fcntl(got[0], F_GETFD) & FD_CLOEXEC) != 0);
    assert_ok(fd_write_all(got[1], STR("through"), &err), &err);
    assert_int_equal(fd_read_full(pipe_fd[0], text, 7, &err), 7);
    assert_memory_equal(text, "through", 7);

    assert_ok(fd_send(pair[0], STR("none"), NULL, 0, &err), &err);
    assert_int_equal(fd_recv(pair[1], text, sizeof(text), got, &got_n, &err), 4);
    assert_int_equal(got_n, 0);
    (void)close(pair[0]);
    assert_int_equal(fd_recv(pair[1], text, sizeof(text), NULL, NULL, &err), 0);
    for (int i = 0; i < 2; i++) {
        (void)close(got[i]);
        (void)close(pipe_fd[i]);
    }
    (void)close(pair[1]);
}

static void what_does_not_fit_is_refused_without_a_leak(void **state)
{
    struct err err;
    int pair[2];
    int many[FD_PASS_MAX];
    int got[1];
    char text[8];
    int before;

    (void)state;
    assert_ok(fd_socketpair(SOCK_SEQPACKET, pair, &err), &err);
    for (size_t i = 0; i < FD_PASS_MAX; i++)
        many[i] = pair[0];
    before = open_n();
    for (size_t n = 2; n <= FD_PASS_MAX; n++) {
        size_t got_n = 1;

        assert_ok(fd_send(pair[0], STR("x"), many, n, &err), &err);
        assert_int_equal(fd_recv(pair[1], text, sizeof(text), got, &got_n, &err), -1);
        assert_int_equal(err.code, EMSGSIZE);
        assert_int_equal(open_n(), before);
    }
    assert_ok(fd_send(pair[0], STR("x"), many, 1, &err), &err);
    assert_int_equal(fd_recv(pair[1], text, sizeof(text), NULL, NULL, &err), -1);
    assert_ok(fd_send(pair[0], STR("nine bytes"), NULL, 0, &err), &err);
    assert_int_equal(fd_recv(pair[1], text, sizeof(text), NULL, NULL, &err), -1);
    assert_int_equal(open_n(), before);
    (void)close(pair[0]);
    (void)close(pair[1]);
}

static void an_empty_non_blocking_socket_says_eagain(void **state)
{
    struct err err;
    int pair[2];
    char c;

    (void)state;
    assert_ok(fd_socketpair(SOCK_STREAM | SOCK_NONBLOCK, pair, &err), &err);
    assert_int_equal(fd_recv(pair[1], &c, 1, NULL, NULL, &err), -1);
    assert_int_equal(err.code, EAGAIN);
    (void)close(pair[1]);
    assert_int_equal(fd_send(pair[0], STR("x"), NULL, 0, &err), -1); /* and no SIGPIPE */
    assert_int_equal(err.code, EPIPE);
    (void)close(pair[0]);
}

static void listen_and_connect_at(const char *path)
{
    struct err err;
    struct stat st;
    own_fd int listen_fd = fd_unix_listen(path, SOCK_STREAM, 0640, 4, &err);
    own_fd int fd = -1;

    assert_ok(listen_fd, &err);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    fd = fd_unix_connect(path, SOCK_STREAM, &err);
    assert_ok(fd, &err);
    assert_int_equal(fd_unix_listen(path, SOCK_STREAM, 0600, 4, &err), -1); /* it is in use */
    assert_int_equal(err.code, EADDRINUSE);
}

static void unix_sockets_at_any_length_of_path(void **state)
{
    const struct tmpdir *t = *state;
    char path[400];
    size_t n = strlen(t->path);

    memcpy(path, t->path, n);
    path[n] = '\0';
    while (n < sizeof(path) - 64) {
        assert_int_equal(snprintf(path + n, sizeof(path) - n, "/directory_%08zu", n), 19);
        n += 19;
        assert_int_equal(mkdir(path, 0700), 0);
        memcpy(path + n, "/sock", 6);
        listen_and_connect_at(path);
        listen_and_connect_at(path); /* what the first left behind is stale */
        path[n] = '\0';
    }
}

static void a_file_in_the_way_is_not_removed(void **state)
{
    const struct tmpdir *t = *state;
    const char *path = tmpdir_path(t, "file");
    struct err err;
    struct stat st;
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    (void)close(fd);
    assert_int_equal(fd_unix_listen(path, SOCK_STREAM, 0600, 4, &err), -1);
    assert_int_equal(err.code, EADDRINUSE);
    assert_true(stat(path, &st) == 0 && S_ISREG(st.st_mode));
    assert_int_equal(fd_unix_connect(tmpdir_path(t, "none"), SOCK_STREAM, &err), -1);
    assert_int_equal(err.code, ENOENT);
    assert_err(&err, "/none'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_reads_and_writes_survive_short_counts),
        cmocka_unit_test(failures_name_their_cause),
        cmocka_unit_test(flags_go_on_and_off),
        cmocka_unit_test(a_closed_descriptor_is_no_descriptor),
        cmocka_unit_test(close_from_closes_all_above),
        cmocka_unit_test(descriptors_travel_with_their_message),
        cmocka_unit_test(what_does_not_fit_is_refused_without_a_leak),
        cmocka_unit_test(an_empty_non_blocking_socket_says_eagain),
        cmocka_unit_test_setup_teardown(unix_sockets_at_any_length_of_path, tmpdir_setup,
                                        tmpdir_teardown),
        cmocka_unit_test_setup_teardown(a_file_in_the_way_is_not_removed, tmpdir_setup,
                                        tmpdir_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
