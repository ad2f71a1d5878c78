/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/fd.h"
#include "runtime/base/own.h"

#include "mailstack/lib/net/dns.h"
#include "mailstack/lib/proto/dns_msg.h"

#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

/* Answers "old.test" with a wrong id in front, anything else with one record; closes behind the
 * n-th answer of each connection, as a dnsd that is restarted does. */
static void answer_one(int fd, const char *q, size_t n)
{
    own_buf struct buf b = BUF_INIT(2000);
    struct err err = {0};

    if (memmem(q, n, "old", 3)) {
        buf_append_n(&b, "\0\x0c\xff\xff\x81\x82\0\0\0\0\0\0\0\0", 14);
    }
    buf_append_be16(&b, (uint16_t)(n + 16));
    buf_append_n(&b, q, 2);
    buf_append_n(&b, "\x81\x80\0\1\0\1\0\0\0\0", 10);
    buf_append_n(&b, q + 12, n - 12);
    buf_append_n(&b, "\xc0\x0c\0\1\0\1\0\0\0\1\0\4\1\2\3\4", 16);
    if (fd_write_all(fd, buf_str(&b), &err) < 0)
        _exit(1);
}

static void serve(int listen_fd, int answers_each)
{
    for (;;) {
        own_fd int fd = accept(listen_fd, NULL, NULL);
        struct err err = {0};
        char q[600];

        for (int i = 0; i < answers_each; i++) {
            if (fd_read_full(fd, q, 2, &err) != 2)
                break;
            size_t n = (size_t)(unsigned char)q[1];

            if (fd_read_full(fd, q, n, &err) != (ssize_t)n)
                break;
            answer_one(fd, q, n);
        }
    }
}

static void questions_are_answered_also_across_a_restart(void **state)
{
    const char *path = tmpdir_path(*state, "dnsd.sock");
    struct err err = {0};
    int fd = fd_unix_listen(path, SOCK_STREAM, 0600, 5, &err);

    assert_ok(fd, &err);
    pid_t pid = fork();

    if (pid == 0)
        serve(fd, 2);
    struct dns *d = dns_new(path);
    struct arena *a = arena_new(100000);
    static const char *const names[] = {"a.test", "old.test", "b.test", "c.test", "d.test"};

    for (size_t i = 0; i < ARRAY_N(names); i++) {
        struct dns_answer out;

        dns_ask(d, str_of(names[i]), DNS_A, a, &out);
        assert_int_equal(out.status, DNS_OK);
        assert_int_equal(out.records_n, 1);
        assert_memory_equal(out.records[0].text.p, "\1\2\3\4", 4);
    }
    arena_free(a);
    dns_free(d);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    (void)close(fd);
}

static void without_dnsd_the_answer_is_temporary(void **state)
{
    struct dns *d = dns_new("/nonexistent/dnsd.sock");
    struct arena *a = arena_new(100000);
    struct dns_answer out;

    (void)state;
    dns_ask(d, STR("a.test"), DNS_A, a, &out);
    assert_int_equal(out.status, DNS_TEMP);
    dns_ask(d, STR("no..name"), DNS_A, a, &out);
    assert_int_equal(out.status, DNS_NXDOMAIN);
    arena_free(a);
    dns_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(questions_are_answered_also_across_a_restart, tmpdir_setup,
                                        tmpdir_teardown),
        cmocka_unit_test(without_dnsd_the_answer_is_temporary),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
