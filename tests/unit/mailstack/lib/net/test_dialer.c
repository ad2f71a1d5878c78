/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/dialmsg.h"
#include "runtime/base/fd.h"
#include "runtime/base/own.h"

#include "mailstack/lib/net/dialer.h"

#include "tests/lib/test.h"

struct asker {
    struct dialer_call call;
    int answers;
    int fd;
    struct err why;
};

struct fixture {
    struct loop *loop;
    struct dialer *d;
    int ours; /* the dialer's end of the dial socket, -1: direct */
    int theirs;
};

static void on_answer(struct dialer_call *c, int fd, const struct err *why)
{
    struct asker *a = container_of(c, struct asker, call);

    a->answers++;
    a->fd = fd;
    if (fd < 0)
        a->why = *why;
}

static struct fixture fixture;

static int begin(bool supervised)
{
    struct err err = {0};
    int fds[2] = {-1, -1};

    fixture.loop = loop_new(&err);
    if (supervised)
        assert_ok(fd_socketpair(SOCK_SEQPACKET, fds, &err), &err);
    fixture.ours = fds[0];
    fixture.theirs = fds[1];
    fixture.d = dialer_new(fixture.loop, fixture.ours, &err);
    assert_non_null(fixture.d);
    return 0;
}

static int setup_direct(void **state)
{
    *state = &fixture;
    return begin(false);
}

static int setup_supervised(void **state)
{
    *state = &fixture;
    return begin(true);
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    dialer_free(f->d);
    loop_free(f->loop);
    own_close_fd(&f->ours);
    own_close_fd(&f->theirs);
    return 0;
}

static void turns(struct fixture *f, int n)
{
    struct err err = {0};

    for (int i = 0; i < n; i++)
        assert_ok(loop_turn(f->loop, 20, &err), &err);
}

static struct sockaddr_storage to_port(uint16_t port)
{
    struct sockaddr_storage a;
    struct err err = {0};

    assert_ok(dialmsg_parse_addr(STR("127.0.0.1"), port, &a, &err), &err);
    return a;
}

static int listen_here(uint16_t *port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(in);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (const struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &n), 0);
    *port = ntohs(in.sin_port);
    return fd;
}

static void ask(struct fixture *f, struct asker *a, uint16_t port)
{
    struct sockaddr_storage to = to_port(port);

    *a = (struct asker){.call = {.fn = on_answer}, .fd = -1};
    dialer_call(f->d, &a->call, &to, 5000);
    assert_int_equal(a->answers, 0);
}

static void without_a_supervisor_it_connects_itself(void **state)
{
    struct fixture *f = *state;
    uint16_t port;
    own_fd int fd = listen_here(&port);
    struct asker a;

    assert_int_equal(listen(fd, 1), 0);
    ask(f, &a, port);
    turns(f, 3);
    assert_int_equal(a.answers, 1);
    assert_true(a.fd >= 0);
    own_close_fd(&a.fd);
}

static void a_closed_port_is_an_error(void **state)
{
    struct fixture *f = *state;
    uint16_t port;
    int fd = listen_here(&port);
    struct asker a;

    (void)close(fd);
    ask(f, &a, port);
    turns(f, 3);
    assert_int_equal(a.answers, 1);
    assert_int_equal(a.why.code, ECONNREFUSED);
}

static void a_cancelled_call_is_not_answered(void **state)
{
    struct fixture *f = *state;
    uint16_t port;
    own_fd int fd = listen_here(&port);
    struct asker a;

    assert_int_equal(listen(fd, 1), 0);
    ask(f, &a, port);
    dialer_cancel(&a.call);
    dialer_cancel(&a.call);
    turns(f, 2);
    assert_int_equal(a.answers, 0);
}

