/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "mailstack/smtpd/room.h"

#include "tests/lib/fake_clock.h"
#include "tests/lib/test.h"

static void a_yes_holds_for_a_while_and_for_its_size(void **state)
{
    struct room *r = room_new();

    (void)state;
    assert_false(room_has(r, STR("a@x"), 0));
    room_put(r, STR("a@x"), 100);
    assert_true(room_has(r, STR("a@x"), 0));
    assert_true(room_has(r, STR("a@x"), 100));
    assert_false(room_has(r, STR("a@x"), 101));
    assert_false(room_has(r, STR("b@x"), 0));
    fake_clock_advance_ms(ROOM_MS - 1);
    assert_true(room_has(r, STR("a@x"), 100));
    fake_clock_advance_ms(1);
    assert_false(room_has(r, STR("a@x"), 100));
    room_put(r, STR("a@x"), 10);
    assert_true(room_has(r, STR("a@x"), 10));
    room_free(r);
    room_free(NULL);
}

static void too_many_are_forgotten(void **state)
{
    struct room *r = room_new();
    char name[32];

    (void)state;
    for (int i = 0; i <= ROOM_MAX; i++) {
        (void)snprintf(name, sizeof(name), "u%d@x", i);
        room_put(r, str_of(name), 1);
    }
    assert_false(room_has(r, STR("u0@x"), 1));
    assert_true(room_has(r, str_of(name), 1));
    room_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_yes_holds_for_a_while_and_for_its_size, fake_clock_setup,
                                        fake_clock_teardown),
        cmocka_unit_test(too_many_are_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
