/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/loop.h"

#include "tests/lib/fake_clock.h"
#include "tests/lib/test.h"

static struct loop *make_loop(void)
{
    struct err err;
    struct loop *l = loop_new(&err);

    assert_non_null(l);
    return l;
}

static void turn(struct loop *l)
{
    struct err err;

    assert_ok(loop_turn(l, 0, &err), &err);
}

/* --- timers ---------------------------------------------------------------------------------- */

#define TIMERS_N 500

struct tick {
    struct loop_timer timer;
    int runs;
};

static uint64_t last_at_ms;

static void in_order(struct loop_timer *t)
{
    assert_true(t->at_ms >= last_at_ms);
    last_at_ms = t->at_ms;
    container_of(t, struct tick, timer)->runs++;
}

static void timers_expire_in_order_whatever_was_set_moved_or_deleted(void **state)
{
    struct loop *l = make_loop();
    static struct tick ticks[TIMERS_N];
    unsigned r = 1;

    (void)state;
    last_at_ms = 0;
    for (size_t i = 0; i < TIMERS_N; i++) {
        ticks[i] = (struct tick){.timer = {.fn = in_order}};
        loop_timer_set(l, &ticks[i].timer, (r = r * 1103515245 + 12345) >> 16 & 1023);
    }
    for (size_t i = 0; i < TIMERS_N; i += 3)
        loop_timer_set(l, &ticks[i].timer, (r = r * 1103515245 + 12345) >> 16 & 1023);
    for (size_t i = 1; i < TIMERS_N; i += 3) {
        loop_timer_del(&ticks[i].timer);
        loop_timer_del(&ticks[i].timer);
    }
    for (int ms = 0; ms < 1100; ms++) {
        fake_clock_advance_ms(1);
        turn(l);
    }
    for (size_t i = 0; i < TIMERS_N; i++)
        assert_int_equal(ticks[i].runs, i % 3 == 1 ? 0 : 1);
    loop_free(l);
}

static void no_timer_comes_early(void **state)
{
    struct loop *l = make_loop();
    struct tick t = {.timer = {.fn = in_order}};
    struct tick never = {.timer = {.fn = in_order}};

    (void)state;
    last_at_ms = 0;
    loop_timer_set(l, &t.timer, 10);
    loop_timer_set(l, &never.timer, UINT64_MAX);
    fake_clock_advance_ms(9);
    turn(l);
    assert_int_equal(t.runs, 0);
    fake_clock_advance_ms(1);
    turn(l);
    assert_int_equal(t.runs, 1);
    assert_null(t.timer.loop);
    turn(l);
    assert_int_equal(t.runs, 1);
    loop_free(l);
    assert_null(never.timer.loop);
}

struct again {
    struct loop_timer timer;
    struct loop *loop;
    int runs;
};

static void set_again(struct loop_timer *t)
{
    struct again *a = container_of(t, struct again, timer);

    a->runs++;
    loop_timer_set(a->loop, t, 0);
}

static void a_timer_that_sets_itself_for_now_runs_once_a_turn(void **state)
{
    struct loop *l = make_loop();
    struct again a = {.timer = {.fn = set_again}, .loop = l};

    (void)state;
    loop_timer_set(l, &a.timer, 0);
    for (int i = 1; i <= 3; i++) {
        turn(l);
        assert_int_equal(a.runs, i);
    }
    loop_free(l);
}

/* --- descriptors ----------------------------------------------------------------------------- */

struct watch {
    struct loop_io io;
    unsigned events;
    int runs;
    struct watch *kill; /* deleted by the callback */
};

static void note(struct loop_io *io, unsigned events)
{
    struct watch *w = container_of(io, struct watch, io);

    w->events = events;
    w->runs++;
    if (w->kill != NULL)
        loop_io_del(&w->kill->io);
}

static void events_are_what_was_asked_for(void **state)
{
    struct loop *l = make_loop();
    struct watch w = {.io = {.fn = note}};
    struct err err;
    int pair[2];

    (void)state;
    assert_ok(fd_socketpair(SOCK_STREAM, pair, &err), &err);
    assert_ok(loop_io_add(l, &w.io, pair[0], LOOP_READ, &err), &err);
    turn(l);
    assert_int_equal(w.runs, 0);
    loop_io_set(&w.io, LOOP_READ | LOOP_WRITE);
    turn(l);
    assert_int_equal(w.events, LOOP_WRITE);
    assert_ok(fd_write_all(pair[1], STR("x"), &err), &err);
    turn(l);
    assert_int_equal(w.events, LOOP_READ | LOOP_WRITE);
    loop_io_set(&w.io, 0);
    w.runs = 0;
    turn(l);
    assert_int_equal(w.runs, 0);
    (void)close(pair[1]);
    turn(l);
    assert_int_equal(w.events, LOOP_HANGUP);
    loop_io_del(&w.io);
    loop_io_del(&w.io);
    (void)close(pair[0]);
    loop_free(l);
}

static void the_end_of_a_pipe_can_be_read(void **state)
{
    struct loop *l = make_loop();
    struct watch w = {.io = {.fn = note}};
    struct err err;
    int pipe_fd[2];

    (void)state;
    assert_ok(fd_pipe(pipe_fd, &err), &err);
    assert_ok(loop_io_add(l, &w.io, pipe_fd[0], LOOP_READ, &err), &err);
    (void)close(pipe_fd[1]);
    turn(l);
    assert_int_equal(w.events, LOOP_READ | LOOP_HANGUP);
    loop_io_del(&w.io);
    (void)close(pipe_fd[0]);
    loop_free(l);
}

