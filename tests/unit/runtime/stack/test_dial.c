/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/dialmsg.h"
#include "runtime/base/fd.h"
#include "runtime/base/own.h"
#include "runtime/stack/dial.h"
#include "runtime/stack/logs.h"

#include "tests/lib/test.h"

struct world {
    struct loop *loop;
    struct logs logs;
    struct dial dial;
    struct stack_net loopback;
    int service_fd;
    int listen_fd;
    uint16_t port;
};

static int set_up(void **state)
{
    static struct world w;
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(sa);
    struct err err = {0};

    w = (struct world){.loop = loop_new(&err), .logs = {.dir_fd = -1, .fd = -1, .screen_fd = -1}};
    w.listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(w.listen_fd, (const struct sockaddr *)&sa, n), 0);
    assert_int_equal(listen(w.listen_fd, 8), 0);
    assert_int_equal(getsockname(w.listen_fd, (struct sockaddr *)&sa, &n), 0);
    w.port = ntohs(sa.sin_port);
    dial_init(&w.dial, "queued", w.loop, &w.logs);
    assert_ok(stack_net_parse(STR("127.0.0.0/8"), &w.loopback, &err), &err);
    w.dial.policy = (struct dialpolicy){
        .ports = {w.port, 1}, .ports_n = 2, .allow = {.v = &w.loopback, .n = 1}};
    w.service_fd = dial_open(&w.dial, &err);
    assert_ok(w.service_fd, &err);
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    dial_close(&w->dial);
    dial_close(&w->dial); /* harmless */
    loop_free(w->loop);
    own_close_fd(&w->service_fd);
    own_close_fd(&w->listen_fd);
    return 0;
}

static void turns(struct world *w)
{
    struct err err = {0};

    for (int i = 0; i < 20; i++)
        assert_ok(loop_turn(w->loop, i < 10 ? 5 : 0, &err), &err);
}

static void ask(struct world *w, uint64_t id, const char *host, uint16_t port)
{
    struct dialmsg_request r = {.id = id, .timeout_ms = 1000};
    own_buf struct buf b = BUF_INIT(DIALMSG_MAX);
    struct err err = {0};

    assert_ok(dialmsg_parse_addr(str_of(host), port, &r.addr, &err), &err);
    dialmsg_format_request(&r, &b);
    assert_int_equal(send(w->service_fd, b.p, b.n, MSG_NOSIGNAL), b.n);
}

/* The next answer; the descriptor that came with it, or -1. */
static int answer(struct world *w, struct dialmsg_answer *a)
{
    static char text[DIALMSG_MAX];
    struct err err = {0};
    size_t fds_n = 1;
    int fd = -1;
    ssize_t n;

    turns(w);
    assert_ok(fd_set_nonblock(w->service_fd, true, &err), &err);
    n = fd_recv(w->service_fd, text, sizeof(text), &fd, &fds_n, &err);
    assert_true(n > 0);
    assert_ok(dialmsg_parse_answer((struct str){text, (size_t)n}, a, &err), &err);
    return fds_n ? fd : -1;
}

static void a_connection_is_made_and_handed_over(void **state)
{
    struct world *w = *state;
    struct dialmsg_answer a;
    char c = 0;

    ask(w, 77, "127.0.0.1", w->port);
    own_fd int fd = answer(w, &a);

    assert_int_equal(a.kind, DIALMSG_OK);
    assert_int_equal(a.id, 77);
    assert_true(fd >= 0);
    own_fd int peer = accept4(w->listen_fd, NULL, NULL, SOCK_CLOEXEC);

    assert_int_equal(send(peer, "x", 1, MSG_NOSIGNAL), 1);
    turns(w);
    assert_int_equal(recv(fd, &c, 1, 0), 1);
    assert_int_equal(w->dial.pending_n, 0);
}

