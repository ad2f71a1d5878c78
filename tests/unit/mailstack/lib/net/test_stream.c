/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "runtime/base/fd.h"
#include "runtime/base/own.h"

#include "mailstack/lib/net/stream.h"

#include "tests/lib/peer.h"
#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

#define WAIT_MS 5000

/* A stream and the other end, in this process. */
static struct stream *pair(int *peer_fd)
{
    struct err err = {0};
    int fds[2];

    assert_ok(fd_socketpair(SOCK_STREAM, fds, &err), &err);
    *peer_fd = fds[1];
    return stream_new(fds[0], WAIT_MS);
}

static void say(int fd, struct str s)
{
    assert_int_equal(send(fd, s.p, s.n, MSG_NOSIGNAL), s.n);
}

static void lines_are_read_however_they_came(void **state)
{
    static const struct peer_step steps[] = {{PEER_SEND_SLOWLY, "220 hello\r\n"},
                                             {PEER_SEND, "250-a\r\n250 b\r\n\r\nrest"},
                                             {PEER_EXPECT, "EHLO me\r\n"},
                                             {PEER_EXPECT_END, NULL}};
    struct peer p;
    struct stream *s = stream_new(peer_start(&p, steps, ARRAY_N(steps)), WAIT_MS);
    struct err err = {0};
    struct str line;

    (void)state;
    assert_ok(stream_line(s, 100, &line, &err), &err);
    assert_str(line, "220 hello");
    assert_ok(stream_line(s, 100, &line, &err), &err);
    assert_str(line, "250-a");
    assert_ok(stream_line(s, 100, &line, &err), &err);
    assert_str(line, "250 b");
    assert_ok(stream_line(s, 100, &line, &err), &err);
    assert_int_equal(line.n, 0);
    assert_ok(stream_printf(s, &err, "EHLO %s\r\n", "me"), &err);
    assert_ok(stream_flush(s, &err), &err);
    stream_free(s);
    assert_true(peer_end(&p));
}

static void a_bad_line_is_an_error(void **state)
{
    static const struct {
        struct str in;
        int code;
    } cases[] = {
        {STR_INIT("abc\n"), EBADMSG},
        {STR_INIT("\n"), EBADMSG},
        {STR_INIT("a\rb\r\n"), EBADMSG},
        {STR_INIT("a\r\r\n"), EBADMSG},
        {STR_INIT("0123456789\r\n"), EMSGSIZE},
        {STR_INIT("012345678901234"), EMSGSIZE},
        {STR_INIT("abc"), EPIPE},
        {STR_INIT(""), EPIPE},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        int peer_fd;
        struct stream *s = pair(&peer_fd);
        struct err err = {0};
        struct str line;

        if (cases[i].in.n)
            say(peer_fd, cases[i].in);
        (void)close(peer_fd);
        assert_int_equal(stream_line(s, 11, &line, &err), -1);
        assert_int_equal(err.code, cases[i].code);
        stream_free(s);
    }
}

static void a_line_of_exactly_the_limit_is_read(void **state)
{
    int peer_fd;
    struct stream *s = pair(&peer_fd);
    struct err err = {0};
    struct str line;

    (void)state;
    say(peer_fd, STR("012345678\r\n"));
    assert_ok(stream_line(s, 11, &line, &err), &err);
    assert_int_equal(line.n, 9);
    stream_free(s);
    (void)close(peer_fd);
}

static void a_silent_peer_is_waited_for_so_long(void **state)
{
    int peer_fd;
    struct stream *s = pair(&peer_fd);
    struct err err = {0};
    struct str line;
    uint64_t before = clock_now_ms();

    (void)state;
    stream_set_timeout(s, 30);
    assert_int_equal(stream_line(s, 100, &line, &err), -1);
    assert_int_equal(err.code, ETIMEDOUT);
    assert_true(clock_now_ms() - before < WAIT_MS);
    stream_free(s);
    (void)close(peer_fd);
}

static void a_peer_that_does_not_read_is_waited_for_so_long(void **state)
{
    int peer_fd;
    struct stream *s = pair(&peer_fd);
    struct err err = {0};
    char *block = calloc(1, 4u << 20);

    (void)state;
    stream_set_timeout(s, 30);
    assert_int_equal(stream_write(s, (struct str){block, 4u << 20}, &err), -1);
    assert_int_equal(err.code, ETIMEDOUT);
    free(block);
    stream_free(s);
    (void)close(peer_fd);
}

static void some_bytes_are_shown_until_they_are_used_up(void **state)
{
    int peer_fd;
    struct stream *s = pair(&peer_fd);
    struct err err = {0};
    struct str some;
    char exact[4];

    (void)state;
    say(peer_fd, STR("0123456789"));
    assert_ok(stream_some(s, &some, &err), &err);
    assert_str(some, "0123456789");
    stream_consume(s, 3);
    assert_str(stream_pending(s), "3456789");
    assert_ok(stream_some(s, &some, &err), &err);
    assert_str(some, "3456789");
    assert_ok(stream_exact(s, exact, 4, &err), &err);
    assert_memory_equal(exact, "3456", 4);
    (void)close(peer_fd);
    assert_ok(stream_some(s, &some, &err), &err);
    assert_str(some, "789");
    stream_consume(s, 3);
    assert_ok(stream_some(s, &some, &err), &err);
    assert_int_equal(some.n, 0); /* the end */
    assert_int_equal(stream_exact(s, exact, 1, &err), -1);
    assert_int_equal(err.code, EPIPE);
    stream_free(s);
}