static void an_event_in_hand_of_a_deleted_watch_is_dropped(void **state)
{
    struct loop *l = make_loop();
    struct watch w[2] = {{.io = {.fn = note}}, {.io = {.fn = note}}};
    struct err err;
    int pair[2];

    (void)state;
    w[0].kill = &w[1];
    w[1].kill = &w[0];
    assert_ok(fd_socketpair(SOCK_STREAM, pair, &err), &err);
    for (int i = 0; i < 2; i++)
        assert_ok(loop_io_add(l, &w[i].io, pair[i], LOOP_WRITE, &err), &err);
    turn(l);
    assert_int_equal(w[0].runs + w[1].runs, 1);
    turn(l);
    assert_int_equal(w[0].runs + w[1].runs, 2);
    assert_true(w[0].runs == 2 || w[1].runs == 2);
    loop_io_del(&w[0].io);
    loop_io_del(&w[1].io);
    (void)close(pair[0]);
    (void)close(pair[1]);
    loop_free(l);
}

static void del_self(struct loop_io *io, unsigned events)
{
    struct loop *l = io->loop;
    struct err err;

    note(io, events);
    loop_io_del(io);
    assert_ok(loop_io_add(l, io, io->fd, LOOP_WRITE, &err), &err);
}

static void a_watch_may_be_deleted_and_added_in_its_callback(void **state)
{
    struct loop *l = make_loop();
    struct watch w = {.io = {.fn = del_self}};
    struct err err;
    int pair[2];

    (void)state;
    assert_ok(fd_socketpair(SOCK_STREAM, pair, &err), &err);
    assert_ok(loop_io_add(l, &w.io, pair[0], LOOP_WRITE, &err), &err);
    for (int i = 1; i < 4; i++) {
        turn(l);
        assert_int_equal(w.runs, i);
    }
    loop_io_del(&w.io);
    (void)close(pair[0]);
    (void)close(pair[1]);
    loop_free(l);
}

static void a_file_that_cannot_be_watched_is_an_error(void **state)
{
    struct loop *l = make_loop();
    struct watch w = {.io = {.fn = note}};
    struct err err;

    (void)state;
    assert_int_equal(loop_io_add(l, &w.io, -1, LOOP_READ, &err), -1);
    assert_err(&err, "watch descriptor -1");
    assert_null(w.io.loop);
    loop_free(l);
}

#define MANY_N 2000

static void thousands_of_descriptors_are_all_served(void **state)
{
    struct loop *l = make_loop();
    static struct watch w[MANY_N];
    struct rlimit limit;
    struct err err;
    size_t n;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    n = limit.rlim_cur > MANY_N + 100 ? MANY_N : limit.rlim_cur / 2;
    for (size_t i = 0; i < n; i += 2) {
        int pair[2];

        assert_ok(fd_socketpair(SOCK_STREAM, pair, &err), &err);
        for (size_t j = 0; j < 2; j++) {
            w[i + j] = (struct watch){.io = {.fn = note}};
            assert_ok(loop_io_add(l, &w[i + j].io, pair[j], LOOP_WRITE, &err), &err);
        }
    }
    for (size_t i = 0; i < n / 256 + 1; i++)
        turn(l);
    for (size_t i = 0; i < n; i++) {
        assert_true(w[i].runs > 0);
        loop_io_del(&w[i].io);
        (void)close(w[i].io.fd);
    }
    loop_free(l);
}

/* --- deferred calls -------------------------------------------------------------------------- */

struct later {
    struct loop_call call;
    struct loop *loop;
    int runs;
};

static void run_later(struct loop_call *c)
{
    struct later *x = container_of(c, struct later, call);

    x->runs++;
    if (x->loop != NULL)
        loop_defer(x->loop, c);
}

static void a_deferred_call_runs_once_a_turn(void **state)
{
    struct loop *l = make_loop();
    struct later once = {.call = {.fn = run_later}};
    struct later again = {.call = {.fn = run_later}, .loop = l};

    (void)state;
    loop_defer(l, &once.call);
    loop_defer(l, &once.call);
    loop_defer(l, &again.call);
    for (int i = 1; i < 4; i++) {
        struct err err;

        assert_ok(loop_turn(l, -1, &err), &err); /* does not wait */
        assert_int_equal(once.runs, 1);
        assert_int_equal(again.runs, i);
    }
    again.loop = NULL;
    loop_free(l); /* what is still deferred runs */
    assert_int_equal(again.runs, 4);
}

struct stopper {
    struct loop_timer timer;
    struct loop *loop;
};

static void stop_loop(struct loop_timer *t)
{
    loop_stop(container_of(t, struct stopper, timer)->loop);
}

static void it_runs_until_it_is_stopped(void **state)
{
    struct loop *l = make_loop();
    struct stopper s = {.timer = {.fn = stop_loop}, .loop = l};
    struct err err;

    (void)state;
    loop_timer_set(l, &s.timer, 5);
    assert_ok(loop_run(l, &err), &err);
    loop_free(l);
    loop_free(NULL);
}

#define STILL(test) cmocka_unit_test_setup_teardown(test, fake_clock_setup, fake_clock_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STILL(timers_expire_in_order_whatever_was_set_moved_or_deleted),
        STILL(no_timer_comes_early),
        STILL(a_timer_that_sets_itself_for_now_runs_once_a_turn),
        cmocka_unit_test(events_are_what_was_asked_for),
        cmocka_unit_test(the_end_of_a_pipe_can_be_read),
        cmocka_unit_test(an_event_in_hand_of_a_deleted_watch_is_dropped),
        cmocka_unit_test(a_watch_may_be_deleted_and_added_in_its_callback),
        cmocka_unit_test(a_file_that_cannot_be_watched_is_an_error),
        cmocka_unit_test(thousands_of_descriptors_are_all_served),
        cmocka_unit_test(a_deferred_call_runs_once_a_turn),
        cmocka_unit_test(it_runs_until_it_is_stopped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