static void a_closed_port_is_the_kernels_answer(void **state)
{
    struct world *w = *state;
    struct dialmsg_answer a;

    ask(w, 1, "127.0.0.1", 1);
    assert_int_equal(answer(w, &a), -1);
    assert_int_equal(a.kind, DIALMSG_ERROR);
    assert_int_equal(a.code, ECONNREFUSED);
}

static void the_policy_refuses_with_its_reason(void **state)
{
    struct world *w = *state;
    struct dialmsg_answer a;

    ask(w, 1, "127.0.0.1", 22);
    assert_int_equal(answer(w, &a), -1);
    assert_int_equal(a.kind, DIALMSG_REFUSED);
    assert_true(a.text.n > 0);
    w->dial.policy.allow.n = 0;
    ask(w, 2, "127.0.0.1", w->port);
    assert_int_equal(answer(w, &a), -1);
    assert_int_equal(a.kind, DIALMSG_REFUSED);
    assert_int_equal(a.id, 2);
    assert_int_equal(accept4(w->listen_fd, NULL, NULL, SOCK_CLOEXEC), -1);
}

static void what_does_not_parse_ends_the_conversation(void **state)
{
    static const char *const bad[] = {"hello", "dial 1 localhost 25 100", "dial -1 127.0.0.1 25 1",
                                      ""};
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        char c;

        (void)send(w->service_fd, bad[i], strlen(bad[i]), MSG_NOSIGNAL);
        turns(w);
        if (bad[i][0])
            assert_int_equal(w->dial.fd, -1);
        else
            (void)shutdown(w->service_fd, SHUT_WR);
        turns(w);
        assert_int_equal(recv(w->service_fd, &c, 1, MSG_DONTWAIT), 0);
        own_close_fd(&w->service_fd);
        struct err err = {0};

        w->service_fd = dial_open(&w->dial, &err);
        assert_ok(w->service_fd, &err);
    }
}

/* A backlog of one that is full: the connection hangs until its time is over. */
static void a_connection_that_hangs_is_given_up(void **state)
{
    struct world *w = *state;
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(sa);
    own_fd int full = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int fillers[4];
    struct dialmsg_answer a = {0};

    assert_int_equal(bind(full, (const struct sockaddr *)&sa, n), 0);
    assert_int_equal(listen(full, 0), 0);
    assert_int_equal(getsockname(full, (struct sockaddr *)&sa, &n), 0);
    for (size_t i = 0; i < ARRAY_N(fillers); i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(fillers[i], (const struct sockaddr *)&sa, n);
    }
    w->dial.policy.ports[0] = ntohs(sa.sin_port);
    ask(w, 5, "127.0.0.1", ntohs(sa.sin_port));
    turns(w);
    if (w->dial.pending_n == 1) { /* else this kernel took one more */
        struct err err = {0};

        for (int i = 0; i < 40 && w->dial.pending_n; i++)
            assert_ok(loop_turn(w->loop, 50, &err), &err);
        assert_int_equal(answer(w, &a), -1);
        assert_int_equal(a.code, ETIMEDOUT);
    }
    for (size_t i = 0; i < ARRAY_N(fillers); i++)
        own_close_fd(&fillers[i]);
}

static void a_new_process_gets_a_new_pair(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    struct dialmsg_answer a;
    char c;

    ask(w, 1, "127.0.0.1", w->port);
    own_fd int old = w->service_fd;

    w->service_fd = dial_open(&w->dial, &err);
    assert_ok(w->service_fd, &err);
    assert_int_equal(recv(old, &c, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, ECONNRESET); /* what was under way is dropped */
    ask(w, 2, "127.0.0.1", w->port);
    own_fd int fd = answer(w, &a);

    assert_int_equal(a.id, 2);
    assert_true(fd >= 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_connection_is_made_and_handed_over), CASE(a_closed_port_is_the_kernels_answer),
        CASE(the_policy_refuses_with_its_reason),   CASE(what_does_not_parse_ends_the_conversation),
        CASE(a_connection_that_hangs_is_given_up),  CASE(a_new_process_gets_a_new_pair),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
