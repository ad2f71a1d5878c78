/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/container/sync.h"

#include "tests/lib/test.h"

static void messages_arrive_with_number_text_and_descriptor(void **state)
{
    int ends[2], number = 0;
    struct sync_msg m;
    struct err err = {0}, failure = {.code = ENOENT, .text = "open 'x': No such file or directory"};

    (void)state;
    assert_ok(fd_socketpair(SOCK_SEQPACKET, ends, &err), &err);
    assert_ok(sync_send(ends[0], SYNC_CONSOLE, 7, 0, &err), &err);
    assert_int_equal(sync_recv(ends[1], &m, &err), 1);
    assert_int_equal(m.kind, SYNC_CONSOLE);
    assert_int_equal(m.number, 7);
    assert_true(m.fd > 2);
    (void)close(m.fd);
    sync_send_error(ends[0], &failure);
    assert_int_equal(sync_recv(ends[1], &m, &err), 1);
    assert_int_equal(m.number, ENOENT);
    assert_string_equal(m.text, failure.text);
    assert_int_equal(m.fd, -1);
    assert_ok(sync_send(ends[0], SYNC_GO, 1, -1, &err), &err);
    assert_ok(sync_wait_go(ends[1], &number, &err), &err);
    assert_int_equal(number, 1);
    (void)close(ends[0]);
    assert_int_equal(sync_recv(ends[1], &m, &err), 0);
    assert_int_equal(sync_wait_go(ends[1], &number, &err), -1);
    (void)close(ends[1]);
}

static void an_error_is_heard_though_the_other_side_went_without_listening(void **state)
{
    int ends[2];
    struct sync_msg m;
    struct err err = {0}, failure = {.code = EPERM, .text = "no"};

    (void)state;
    assert_ok(fd_socketpair(SOCK_SEQPACKET, ends, &err), &err);
    sync_send_error(ends[1], &failure);
    assert_ok(sync_send(ends[0], SYNC_GO, 0, -1, &err), &err); /* is never read */
    (void)close(ends[1]);
    assert_int_equal(sync_recv(ends[0], &m, &err), 1);
    assert_int_equal(m.kind, SYNC_ERROR);
    assert_string_equal(m.text, "no");
    assert_int_equal(sync_recv(ends[0], &m, &err), 0);
    (void)close(ends[0]);
}

static void descriptors_come_to_the_same_places(void **state)
{
    int ends[2], a = 0, b = -1, c = 2, x = -1, y = 17, z = -1;
    struct sync_places from = {.n = 0}, to = {.n = 0}, fewer = {.n = 0};
    struct err err = {0};

    (void)state;
    assert_ok(fd_socketpair(SOCK_SEQPACKET, ends, &err), &err);
    sync_add_place(&from, &a);
    sync_add_place(&from, &b);
    sync_add_place(&from, &c);
    sync_add_place(&to, &x);
    sync_add_place(&to, &y);
    sync_add_place(&to, &z);
    assert_ok(sync_send_places(ends[0], &from, &err), &err);
    assert_ok(sync_wait_places(ends[1], &to, &err), &err);
    assert_true(x > 2 && z > 2 && x != z);
    assert_int_equal(y, 17); /* the sender had none */
    (void)close(x);
    (void)close(z);
    x = z = -1;
    /* Without any it is a plain word. */
    assert_ok(sync_send(ends[0], SYNC_GO, 0, -1, &err), &err);
    assert_ok(sync_wait_places(ends[1], &to, &err), &err);
    assert_int_equal(x, -1);
    /* One that has no place is refused, and closed. */
    sync_add_place(&fewer, &x);
    assert_ok(sync_send_places(ends[0], &from, &err), &err);
    assert_int_equal(sync_wait_places(ends[1], &fewer, &err), -1);
    assert_int_equal(err.code, EBADMSG);
    (void)close(x);
    assert_ok(sync_send(ends[0], SYNC_READY, 0, 0, &err), &err);
    assert_int_equal(sync_wait_places(ends[1], &to, &err), -1);
    (void)close(ends[0]);
    assert_int_equal(sync_wait_places(ends[1], &to, &err), -1);
    assert_int_equal(err.code, EPIPE);
    (void)close(ends[1]);
}

static void no_more_places_than_a_message_carries(void **state)
{
    struct sync_places p = {.n = 0};
    int fd = -1;

    (void)state;
    for (int i = 0; i < 2 * FD_PASS_MAX; i++)
        sync_add_place(&p, &fd);
    assert_int_equal(p.n, FD_PASS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_arrive_with_number_text_and_descriptor),
        cmocka_unit_test(descriptors_come_to_the_same_places),
        cmocka_unit_test(no_more_places_than_a_message_carries),
        cmocka_unit_test(an_error_is_heard_though_the_other_side_went_without_listening),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
