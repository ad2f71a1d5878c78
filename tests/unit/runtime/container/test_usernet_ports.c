/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/own.h"
#include "runtime/container/usernet_ports.h"
#include "runtime/spec/publish.h"

#include "tests/lib/test.h"

/* A port of the loopback that the kernel gave us, with a socket that has it. */
static int take(int type, uint16_t *port)
{
    own_fd int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof a;

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&a, sizeof a), 0);
    if (type == SOCK_STREAM)
        assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    *port = ntohs(a.sin_port);
    return take_fd(&fd);
}

static void a_port_of_somebody_else_is_named(void **state)
{
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct publish p = {PUBLISH_IPV4, "127.0.0.1", 0, 80, types[i] == SOCK_DGRAM};
        own_fd int fd = take(types[i], &p.host);
        struct err err = {0};

        assert_int_equal(usernet_ports_try(&p, 1, &err), -1);
        assert_int_equal(err.code, EADDRINUSE);
        assert_err(&err, "publish '127.0.0.1:");
        (void)close(take_fd(&fd));
        assert_ok(usernet_ports_try(&p, 1, &err), &err);
        assert_ok(usernet_ports_try(&p, 1, &err), &err); /* nothing of the first try is left */
    }
}

static void the_same_port_twice_is_refused(void **state)
{
    struct publish p[2] = {{PUBLISH_IPV4, "127.0.0.1", 0, 80, false},
                           {PUBLISH_IPV4, "127.0.0.1", 0, 81, false}};
    own_fd int fd = take(SOCK_STREAM, &p[0].host);
    struct err err = {0};

    (void)state;
    (void)close(take_fd(&fd));
    p[1].host = p[0].host;
    assert_int_equal(usernet_ports_try(p, 2, &err), -1);
    assert_int_equal(err.code, EADDRINUSE);
    p[1].udp = true;
    assert_ok(usernet_ports_try(p, 2, &err), &err);
}

static void an_address_of_nobody_is_refused(void **state)
{
    const struct publish p = {PUBLISH_IPV6, "2001:db8::7", 40000, 80, false};
    struct err err = {0};

    (void)state;
    assert_int_equal(usernet_ports_try(&p, 1, &err), -1);
    assert_ok(usernet_ports_try(NULL, 0, &err), &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_port_of_somebody_else_is_named),
        cmocka_unit_test(the_same_port_twice_is_refused),
        cmocka_unit_test(an_address_of_nobody_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
