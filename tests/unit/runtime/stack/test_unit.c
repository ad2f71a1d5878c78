/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <string.h>

#include "runtime/base/clock.h"
#include "runtime/base/own.h"
#include "runtime/stack/unit.h"

#include "tests/lib/fake_clock.h"
#include "tests/lib/test.h"

struct world {
    struct unit unit;
    struct loop *loop;
    bool cannot_spawn;
    int spawns;
    int signals[8];
    int signals_n;
    int changes;
};

static int on_spawn(struct unit *u, struct err *err)
{
    struct world *w = container_of(u, struct world, unit);

    w->spawns++;
    if (w->cannot_spawn)
        return err_set(err, 0, "no room for it");
    u->pid = 100 + w->spawns;
    return 0;
}

static void on_signal(struct unit *u, int signo)
{
    struct world *w = container_of(u, struct world, unit);

    assert_in_range(w->signals_n, 0, 7);
    w->signals[w->signals_n++] = signo;
}

static void on_changed(struct unit *u, enum unit_state was)
{
    struct world *w = container_of(u, struct world, unit);

    (void)was;
    w->changes++;
}

static const struct unit_ops ops = {.spawn = on_spawn, .signal = on_signal, .changed = on_changed};

static int set_up(void **state)
{
    static struct world w;
    struct err err = {0};

    fake_clock_start();
    memset(&w, 0, sizeof(w));
    w.loop = loop_new(&err);
    unit_init(&w.unit, "x", &ops, w.loop,
              (struct unit_times){.ready_s = 10, .stop_s = 5, .watchdog_s = 30});
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    unit_done(&w->unit);
    loop_free(w->loop);
    fake_clock_stop();
    return 0;
}

static void pass(struct world *w, uint64_t ms)
{
    struct err err = {0};

    fake_clock_advance_ms(ms);
    assert_ok(loop_turn(w->loop, 0, &err), &err);
}

static void bring_up(struct world *w)
{
    unit_event(&w->unit, UNIT_WANT_UP);
    unit_event(&w->unit, UNIT_READY);
    assert_int_equal(w->unit.state, UNIT_UP);
}

static void a_life_from_down_to_down(void **state)
{
    struct world *w = *state;

    unit_event(&w->unit, UNIT_WANT_UP);
    assert_int_equal(w->unit.state, UNIT_STARTING);
    unit_event(&w->unit, UNIT_WANT_UP); /* nothing there */
    assert_int_equal(w->spawns, 1);
    unit_event(&w->unit, UNIT_READY);
    unit_event(&w->unit, UNIT_READY);
    assert_int_equal(w->unit.state, UNIT_UP);
    unit_event(&w->unit, UNIT_WANT_DOWN);
    assert_int_equal(w->unit.state, UNIT_STOPPING);
    assert_int_equal(w->signals[0], SIGTERM);
    unit_exited(&w->unit, "exited with 0");
    assert_int_equal(w->unit.state, UNIT_DOWN);
    assert_int_equal(w->unit.pid, 0);
    assert_int_equal(w->unit.restarts, 0);
    assert_string_equal(w->unit.last_exit, "exited with 0");
    assert_int_equal(w->changes, 4);
    pass(w, 1000000);
    assert_int_equal(w->signals_n, 1); /* no timer was left behind */
}

static void one_that_dies_is_started_again_with_growing_waits(void **state)
{
    static const uint64_t waits[] = {0, 100, 200, 400};
    struct world *w = *state;

    bring_up(w);
    for (size_t i = 0; i < ARRAY_N(waits); i++) {
        unit_exited(&w->unit, "killed by SIGSEGV");
        assert_int_equal(w->unit.state, UNIT_BACKOFF);
        if (waits[i]) {
            pass(w, waits[i] - 1);
            assert_int_equal(w->unit.state, UNIT_BACKOFF);
        }
        pass(w, 1);
        assert_int_equal(w->unit.state, UNIT_STARTING);
        unit_event(&w->unit, UNIT_READY);
    }
    assert_int_equal(w->unit.restarts, 4);
    assert_string_equal(w->unit.last_exit, "killed by SIGSEGV");
}

