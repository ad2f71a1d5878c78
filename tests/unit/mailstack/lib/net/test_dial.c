/* SPDX-License-Identifier: Apache-2.0 */
/* The supervisor is played by a child at the other end of the dial socket. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/dialmsg.h"
#include "runtime/base/fd.h"
#include "runtime/base/own.h"

#include "mailstack/lib/net/dial.h"

#include "tests/lib/test.h"

enum manner {
    GIVES,      /* yes, with a descriptor */
    GIVES_NONE, /* yes, without one */
    REFUSES,
    FAILS,
    OTHER_ID,
    NONSENSE,
    LEAVES
};

static struct sockaddr_storage to_port(uint16_t port)
{
    struct sockaddr_storage a;
    struct err err = {0};

    assert_ok(dialmsg_parse_addr(STR("127.0.0.1"), port, &a, &err), &err);
    return a;
}

/* One request, answered in this manner; the exit status says whether it was the one expected. */
static void supervise(int fd, enum manner how)
{
    char text[DIALMSG_MAX];
    struct dialmsg_request r;
    struct dialmsg_answer a = {.kind = DIALMSG_OK};
    struct buf b = BUF_INIT(DIALMSG_MAX);
    struct err err = {0};
    int pair[2];
    ssize_t n = recv(fd, text, sizeof(text), 0);
    bool sound = n > 0 && dialmsg_parse_request((struct str){text, (size_t)n}, &r, &err) == 0 &&
                 r.timeout_ms == 700 && fd_socketpair(SOCK_STREAM, pair, &err) == 0;

    if (!sound)
        _exit(1);
    if (how == LEAVES)
        _exit(0);
    a.id = how == OTHER_ID ? r.id + 1 : r.id;
    if (how == REFUSES || how == FAILS) {
        a.kind = how == REFUSES ? DIALMSG_REFUSED : DIALMSG_ERROR;
        a.code = ECONNREFUSED;
        a.text = STR("port 25 is not in the row");
    }
    dialmsg_format_answer(&a, &b);
    if (how == NONSENSE)
        buf_truncate(&b, 1);
    _exit(fd_send(fd, buf_str(&b), &pair[0], how == GIVES || how == OTHER_ID ? 1 : 0, &err) < 0);
}

static int ask(enum manner how, struct err *err)
{
    struct sockaddr_storage to = to_port(25);
    int fds[2];
    int status;
    int fd;
    pid_t pid;

    assert_ok(fd_socketpair(SOCK_SEQPACKET, fds, err), err);
    pid = fork();
    if (pid == 0) {
        (void)close(fds[0]);
        supervise(fds[1], how);
    }
    (void)close(fds[1]);
    fd = dial_tcp(fds[0], &to, 700, err);
    (void)close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    return fd;
}

static void the_supervisor_gives_a_connection(void **state)
{
    struct err err = {0};
    own_fd int fd = ask(GIVES, &err);
    int type = 0;
    socklen_t n = sizeof(type);

    (void)state;
    assert_ok(fd, &err);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n), 0);
    assert_int_equal(type, SOCK_STREAM);
}

static void its_refusals_are_told_apart(void **state)
{
    static const struct {
        enum manner how;
        int code;
        const char *part;
    } cases[] = {
        {REFUSES, EACCES, "not in the row"},
        {FAILS, ECONNREFUSED, "connect"},
        {OTHER_ID, EBADMSG, "another's"},
        {GIVES_NONE, EBADMSG, "gave no connection"},
        {LEAVES, EPIPE, "away"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct err err = {0};

        assert_int_equal(ask(cases[i].how, &err), -1);
        assert_int_equal(err.code, cases[i].code);
        assert_err(&err, cases[i].part);
    }
    struct err err = {0};

    assert_int_equal(ask(NONSENSE, &err), -1);
    assert_true(err.text[0] != '\0');
}

/* Only where something on this machine listens: without a network it still has a loopback. */
static int listen_here(uint16_t *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (const struct sockaddr *)&a, n) < 0 || listen(fd, 1) < 0 ||
        getsockname(fd, (struct sockaddr *)&a, &n) < 0) {
        own_close_fd(&fd);
        return -1;
    }
    *port = ntohs(a.sin_port);
    return fd;
}

static void without_a_supervisor_it_connects_by_itself(void **state)
{
    uint16_t port = 0;
    own_fd int listen_fd = listen_here(&port);
    struct sockaddr_storage to = to_port(port);
    struct err err = {0};

    (void)state;
    if (listen_fd < 0)
        SKIP("no loopback to listen on");
    own_fd int fd = dial_tcp(-1, &to, 2000, &err);

    assert_ok(fd, &err);
    own_fd int peer_fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);

    assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), 1);
    char c = 0;

    assert_int_equal(recv(peer_fd, &c, 1, 0), 1);
    own_close_fd(&listen_fd);
    listen_fd = -1;
    assert_int_equal(dial_tcp(-1, &to, 2000, &err), -1);
    assert_int_equal(err.code, ECONNREFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_supervisor_gives_a_connection),
        cmocka_unit_test(its_refusals_are_told_apart),
        cmocka_unit_test(without_a_supervisor_it_connects_by_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