static void exact_reads_more_than_the_buffer_holds(void **state)
{
    enum {
        N = STREAM_IN_MAX * 2
    };

    int fds[2];
    struct err err = {0};
    char *sent = malloc(N);
    char *got = malloc(N);
    struct stream *s;
    pid_t pid;

    (void)state;
    for (size_t i = 0; i < N; i++)
        sent[i] = (char)(i * 7);
    assert_ok(fd_socketpair(SOCK_STREAM, fds, &err), &err);
    pid = fork();
    if (pid == 0)
        _exit(fd_write_all(fds[1], (struct str){sent, N}, &err) < 0);
    (void)close(fds[1]);
    s = stream_new(fds[0], WAIT_MS);
    assert_ok(stream_exact(s, got, N, &err), &err);
    assert_memory_equal(got, sent, N);
    stream_free(s);
    free(sent);
    free(got);
}

static void a_line_over_the_buffer_is_refused(void **state)
{
    int peer_fd;
    struct stream *s = pair(&peer_fd);
    struct err err = {0};
    struct str line;
    char *block = malloc(STREAM_IN_MAX);

    (void)state;
    memset(block, 'a', STREAM_IN_MAX);
    say(peer_fd, (struct str){block, STREAM_IN_MAX});
    assert_int_equal(stream_line(s, SIZE_MAX, &line, &err), -1);
    assert_int_equal(err.code, EMSGSIZE);
    free(block);
    stream_free(s);
    (void)close(peer_fd);
}

static void replies_to_pipelined_lines_leave_together(void **state)
{
    int peer_fd;
    struct stream *s = pair(&peer_fd);
    struct err err = {0};
    struct str line;
    char heard[64];

    (void)state;
    say(peer_fd, STR("A\r\nB\r\n"));
    for (int i = 0; i < 2; i++) {
        assert_ok(stream_line(s, 100, &line, &err), &err);
        assert_ok(stream_write(s, STR("ok\r\n"), &err), &err);
        assert_int_equal(recv(peer_fd, heard, sizeof(heard), MSG_DONTWAIT), -1);
    }
    stream_set_timeout(s, 10);
    assert_int_equal(stream_line(s, 100, &line, &err), -1); /* waiting writes first */
    assert_int_equal(recv(peer_fd, heard, sizeof(heard), MSG_DONTWAIT), 8);
    stream_free(s);
    (void)close(peer_fd);
}

static void waiting_tells_which_one_spoke(void **state)
{
    int peer_fd;
    int other[2];
    struct stream *s = pair(&peer_fd);
    struct err err = {0};
    struct str line;

    (void)state;
    assert_ok(fd_pipe(other, &err), &err);
    assert_int_equal(stream_wait(s, other[0], 0, &err), 0);
    assert_int_equal(write(other[1], "x", 1), 1);
    assert_int_equal(stream_wait(s, other[0], WAIT_MS, &err), 2);
    say(peer_fd, STR("a\r\nb\r\n"));
    assert_int_equal(stream_wait(s, -1, WAIT_MS, &err), 1);
    assert_ok(stream_line(s, 100, &line, &err), &err);
    assert_int_equal(stream_wait(s, -1, 0, &err), 1); /* the second line is buffered already */
    assert_ok(stream_line(s, 100, &line, &err), &err);
    assert_int_equal(stream_wait(s, -1, 0, &err), 0);
    (void)close(peer_fd);
    assert_int_equal(stream_wait(s, -1, WAIT_MS, &err), 1); /* the end is to be read, too */
    stream_free(s);
    (void)close(other[0]);
    (void)close(other[1]);
}

static void a_line_too_long_to_format_is_refused(void **state)
{
    int peer_fd;
    struct stream *s = pair(&peer_fd);
    struct err err = {0};

    (void)state;
    assert_int_equal(stream_printf(s, &err, "%10000d", 1), -1);
    assert_int_equal(err.code, EMSGSIZE);
    stream_free(s);
    (void)close(peer_fd);
}

static void a_full_backlog_is_waited_for_so_long(void **state)
{
    const struct tmpdir *t = *state;
    const char *path = tmpdir_path(t, "s");
    struct err err = {0};
    int listen_fd = fd_unix_listen(path, SOCK_STREAM, 0600, 0, &err);
    int fds[8];
    int n = 0;

    assert_ok(listen_fd, &err);
    while (n < 8 && (fds[n] = fd_unix_connect(path, SOCK_STREAM | SOCK_NONBLOCK, &err)) >= 0)
        n++;
    assert_true(n < 8);
    assert_null(stream_dial_unix(path, 50, &err));
    assert_int_equal(err.code, EAGAIN);
    while (n > 0)
        (void)close(fds[--n]);
    (void)close(listen_fd);
    assert_null(stream_dial_unix(path, 50, &err));
    assert_int_equal(err.code, ECONNREFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_read_however_they_came),
        cmocka_unit_test(a_bad_line_is_an_error),
        cmocka_unit_test(a_line_of_exactly_the_limit_is_read),
        cmocka_unit_test(a_silent_peer_is_waited_for_so_long),
        cmocka_unit_test(a_peer_that_does_not_read_is_waited_for_so_long),
        cmocka_unit_test(some_bytes_are_shown_until_they_are_used_up),
        cmocka_unit_test(exact_reads_more_than_the_buffer_holds),
        cmocka_unit_test(a_line_over_the_buffer_is_refused),
        cmocka_unit_test(replies_to_pipelined_lines_leave_together),
        cmocka_unit_test(waiting_tells_which_one_spoke),
        cmocka_unit_test(a_line_too_long_to_format_is_refused),
        cmocka_unit_test_setup_teardown(a_full_backlog_is_waited_for_so_long, tmpdir_setup,
                                        tmpdir_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
