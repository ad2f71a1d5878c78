/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <unistd.h>

#include "runtime/base/sig.h"

#include "tests/lib/test.h"

static void names_and_numbers_agree(void **state)
{
    struct err err;

    (void)state;
    for (int i = 1; i <= 64; i++) {
        const char *name = sig_name(i);
        char number[8];

        (void)snprintf(number, sizeof(number), "%d", i);
        assert_int_equal(sig_parse(number, &err), i);
        if (i == 32 || i == 33) /* glibc's own */
            continue;
        assert_int_equal(sig_parse(name, &err), i);
        assert_int_equal(sig_parse(name + 3, &err), i);
    }
    assert_int_equal(sig_parse("term", &err), SIGTERM);
    assert_int_equal(sig_parse("sigKill", &err), SIGKILL);
    assert_int_equal(sig_parse("CLD", &err), SIGCHLD);
    assert_int_equal(sig_parse("SIGRTMIN+3", &err), SIGRTMIN + 3);
    assert_int_equal(sig_parse("RTMAX-2", &err), SIGRTMAX - 2);
    assert_string_equal(sig_name(9), "SIGKILL");
    assert_string_equal(sig_name(0), "an unknown signal");
    assert_string_equal(sig_name(99), "an unknown signal");
}

static void what_is_no_signal_is_refused(void **state)
{
    static const char *const bad[] = {
        "",           "0",     "-1",       "65",       "SIG",
        "SIGSIGTERM", "TERM ", "RTMIN+40", "RTMAX-31", "an unknown signal"};
    struct err err;

    (void)state;
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        assert_int_equal(sig_parse(bad[i], &err), -1);
        assert_err(&err, "signal '");
    }
}

struct seen {
    struct sig_watch watch;
    int last;
    int n;
};

static void note(struct sig_watch *w, int signo)
{
    struct seen *s = container_of(w, struct seen, watch);

    s->last = signo;
    s->n++;
}

static void signals_arrive_through_the_loop(void **state)
{
    static const int wanted[] = {SIGUSR1, SIGHUP, 0};
    struct seen s = {.watch = {.fn = note}};
    struct err err;
    struct loop *l = loop_new(&err);

    (void)state;
    assert_ok(sig_watch(l, &s.watch, wanted, &err), &err);
    assert_int_equal(kill(getpid(), SIGUSR1), 0);
    assert_ok(loop_turn(l, 1000, &err), &err);
    assert_int_equal(s.last, SIGUSR1);
    assert_int_equal(kill(getpid(), SIGHUP), 0);
    assert_ok(loop_turn(l, 1000, &err), &err);
    assert_int_equal(s.last, SIGHUP);
    assert_int_equal(kill(getpid(), SIGPIPE), 0); /* ignored from now on */
    assert_ok(loop_turn(l, 0, &err), &err);
    assert_int_equal(s.n, 2);
    sig_unwatch(&s.watch);
    sig_unwatch(&s.watch);
    loop_free(l);
}

static void reset_unblocks_everything(void **state)
{
    sigset_t now;

    (void)state;
    sig_reset();
    assert_int_equal(sigprocmask(SIG_SETMASK, NULL, &now), 0);
    assert_int_equal(sigismember(&now, SIGUSR1), 0);
    assert_int_equal(sigismember(&now, SIGHUP), 0);
    assert_true(signal(SIGPIPE, SIG_DFL) == SIG_DFL);
}

static void an_end_is_asked_for_by_four(void **state)
{
    int n = 0;

    (void)state;
    for (int signo = 0; signo <= 64; signo++)
        n += sig_asks_for_the_end(signo);
    assert_int_equal(n, 4);
    assert_true(sig_asks_for_the_end(SIGTERM));
    assert_false(sig_asks_for_the_end(SIGKILL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_numbers_agree),
        cmocka_unit_test(what_is_no_signal_is_refused),
        cmocka_unit_test(signals_arrive_through_the_loop),
        cmocka_unit_test(reset_unblocks_everything),
        cmocka_unit_test(an_end_is_asked_for_by_four),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
