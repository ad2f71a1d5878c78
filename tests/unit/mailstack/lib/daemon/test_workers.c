/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/loop.h"
#include "runtime/base/own.h"

#include "mailstack/lib/daemon/workers.h"

#include "tests/lib/test.h"

/* Each worker says "I am worker i" with one byte, and does what the test wants. */
struct plan {
    int said[2];
    int exits_at_once; /* this exit code; -1: waits for SIGTERM */
};

struct world {
    struct plan plan;
    struct loop *loop;
};

static int work(unsigned i, void *ctx)
{
    struct plan *p = ctx;
    char c = (char)('0' + i);
    sigset_t blocked;

    if (sigprocmask(SIG_SETMASK, NULL, &blocked) < 0 || sigismember(&blocked, SIGTERM) != 0)
        c = '!'; /* signals are not as in a fresh process */
    if (write(p->said[1], &c, 1) != 1)
        _exit(9);
    if (p->exits_at_once >= 0)
        _exit(p->exits_at_once);
    for (;;)
        (void)pause();
}

static int set_up(void **state)
{
    static struct world w;
    struct err err = {0};

    log_to(open("/dev/null", O_WRONLY | O_CLOEXEC));
    w = (struct world){.plan = {.exits_at_once = -1}, .loop = loop_new(&err)};
    assert_ok(fd_pipe(w.plan.said, &err), &err);
    assert_ok(fd_set_nonblock(w.plan.said[0], true, &err), &err);
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    loop_free(w->loop);
    own_close_fd(&w->plan.said[0]);
    own_close_fd(&w->plan.said[1]);
    return 0;
}

/* Turns the loop until n workers have spoken, for three seconds at most; how many did. */
static int hear(struct world *w, int n, char *last)
{
    struct err err = {0};
    int heard = 0;

    for (int i = 0; i < 300 && heard < n; i++) {
        assert_ok(loop_turn(w->loop, 10, &err), &err);
        while (heard < n && read(w->plan.said[0], last, 1) == 1)
            heard++;
    }
    return heard;
}

static void all_are_started_and_end_together(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    struct workers *all = workers_start(w->loop, 3, work, &w->plan, &err);
    char last = 0;

    assert_non_null(all);
    assert_int_equal(hear(w, 3, &last), 3);
    assert_true(last >= '0' && last <= '2');
    workers_drain(all);
    assert_ok(loop_run(w->loop, &err), &err); /* stopped when the last is gone */
    workers_free(all);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nobody is left, and no zombie */
}

static void one_that_dies_is_replaced_at_once(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    struct workers *all = workers_start(w->loop, 2, work, &w->plan, &err);
    char last = 0;

    assert_int_equal(hear(w, 2, &last), 2);
    workers_signal(all, SIGKILL);
    assert_int_equal(hear(w, 2, &last), 2);
    workers_drain(all);
    assert_ok(loop_run(w->loop, &err), &err);
    workers_free(all);
}

static void a_replaced_set_leaves_and_the_new_one_stays(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    struct workers *all = workers_start(w->loop, 2, work, &w->plan, &err);
    char last = 0;

    assert_int_equal(hear(w, 2, &last), 2);
    workers_replace(all);
    workers_replace(all); /* before any of them has left */
    /* Those in the middle may be ended before they have said anything. */
    assert_in_range(hear(w, 4, &last), 2, 4);
    assert_int_equal(hear(w, 1, &last), 0); /* those who left are not started again */
    workers_drain(all);
    assert_ok(loop_run(w->loop, &err), &err);
    workers_free(all);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* At once, then after 100, 200, 400 ms ...: in a second not more than a handful. */
static void one_that_keeps_dying_is_started_ever_more_slowly(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    struct workers *all;
    char last = 0;
    int starts = 0;

    w->plan.exits_at_once = 1;
    all = workers_start(w->loop, 1, work, &w->plan, &err);
    for (int i = 0; i < 100; i++) {
        assert_ok(loop_turn(w->loop, 10, &err), &err);
        while (read(w->plan.said[0], &last, 1) == 1)
            starts++;
    }
    assert_true(starts >= 2 && starts <= 8);
    workers_drain(all);
    workers_free(all);
}

struct drain {
    struct loop_call call;
    struct workers *all;
};

static void on_drain(struct loop_call *c)
{
    workers_drain(container_of(c, struct drain, call)->all);
}

static void a_drain_with_nobody_alive_ends_the_loop(void **state)
{
    struct drain d = {.call = {.fn = on_drain}};
    struct world *w = *state;
    struct err err = {0};
    struct workers *all;
    char last = 0;

    w->plan.exits_at_once = 0;
    all = workers_start(w->loop, 1, work, &w->plan, &err);
    assert_int_equal(hear(w, 2, &last), 2);
    for (int i = 0; i < 5; i++)
        assert_ok(loop_turn(w->loop, 10, &err), &err); /* it waits in its back-off */
    d.all = all;
    loop_defer(w->loop, &d.call);
    assert_ok(loop_run(w->loop, &err), &err);
    workers_free(all);
}

static void a_worker_ends_with_its_parent(void **state)
{
    struct world *w = *state;
    char last = 0;
    pid_t parent = fork();
    struct err err = {0};

    if (parent == 0) {
        struct workers *all = workers_start(w->loop, 1, work, &w->plan, &err);

        if (!all || hear(w, 1, &last) != 1)
            _exit(1);
        _exit(0); /* without a word to it */
    }
    own_close_fd(&w->plan.said[1]);
    w->plan.said[1] = -1;
    assert_int_equal(waitpid(parent, NULL, 0), parent);
    assert_ok(fd_set_nonblock(w->plan.said[0], false, &err), &err);
    (void)alarm(10);
    while (read(w->plan.said[0], &last, 1) > 0)
        continue; /* its copy of the pipe closes with it */
    (void)alarm(0);
}

static void none_or_too_many_are_refused(void **state)
{
    struct world *w = *state;
    struct err err = {0};

    assert_null(workers_start(w->loop, 0, work, &w->plan, &err));
    assert_null(workers_start(w->loop, 100000, work, &w->plan, &err));
    workers_free(NULL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(all_are_started_and_end_together),
        CASE(one_that_dies_is_replaced_at_once),
        CASE(a_replaced_set_leaves_and_the_new_one_stays),
        CASE(one_that_keeps_dying_is_started_ever_more_slowly),
        CASE(a_drain_with_nobody_alive_ends_the_loop),
        CASE(a_worker_ends_with_its_parent),
        CASE(none_or_too_many_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
