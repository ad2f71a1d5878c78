/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/dialmsg.h"
#include "runtime/base/own.h"
#include "runtime/stack/listen.h"

#include "tests/lib/test.h"

/* A configuration whose only content is what it listens on: ports the kernel chooses. */
static void want(struct stack_config *c, enum stack_port port, const char *host, uint16_t number,
                 bool optional)
{
    struct stack_addr *a = &c->listen[port].v[c->listen[port].n++];
    struct err err = {0};

    *a = (struct stack_addr){.text = host, .optional = optional};
    assert_ok(dialmsg_parse_addr(str_of(host), number, &a->sa, &err), &err);
}

static uint16_t free_port(void)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(sa);
    own_fd int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (const struct sockaddr *)&sa, n), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &n), 0);
    return ntohs(sa.sin_port);
}

static bool answers(uint16_t port)
{
    struct sockaddr_in sa = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    own_fd int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    return connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0;
}

static int update(struct listen *l, struct stack_config *c, struct err *err)
{
    struct listen next;

    if (listen_prepare(l, c, &next, err) < 0)
        return -1;
    listen_commit(l, &next);
    return 0;
}

static void ports_are_bound_and_kept(void **state)
{
    struct listen l = {0};
    struct stack_config a = {.file = "a"};
    struct stack_config b = {.file = "b"};
    struct err err = {0};
    uint16_t kept = free_port();
    uint16_t gone = free_port();
    uint16_t fresh = free_port();
    int fd;

    (void)state;
    want(&a, STACK_SMTP, "127.0.0.1", kept, false);
    want(&a, STACK_IMAP, "127.0.0.1", gone, false);
    assert_ok(update(&l, &a, &err), &err);
    assert_int_equal(l.n, 2);
    assert_true(answers(kept) && answers(gone) && !answers(fresh));
    fd = l.v[0].fd;
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    want(&b, STACK_SMTP, "127.0.0.1", fresh, false);
    want(&b, STACK_SMTP, "127.0.0.1", kept, false);
    assert_ok(update(&l, &b, &err), &err);
    assert_int_equal(l.v[1].fd, fd); /* the very same socket, with its backlog */
    assert_true(answers(kept) && !answers(gone) && answers(fresh));
    listen_done(&l);
    assert_false(answers(kept));
}

static void what_is_abandoned_changes_nothing(void **state)
{
    struct listen l = {0};
    struct listen next;
    struct stack_config a = {.file = "a"};
    struct stack_config b = {.file = "b"};
    struct err err = {0};
    uint16_t old = free_port();
    uint16_t fresh = free_port();

    (void)state;
    want(&a, STACK_SMTP, "127.0.0.1", old, false);
    assert_ok(update(&l, &a, &err), &err);
    want(&b, STACK_IMAP, "127.0.0.1", old, false); /* the same port for another protocol */
    want(&b, STACK_IMAP, "127.0.0.1", fresh, false);
    assert_ok(listen_prepare(&l, &b, &next, &err), &err);
    assert_true(answers(old) && answers(fresh));
    listen_abandon(&l, &next);
    assert_true(answers(old) && !answers(fresh));
    assert_int_equal(l.n, 1);
    listen_done(&l);
}

static void one_that_cannot_be_bound_changes_nothing(void **state)
{
    struct listen l = {0};
    struct listen other = {0};
    struct stack_config a = {.file = "a"};
    struct stack_config b = {.file = "b"};
    struct stack_config c = {.file = "c"};
    struct err err = {0};
    uint16_t old = free_port();
    uint16_t fresh = free_port();
    uint16_t taken = free_port();

    (void)state;
    want(&a, STACK_SMTP, "127.0.0.1", old, false);
    want(&b, STACK_SMTP, "127.0.0.1", taken, false);
    assert_ok(update(&l, &a, &err), &err);
    assert_ok(update(&other, &b, &err), &err);
    want(&c, STACK_SMTP, "127.0.0.1", fresh, false);
    want(&c, STACK_SMTP, "127.0.0.1", taken, false);
    assert_int_equal(update(&l, &c, &err), -1);
    assert_int_equal(err.code, EADDRINUSE);
    assert_err(&err, "smtp");
    assert_true(answers(old) && !answers(fresh));
    listen_done(&l);
    listen_done(&other);
}

/* An address no host has: where it is optional it leaves the configuration, so that descriptors and
 * their names agree. */
static void what_is_optional_may_be_missing(void **state)
{
    struct listen l = {0};
    struct stack_config a = {.file = "a"};
    struct err err = {0};
    uint16_t first = free_port();
    uint16_t last = free_port();

    (void)state;
    want(&a, STACK_SMTP, "127.0.0.1", first, false);
    want(&a, STACK_SMTP, "2001:db8::1", last, true);
    want(&a, STACK_SMTP, "127.0.0.1", last, false);
    assert_ok(update(&l, &a, &err), &err);
    assert_int_equal(l.n, 2);
    assert_int_equal(a.listen[STACK_SMTP].n, 2);
    assert_memory_equal(&a.listen[STACK_SMTP].v[1].sa, &l.v[1].sa, sizeof(struct sockaddr_in));
    listen_done(&l);
    a.listen[STACK_SMTP].n = 0;
    want(&a, STACK_SMTP, "2001:db8::1", last, false);
    assert_int_equal(update(&l, &a, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ports_are_bound_and_kept),
        cmocka_unit_test(what_is_abandoned_changes_nothing),
        cmocka_unit_test(one_that_cannot_be_bound_changes_nothing),
        cmocka_unit_test(what_is_optional_may_be_missing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
