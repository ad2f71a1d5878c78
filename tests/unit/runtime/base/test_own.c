/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "runtime/base/own.h"

#include "tests/lib/test.h"

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static int open_null(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

static void a_scope_closes_what_it_owns(void **state)
{
    int seen;

    (void)state;
    {
        own_fd int fd = open_null();

        seen = fd;
        assert_true(is_open(seen));
        errno = EBUSY;
    }
    assert_false(is_open(seen));
    assert_int_equal(fcntl(0, F_GETFD) >= 0, 1);
}

static void closing_keeps_errno_and_leaves_negative_alone(void **state)
{
    int bad = -1;
    int closed = open_null();

    (void)state;
    (void)close(closed);
    errno = EBUSY;
    own_close_fd(&bad);
    own_close_fd(&closed); /* EBADF inside */
    assert_int_equal(errno, EBUSY);
}

static int give(void)
{
    own_fd int fd = open_null();

    return take_fd(&fd);
}

static char *give_text(void)
{
    own_free char *text = strdup("hello");

    return take_ptr(&text);
}

static void what_is_taken_lives_on(void **state)
{
    own_fd int fd = give();
    own_free char *text = give_text();

    (void)state;
    assert_true(is_open(fd));
    assert_string_equal(text, "hello");
} /* NOLINT(clang-analyzer-unix.Malloc): own_free frees it, which the analyzer cannot see */

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_scope_closes_what_it_owns),
        cmocka_unit_test(closing_keeps_errno_and_leaves_negative_alone),
        cmocka_unit_test(what_is_taken_lives_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