static void the_first_failure_of_a_first_start_is_final(void **state)
{
    struct world *w = *state;

    w->unit.once = true;
    unit_event(&w->unit, UNIT_WANT_UP);
    unit_exited(&w->unit, "exited with 2");
    assert_int_equal(w->unit.state, UNIT_FAILED);
    assert_true(unit_is_settled(&w->unit));
    pass(w, 1000000);
    assert_int_equal(w->spawns, 1);
}

static void one_that_cannot_be_made_waits_too(void **state)
{
    struct world *w = *state;

    w->cannot_spawn = true;
    unit_event(&w->unit, UNIT_WANT_UP);
    assert_int_equal(w->unit.state, UNIT_BACKOFF);
    assert_string_equal(w->unit.last_exit, "no room for it");
    assert_int_equal(w->unit.pid, 0);
    pass(w, 1);
    assert_int_equal(w->spawns, 2);
    w->cannot_spawn = false;
    pass(w, 100);
    assert_int_equal(w->unit.state, UNIT_STARTING);
}

static void one_that_is_not_ready_in_time_is_killed(void **state)
{
    struct world *w = *state;

    unit_event(&w->unit, UNIT_WANT_UP);
    pass(w, 9999);
    assert_int_equal(w->signals_n, 0);
    pass(w, 1);
    assert_int_equal(w->signals[0], SIGKILL);
    unit_exited(&w->unit, "killed by SIGKILL");
    assert_string_equal(w->unit.last_exit, "not ready within 10 s"); /* the reason, not the means */
    assert_int_equal(w->unit.state, UNIT_BACKOFF);
}

static void one_that_is_at_work_is_waited_for(void **state)
{
    struct world *w = *state;

    unit_event(&w->unit, UNIT_WANT_UP);
    unit_extend(&w->unit, 1000000); /* ends no earlier for that */
    pass(w, 9000);
    unit_extend(&w->unit, UINT64_MAX);
    pass(w, 9999);
    assert_int_equal(w->signals_n, 0);
    unit_extend(&w->unit, 3000000);
    pass(w, 2999);
    assert_int_equal(w->signals_n, 0);
    pass(w, 1);
    assert_int_equal(w->signals[0], SIGKILL);
    unit_extend(&w->unit, 3000000); /* too late */
    unit_exited(&w->unit, "killed by SIGKILL");
    bring_up(w);
    unit_extend(&w->unit, 1); /* the watchdog's time is another one */
    pass(w, 29999);
    assert_int_equal(w->signals_n, 1);
}

static void the_watchdog_bites_only_the_silent(void **state)
{
    struct world *w = *state;

    bring_up(w);
    for (int i = 0; i < 5; i++) {
        pass(w, 29000);
        unit_alive(&w->unit);
    }
    assert_int_equal(w->signals_n, 0);
    pass(w, 30000);
    assert_int_equal(w->signals[0], SIGKILL);
    unit_alive(&w->unit); /* too late */
    pass(w, 100000);
    assert_int_equal(w->signals_n, 1);
    unit_exited(&w->unit, "killed by SIGKILL");
    assert_string_equal(w->unit.last_exit, "watchdog: silent for 30 s");
}

static void one_that_will_not_end_is_killed(void **state)
{
    struct world *w = *state;

    bring_up(w);
    unit_event(&w->unit, UNIT_WANT_DOWN);
    pass(w, 4999);
    assert_int_equal(w->signals_n, 1);
    pass(w, 1);
    assert_int_equal(w->signals_n, 2);
    assert_int_equal(w->signals[1], SIGKILL);
    unit_exited(&w->unit, "killed by SIGKILL");
    assert_int_equal(w->unit.state, UNIT_DOWN);
    assert_string_equal(w->unit.last_exit, "killed: not ended 5 s after SIGTERM");
}

