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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_arrive_with_number_text_and_descriptor),
        cmocka_unit_test(an_error_is_heard_though_the_other_side_went_without_listening),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
