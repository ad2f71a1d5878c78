/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mailstack/lib/net/peers.h"

#include "tests/lib/test.h"

static struct in6_addr ip(const char *text)
{
    struct in6_addr a;

    assert_int_equal(inet_pton(AF_INET6, text, &a), 1);
    return a;
}

static struct peers *begin(unsigned workers)
{
    struct err err = {0};
    struct peers *p = peers_new(workers, &err);

    assert_non_null(p);
    return p;
}

/* Another worker, which enters n times from that address and is killed, or waits for its end. */
static pid_t other(struct peers *p, unsigned i, const char *from, int n, int ready_fd)
{
    pid_t pid = fork();
    struct in6_addr a = ip(from);

    if (pid)
        return pid;
    peers_claim(p, i);
    while (n--)
        (void)peers_enter(p, &a);
    if (write(ready_fd, "x", 1) != 1)
        _exit(1);
    (void)alarm(20);
    for (;;)
        (void)pause();
}

static void finish(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void addresses_are_counted_apart_and_a_64_as_one(void **state)
{
    struct in6_addr a = ip("::ffff:192.0.2.1");
    struct in6_addr b = ip("2001:db8:1:2::1");
    struct in6_addr c = ip("2001:db8:1:2:3:4:5:6");
    struct peers *p = begin(1);

    (void)state;
    peers_claim(p, 0);
    assert_int_equal(peers_enter(p, &a).of_address, 1);
    assert_int_equal(peers_enter(p, &a).of_address, 2);
    size_t first = peers_enter(p, &b).of_address; /* may share the counter of a, by chance */

    assert_true(first == 1 || first == 3);
    assert_int_equal(peers_enter(p, &c).of_address, first + 1);
    assert_int_equal(peers_enter(p, &c).all, 5);
    peers_leave(p, &a);
    peers_leave(p, &a);
    for (int i = 0; i < 3; i++)
        peers_leave(p, &b);
    peers_leave(p, &b); /* one too many does no harm */
    assert_int_equal(peers_enter(p, &a).of_address, 1);
    assert_int_equal(peers_enter(p, &a).all, 2);
    peers_free(p);
    peers_free(NULL);
}

static void workers_see_each_other_and_the_dead_are_forgotten(void **state)
{
    struct in6_addr a = ip("::ffff:192.0.2.1");
    struct peers *p = begin(2);
    int fds[2];
    char c;

    (void)state;
    assert_int_equal(pipe(fds), 0);
    peers_claim(p, 0);
    pid_t one = other(p, 1, "::ffff:192.0.2.1", 3, fds[1]);

    assert_int_equal(read(fds[0], &c, 1), 1);
    assert_int_equal(peers_enter(p, &a).of_address, 4);
    pid_t two = other(p, 1, "::ffff:192.0.2.1", 2, fds[1]); /* a reload: both are there */

    assert_int_equal(read(fds[0], &c, 1), 1);
    assert_int_equal(peers_enter(p, &a).of_address, 7);
    finish(one);
    pid_t three = other(p, 1, "::ffff:192.0.2.1", 1, fds[1]); /* takes the page of the first */

    assert_int_equal(read(fds[0], &c, 1), 1);
    assert_int_equal(peers_enter(p, &a).of_address, 6);
    pid_t four = other(p, 1, "::ffff:192.0.2.1", 1, fds[1]); /* both are taken: one is taken over */

    assert_int_equal(read(fds[0], &c, 1), 1);
    assert_int_equal(peers_enter(p, &a).all, 6);
    finish(two);
    finish(three);
    finish(four);
    (void)close(fds[0]);
    (void)close(fds[1]);
    peers_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_counted_apart_and_a_64_as_one),
        cmocka_unit_test(workers_see_each_other_and_the_dead_are_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