/* The supervisor's side: takes a request. */
static uint64_t take_request(struct fixture *f)
{
    char text[DIALMSG_MAX];
    struct dialmsg_request r;
    struct err err = {0};
    ssize_t n = recv(f->theirs, text, sizeof(text), MSG_DONTWAIT);

    assert_true(n > 0);
    assert_ok(dialmsg_parse_request((struct str){text, (size_t)n}, &r, &err), &err);
    return r.id;
}

static void say(struct fixture *f, enum dialmsg_kind kind, uint64_t id, const int *fds)
{
    struct dialmsg_answer a = {
        .kind = kind, .id = id, .code = EHOSTUNREACH, .text = STR("not in the row")};
    own_buf struct buf b = BUF_INIT(DIALMSG_MAX);
    struct err err = {0};

    dialmsg_format_answer(&a, &b);
    assert_ok(fd_send(f->theirs, buf_str(&b), fds, fds ? 1 : 0, &err), &err);
}

static void answers_come_in_any_order(void **state)
{
    struct fixture *f = *state;
    struct asker a[3];
    uint64_t ids[3];
    struct err err = {0};
    int pair[2];

    for (size_t i = 0; i < 3; i++) {
        ask(f, &a[i], 25);
        ids[i] = take_request(f);
    }
    assert_ok(fd_socketpair(SOCK_STREAM, pair, &err), &err);
    say(f, DIALMSG_REFUSED, ids[2], NULL);
    say(f, DIALMSG_OK, ids[0], &pair[0]);
    say(f, DIALMSG_ERROR, ids[1], NULL);
    turns(f, 2);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(a[i].answers, 1);
    assert_true(a[0].fd >= 0);
    assert_int_equal(a[1].why.code, EHOSTUNREACH);
    assert_int_equal(a[2].why.code, EACCES);
    assert_err(&a[2].why, "not in the row");
    own_close_fd(&a[0].fd);
    own_close_fd(&pair[0]);
    own_close_fd(&pair[1]);
}

static void an_answer_that_nobody_waits_for_is_dropped(void **state)
{
    struct fixture *f = *state;
    struct asker a;
    struct err err = {0};
    int pair[2];
    char c;

    ask(f, &a, 25);
    dialer_cancel(&a.call);
    assert_ok(fd_socketpair(SOCK_STREAM, pair, &err), &err);
    say(f, DIALMSG_OK, take_request(f), &pair[0]);
    own_close_fd(&pair[0]);
    turns(f, 2);
    assert_int_equal(a.answers, 0);
    assert_int_equal(recv(pair[1], &c, 1, MSG_DONTWAIT), 0); /* no descriptor leaked */
    own_close_fd(&pair[1]);
}

static void a_yes_without_a_connection_is_a_failure(void **state)
{
    struct fixture *f = *state;
    struct asker a;

    ask(f, &a, 25);
    say(f, DIALMSG_OK, take_request(f), NULL);
    turns(f, 2);
    assert_int_equal(a.answers, 1);
    assert_int_equal(a.why.code, EBADMSG);
}

static void a_supervisor_that_left_is_said(void **state)
{
    struct fixture *f = *state;
    struct asker a;
    struct asker b;

    ask(f, &a, 25);
    own_close_fd(&f->theirs);
    f->theirs = -1;
    turns(f, 2);
    assert_int_equal(a.answers, 1);
    assert_int_equal(a.why.code, EPIPE);
    ask(f, &b, 25);
    turns(f, 1);
    assert_int_equal(b.why.code, EPIPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_a_supervisor_it_connects_itself, setup_direct,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_closed_port_is_an_error, setup_direct, teardown),
        cmocka_unit_test_setup_teardown(a_cancelled_call_is_not_answered, setup_direct, teardown),
        cmocka_unit_test_setup_teardown(answers_come_in_any_order, setup_supervised, teardown),
        cmocka_unit_test_setup_teardown(an_answer_that_nobody_waits_for_is_dropped,
                                        setup_supervised, teardown),
        cmocka_unit_test_setup_teardown(a_yes_without_a_connection_is_a_failure, setup_supervised,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_supervisor_that_left_is_said, setup_supervised, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
