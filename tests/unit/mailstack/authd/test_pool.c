/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"

#include "mailstack/authd/pool.h"

#include "tests/lib/fake_clock.h"
#include "tests/lib/test.h"

struct world {
    struct loop *loop;
    struct pool *pool;
    pid_t worker;
};

struct asked {
    struct pool_check check;
    int answers;
    enum auth_verdict verdict;
};

static void on_verdict(struct pool_check *c, enum auth_verdict v)
{
    struct asked *a = container_of(c, struct asked, check);

    a->answers++;
    a->verdict = v;
}

static int set_up(void **state)
{
    static struct world w;
    struct err err = {0};

    log_to(open("/dev/null", O_WRONLY | O_CLOEXEC));
    w = (struct world){.loop = loop_new(&err)};
    w.pool = pool_new(w.loop, &err);
    assert_non_null(w.pool);
    *state = &w;
    return 0;
}

static void start_worker(struct world *w)
{
    w->worker = fork();
    if (w->worker == 0)
        _exit(pool_work(0, w->pool));
    assert_true(w->worker > 0);
}

static int tear_down(void **state)
{
    struct world *w = *state;
    int status;

    pool_free(w->pool);
    loop_free(w->loop);
    if (w->worker > 0) { /* it ends by itself when authd is gone */
        assert_int_equal(waitpid(w->worker, &status, 0), w->worker);
        assert_int_equal(status, 0);
    }
    return 0;
}

static void ask(struct world *w, struct asked *a, const char *stored, struct str password)
{
    *a = (struct asked){.check = {.fn = on_verdict}};
    pool_ask(w->pool, &a->check, stored, password);
    assert_int_equal(a->answers, 0); /* never from within */
}

static void wait_for(struct world *w, const struct asked *a)
{
    struct err err = {0};

    for (int i = 0; i < 100 && a->answers == 0; i++)
        assert_ok(loop_turn(w->loop, 100, &err), &err);
}

static void a_worker_gives_the_verdict(void **state)
{
    static const struct {
        const char *stored;
        const char *password;
        enum auth_verdict verdict;
    } cases[] = {
        {"{PLAIN}secret", "secret", AUTH_YES}, {"{PLAIN}secret", "wrong", AUTH_NO},
        {"{PLAIN}secret", "", AUTH_NO},        {"!", "x", AUTH_NO},
        {"{NOSUCH}x", "x", AUTH_TEMP},         {"", "", AUTH_NO},
    };
    struct world *w = *state;

    start_worker(w);
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct asked a;

        ask(w, &a, cases[i].stored, str_of(cases[i].password));
        wait_for(w, &a);
        assert_int_equal(a.answers, 1);
        assert_int_equal(a.verdict, cases[i].verdict);
        assert_null(a.check.pool);
    }
}

static void many_at_once_get_each_its_own(void **state)
{
    static struct asked many[100];
    struct world *w = *state;

    start_worker(w);
    for (size_t i = 0; i < ARRAY_N(many); i++)
        ask(w, &many[i], "{PLAIN}secret", i % 3 ? STR("wrong") : STR("secret"));
    wait_for(w, &many[ARRAY_N(many) - 1]);
    for (size_t i = 0; i < ARRAY_N(many); i++) {
        assert_int_equal(many[i].answers, 1);
        assert_int_equal(many[i].verdict, i % 3 ? AUTH_NO : AUTH_YES);
    }
}

static void without_a_worker_the_answer_is_temporary_in_time(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    struct asked a;

    fake_clock_start();
    ask(w, &a, "{PLAIN}x", STR("x"));
    fake_clock_advance_ms(POOL_WAIT_MS - 1);
    assert_ok(loop_turn(w->loop, 0, &err), &err);
    assert_int_equal(a.answers, 0);
    fake_clock_advance_ms(2);
    assert_ok(loop_turn(w->loop, 0, &err), &err);
    assert_int_equal(a.answers, 1);
    assert_int_equal(a.verdict, AUTH_TEMP);
    /* A worker that comes back to life answers for a check that is nobody's any more. */
    fake_clock_stop();
    start_worker(w);
    ask(w, &a, "{PLAIN}x", STR("y"));
    wait_for(w, &a);
    assert_int_equal(a.verdict, AUTH_NO);
}

static void a_cancelled_check_is_never_answered(void **state)
{
    struct world *w = *state;
    struct asked a;
    struct asked b;

    ask(w, &a, "{PLAIN}x", STR("x"));
    ask(w, &b, "{PLAIN}x", STR("x"));
    pool_cancel(&a.check);
    pool_cancel(&a.check);
    start_worker(w);
    wait_for(w, &b);
    assert_int_equal(a.answers, 0);
    assert_int_equal(b.verdict, AUTH_YES);
}

static void too_many_or_too_long_are_temporary_at_once(void **state)
{
    static struct asked many[POOL_PENDING_MAX + 2];
    static char longest[8192];
    struct world *w = *state;
    struct err err = {0};
    struct asked a;
    size_t late = 0;

    memset(longest, 'x', sizeof(longest));
    ask(w, &a, "{PLAIN}x", (struct str){longest, sizeof(longest)});
    assert_ok(loop_turn(w->loop, 0, &err), &err);
    assert_int_equal(a.answers, 1);
    assert_int_equal(a.verdict, AUTH_TEMP);
    for (size_t i = 0; i < ARRAY_N(many); i++)
        ask(w, &many[i], "{PLAIN}x", STR("x"));
    assert_ok(loop_turn(w->loop, 0, &err), &err);
    for (size_t i = 0; i < ARRAY_N(many); i++) {
        late += many[i].answers == 1 && many[i].verdict == AUTH_TEMP;
        pool_cancel(&many[i].check);
    }
    assert_true(late >= 2); /* beyond the limit, or what the socket did not take */
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_worker_gives_the_verdict),
        CASE(many_at_once_get_each_its_own),
        CASE(without_a_worker_the_answer_is_temporary_in_time),
        CASE(a_cancelled_check_is_never_answered),
        CASE(too_many_or_too_long_are_temporary_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