static void one_that_is_not_ready_yet_is_stopped_by_force(void **state)
{
    struct world *w = *state;

    unit_event(&w->unit, UNIT_WANT_UP);
    unit_event(&w->unit, UNIT_WANT_DOWN);
    assert_int_equal(w->signals[0], SIGKILL);
    assert_int_equal(w->unit.state, UNIT_STOPPING);
    unit_exited(&w->unit, "killed by SIGKILL");
    assert_int_equal(w->unit.state, UNIT_DOWN);
}

static void a_restart_ends_in_a_new_process(void **state)
{
    struct world *w = *state;
    pid_t first;

    bring_up(w);
    first = w->unit.pid;
    unit_event(&w->unit, UNIT_RESTART);
    assert_int_equal(w->unit.state, UNIT_STOPPING);
    unit_exited(&w->unit, "exited with 0");
    assert_int_equal(w->unit.state, UNIT_STARTING); /* at once: it was asked for */
    assert_int_not_equal(w->unit.pid, first);
    assert_int_equal(w->unit.restarts, 1);
}

/* While it stops, the last word counts. */
static void the_last_word_counts(void **state)
{
    struct world *w = *state;

    bring_up(w);
    unit_event(&w->unit, UNIT_WANT_DOWN);
    unit_event(&w->unit, UNIT_WANT_UP);
    unit_event(&w->unit, UNIT_WANT_DOWN);
    unit_exited(&w->unit, "exited with 0");
    assert_int_equal(w->unit.state, UNIT_DOWN);
    bring_up(w);
    unit_event(&w->unit, UNIT_RESTART);
    unit_event(&w->unit, UNIT_WANT_DOWN);
    unit_event(&w->unit, UNIT_WANT_UP);
    unit_exited(&w->unit, "exited with 0");
    assert_int_equal(w->unit.state, UNIT_STARTING);
}

static void a_back_off_can_be_cut_short_or_given_up(void **state)
{
    struct world *w = *state;

    bring_up(w);
    unit_exited(&w->unit, "x");
    pass(w, 1);
    unit_exited(&w->unit, "x");
    assert_int_equal(w->unit.state, UNIT_BACKOFF);
    unit_event(&w->unit, UNIT_RESTART);
    assert_int_equal(w->unit.state, UNIT_STARTING);
    unit_exited(&w->unit, "x");
    unit_event(&w->unit, UNIT_WANT_DOWN);
    assert_int_equal(w->unit.state, UNIT_DOWN);
    pass(w, 1000000);
    assert_int_equal(w->unit.state, UNIT_DOWN);
}

/* Every event in every state: no crash, and never two processes for one unit. */
static void no_event_in_any_state_makes_a_second_process(void **state)
{
    struct world *w = *state;

    for (unsigned seed = 1; seed < 300; seed++) {
        unsigned r = seed * 2654435761u;

        for (int i = 0; i < 60; i++) {
            int spawns = w->spawns;
            pid_t pid = w->unit.pid;

            r = r * 1103515245u + 12345u;
            w->signals_n = 0;
            if ((r >> 16) % 7 == 6)
                pass(w, (r >> 8) % 3000);
            else if ((r >> 16) % 7 == UNIT_EXITED)
                unit_exited(&w->unit, "x");
            else
                unit_event(&w->unit, (enum unit_event)((r >> 16) % 7));
            assert_true(w->spawns == spawns || pid == 0 || (r >> 16) % 7 == UNIT_EXITED);
            assert_int_equal(unit_is_settled(&w->unit) && w->unit.pid, 0);
        }
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_life_from_down_to_down),
        CASE(one_that_dies_is_started_again_with_growing_waits),
        CASE(the_first_failure_of_a_first_start_is_final),
        CASE(one_that_cannot_be_made_waits_too),
        CASE(one_that_is_not_ready_in_time_is_killed),
        CASE(the_watchdog_bites_only_the_silent),
        CASE(one_that_will_not_end_is_killed),
        CASE(one_that_is_not_ready_yet_is_stopped_by_force),
        CASE(a_restart_ends_in_a_new_process),
        CASE(one_that_is_at_work_is_waited_for),
        CASE(the_last_word_counts),
        CASE(a_back_off_can_be_cut_short_or_given_up),
        CASE(no_event_in_any_state_makes_a_second_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
