/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "runtime/base/err.h"

#include "mailstack/lib/store/folder.h"
#include "mailstack/lib/store/notify.h"

#include "tests/lib/mailroot.h"
#include "tests/lib/test.h"

struct told {
    const struct notify_watch *last;
    unsigned n;
};

static void tell(void *ctx, struct notify_watch *w)
{
    struct told *t = ctx;

    t->last = w;
    t->n++;
}

static void a_delivery_is_told_to_the_folder_that_got_it(void **state)
{
    struct mailroot *r = *state;
    struct notify_watch inbox, sent;
    struct told told = {0};
    struct err err = {0};
    struct notify *n = notify_new(&err);
    int fd = folder_open(r->home_fd, STR("Sent"), &err);

    assert_non_null(n);
    assert_int_equal(notify_add(n, &inbox, r->home_fd, &err), 0);
    assert_int_equal(notify_add(n, &sent, fd, &err), 0);
    notify_read(n, tell, &told);
    assert_int_equal(told.n, 0);
    (void)mailroot_deliver(r, "Sent", "x\n");
    notify_read(n, tell, &told);
    assert_true(told.n > 0 && told.last == &sent);
    notify_del(n, &sent);
    told = (struct told){0};
    (void)mailroot_deliver(r, "Sent", "x\n");
    notify_read(n, tell, &told);
    assert_int_equal(told.n, 0);
    notify_del(n, &inbox);
    notify_free(n);
    assert_int_equal(close(fd), 0);
}

static void who_watches_last_is_told(void **state)
{
    struct mailroot *r = *state;
    struct notify_watch first, second;
    struct told told = {0};
    struct err err = {0};
    struct notify *n = notify_new(&err);

    assert_int_equal(notify_add(n, &first, r->home_fd, &err), 0);
    assert_int_equal(notify_add(n, &second, r->home_fd, &err), 0);
    notify_del(n, &first);
    (void)mailroot_deliver(r, "INBOX", "x\n");
    notify_read(n, tell, &told);
    assert_true(told.n > 0 && told.last == &second);
    notify_free(n);
}

#define WITH_ROOT(test) cmocka_unit_test_setup_teardown(test, mailroot_setup, mailroot_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ROOT(a_delivery_is_told_to_the_folder_that_got_it),
        WITH_ROOT(who_watches_last_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
