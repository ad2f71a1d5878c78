/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/own.h"
#include "runtime/container/notify.h"

#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

static void say(const char *path, const char *text)
{
    struct err err = {0};
    own_fd int fd = fd_unix_connect(path, SOCK_DGRAM, &err);

    assert_ok(fd, &err);
    assert_ok(fd_send(fd, str_of(text), NULL, 0, &err), &err);
}

static void only_ready_goes_on(void **state)
{
    struct tmpdir *t = tmpdir_new();
    const char *host = tmpdir_path(t, "host");
    struct err err = {0};
    char text[64];
    own_fd int host_fd = fd_unix_listen(host, SOCK_DGRAM, 0600, 0, &err), fd = -1;

    (void)state;
    assert_ok(host_fd, &err);
    assert_ok(notify_make(t->fd, &err), &err);
    fd = notify_bind(t->path, &err);
    assert_ok(fd, &err);
    say(tmpdir_path(t, "notify/notify.sock"), "STATUS=well\nREADY=10\nMAINPID=1");
    assert_int_equal(notify_pass(fd, host, 77, &err), 0);
    say(tmpdir_path(t, "notify/notify.sock"), "STATUS=well\nREADY=1\n");
    assert_int_equal(notify_pass(fd, host, 77, &err), 1);
    assert_int_equal(recv(host_fd, text, sizeof text, MSG_DONTWAIT), 11);
    assert_memory_equal(text, "MAINPID=77\n", 11);
    assert_int_equal(recv(host_fd, text, sizeof text, MSG_DONTWAIT), 8);
    assert_memory_equal(text, "READY=1\n", 8);
    tmpdir_free(t);
}

static void a_service_manager_that_is_gone_is_an_error(void **state)
{
    struct tmpdir *t = tmpdir_new();
    struct err err = {0};
    own_fd int fd = -1;

    (void)state;
    assert_ok(notify_make(t->fd, &err), &err);
    fd = notify_bind(t->path, &err);
    assert_ok(fd, &err);
    say(tmpdir_path(t, "notify/notify.sock"), "READY=1");
    assert_int_equal(notify_pass(fd, "@mailbox-run-nobody-is-here", 77, &err), -1);
    tmpdir_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_ready_goes_on),
        cmocka_unit_test(a_service_manager_that_is_gone_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
