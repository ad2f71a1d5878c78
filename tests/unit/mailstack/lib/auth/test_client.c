/* SPDX-License-Identifier: Apache-2.0 */
/*
 * authd is played by the test itself, in the same process: it accepts on the two sockets, looks at
 * what was asked and answers what the test says.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/loop.h"
#include "runtime/base/own.h"

#include "mailstack/lib/auth/client.h"

#include "tests/lib/fake_clock.h"
#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

#define GREETING "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\tx\nDONE\n"

struct world {
    struct tmpdir *dir;
    struct loop *loop;
    struct auth_client *client;
    int auth_fd;
    int map_fd;
    char auth[128];
    char map[128];
};

struct login {
    struct auth_login q;
    int answers;
    enum auth_verdict verdict;
    uint64_t quota;
    char user[64];
};

struct resolve {
    struct auth_resolve q;
    int answers;
    enum auth_verdict verdict;
    size_t targets_n;
    char first[64];
    bool local;
};

static void on_login(struct auth_login *q, const struct auth_login_answer *a)
{
    struct login *l = container_of(q, struct login, q);

    l->answers++;
    l->verdict = a->verdict;
    l->quota = a->quota;
    (void)snprintf(l->user, sizeof(l->user), "%.*s", STR_ARG(a->user));
}

static void on_resolve(struct auth_resolve *q, const struct auth_resolve_answer *a)
{
    struct resolve *r = container_of(q, struct resolve, q);

    r->answers++;
    r->verdict = a->verdict;
    r->targets_n = a->targets_n;
    if (a->targets_n) {
        (void)snprintf(r->first, sizeof(r->first), "%.*s", STR_ARG(a->targets[0].address));
        r->local = a->targets[0].local;
    }
}

static int listen_at(const char *path, int backlog)
{
    struct err err = {0};
    int fd = fd_unix_listen(path, SOCK_STREAM | SOCK_NONBLOCK, 0600, backlog, &err);

    assert_ok(fd, &err);
    return fd;
}

static int set_up(void **state)
{
    static struct world w;
    struct err err = {0};

    fake_clock_start();
    log_to(open("/dev/null", O_WRONLY | O_CLOEXEC));
    w.dir = tmpdir_new();
    w.loop = loop_new(&err);
    (void)snprintf(w.auth, sizeof(w.auth), "%s/auth", w.dir->path);
    (void)snprintf(w.map, sizeof(w.map), "%s/map", w.dir->path);
    w.auth_fd = listen_at(w.auth, 8);
    w.map_fd = listen_at(w.map, 8);
    w.client = auth_client_new(w.loop, (struct auth_client_sockets){w.auth, w.map}, &err);
    assert_non_null(w.client);
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    struct err err = {0};

    auth_client_free(w->client);
    assert_ok(loop_turn(w->loop, 0, &err), &err); /* what was freed goes at the end of a turn */
    loop_free(w->loop);
    own_close_fd(&w->auth_fd);
    own_close_fd(&w->map_fd);
    tmpdir_free(w->dir);
    fake_clock_stop();
    return 0;
}

static void turns(struct world *w)
{
    struct err err = {0};

    for (int i = 0; i < 8; i++)
        assert_ok(loop_turn(w->loop, 0, &err), &err);
}

/* The client's connection, as authd sees it; -1 if there is none. */
static int accept_one(struct world *w, int listen_fd)
{
    turns(w);
    return accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/* All that the client has sent. */
static struct str hear(struct world *w, int fd)
{
    static char text[65536];
    ssize_t n;

    turns(w);
    n = recv(fd, text, sizeof(text), 0);
    return (struct str){text, n > 0 ? (size_t)n : 0};
}

static void say(struct world *w, int fd, struct str s)
{
    struct err err = {0};

    assert_ok(fd_write_all(fd, s, &err), &err);
    turns(w);
}

static void ask_login(struct world *w, struct login *l)
{
    static const struct auth_credentials k = {STR_INIT("alice"), STR_INIT("secret"), "imap",
                                              STR_INIT("192.0.2.1"), true};

    *l = (struct login){.q = {.fn = on_login}};
    auth_login_ask(w->client, &l->q, &k);
    assert_int_equal(l->answers, 0); /* never from within */
}

static void ask_resolve(struct world *w, struct resolve *r, const char *rcpt)
{
    *r = (struct resolve){.q = {.fn = on_resolve}};
    auth_resolve_ask(w->client, &r->q, str_of(rcpt), STR("s@x"));
    assert_int_equal(r->answers, 0);
}

static void a_login_is_asked_and_answered(void **state)
{
    struct world *w = *state;
    struct login l;
    struct str heard;

    ask_login(w, &l);
    own_fd int fd = accept_one(w, w->auth_fd);

    assert_true(fd >= 0);
    assert_str(hear(w, fd), "VERSION\t1\t2\nCPID\t1\n"); /* no password before the greeting */
    say(w, fd, STR(GREETING));
    heard = hear(w, fd);
    assert_true(
        str_starts(heard, STR("AUTH\t1\tPLAIN\tservice=imap\tsecured\trip=192.0.2.1\tresp=")));
    assert_true(str_ends(heard, STR("\tresp=AGFsaWNlAHNlY3JldA==\n")));
    say(w, fd, STR("OK\t1\tuser=alice@example.org\tquota=77\n"));
    assert_int_equal(l.answers, 1);
    assert_int_equal(l.verdict, AUTH_YES);
    assert_string_equal(l.user, "alice@example.org");
    assert_int_equal(l.quota, 77);
    assert_null(l.q.client);
}

static void verdicts_are_told_apart(void **state)
{
    static const struct {
        const char *verb;
        const char *rest;
        enum auth_verdict verdict;
    } cases[] = {
        {"FAIL", "\tuser=alice\n", AUTH_NO},
        {"FAIL", "\tuser=alice\ttemp\n", AUTH_TEMP},
        {"OK", "\n", AUTH_TEMP}, /* whose mailbox would it be? */
        {"OK", "\tuser=a\tquota=x\n", AUTH_TEMP},
        {"OK", "\tuser=a\001z\n", AUTH_TEMP},
        {"OK", "\tuser=a\n", AUTH_YES},
    };
    struct world *w = *state;
    own_fd int fd = -1;

    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        char text[128];
        struct login l;

        ask_login(w, &l);
        if (fd < 0) {
            fd = accept_one(w, w->auth_fd);
            say(w, fd, STR(GREETING));
        }
        say(w, fd, STR("OK\t999\tuser=mallory\nFAIL\t0\nOK\tx\nNONSENSE\n")); /* nobody's */
        assert_int_equal(l.answers, 0);
        (void)snprintf(text, sizeof(text), "%s\t%d%s", cases[i].verb, (int)l.q.id, cases[i].rest);
        say(w, fd, str_of(text));
        assert_int_equal(l.answers, 1);
        assert_int_equal(l.verdict, cases[i].verdict);
    }
}

static void map_answers_go_to_their_askers_in_order(void **state)
{
    struct world *w = *state;
    struct resolve a;
    struct resolve b;
    struct resolve c;

    ask_resolve(w, &a, "a@x");
    ask_resolve(w, &b, "b@x");
    ask_resolve(w, &c, "c@x");
    own_fd int fd = accept_one(w, w->map_fd);

    assert_str(hear(w, fd), "15:resolve a@x\ts@x,15:resolve b@x\ts@x,15:resolve c@x\ts@x,");
    auth_resolve_cancel(&b.q); /* its answer still comes, and is nobody's */
    say(w, fd, STR("9:OK L5:a@x,"));
    assert_int_equal(a.answers, 1);
    assert_true(a.local);
    assert_string_equal(a.first, "a@x");
    assert_int_equal(c.answers, 0);
    say(w, fd, STR("9:OK L5:b@x,13:NOTFOUND gone,"));
    assert_int_equal(b.answers, 0);
    assert_int_equal(c.answers, 1);
    assert_int_equal(c.verdict, AUTH_NO);
}

static void an_answer_that_cannot_be_read_is_temporary(void **state)
{
    static const char *const answers[] = {"3:OK ,", "5:OK :a,", "7:OK Lx:a,", "6:OK abc,"};
    struct world *w = *state;
    own_fd int fd = -1;

    for (size_t i = 0; i < ARRAY_N(answers); i++) {
        struct resolve r;

        ask_resolve(w, &r, "a@x");
        if (fd < 0)
            fd = accept_one(w, w->map_fd);
        say(w, fd, str_of(answers[i]));
        assert_int_equal(r.answers, 1);
        assert_int_equal(r.verdict, AUTH_TEMP);
    }
}

static void a_restart_of_authd_loses_no_question(void **state)
{
    struct world *w = *state;
    struct resolve r;
    struct login l;
    int map_fd;
    int auth_fd;

    ask_resolve(w, &r, "a@x");
    ask_login(w, &l);
    map_fd = accept_one(w, w->map_fd);
    auth_fd = accept_one(w, w->auth_fd);
    say(w, auth_fd, STR(GREETING));
    own_close_fd(&map_fd);
    own_close_fd(&auth_fd);
    turns(w);
    fake_clock_advance_ms(300);
    map_fd = accept_one(w, w->map_fd);
    auth_fd = accept_one(w, w->auth_fd);
    assert_true(map_fd >= 0 && auth_fd >= 0);
    assert_str(hear(w, map_fd), "15:resolve a@x\ts@x,");
    say(w, map_fd, STR("7:OK R:b@y,"));
    assert_int_equal(r.answers, 0); /* "OK R:b@y" has 8 bytes: what is no netstring ends the talk */
    own_close_fd(&map_fd);
    fake_clock_advance_ms(300);
    map_fd = accept_one(w, w->map_fd);
    say(w, map_fd, STR("8:OK R:b@y,"));
    assert_int_equal(r.answers, 1);
    assert_false(r.local);
    say(w, auth_fd, STR(GREETING "FAIL\t2\n"));
    assert_int_equal(l.answers, 1);
    own_close_fd(&map_fd);
    own_close_fd(&auth_fd);
}

static void without_authd_the_answer_is_temporary_in_time(void **state)
{
    struct world *w = *state;
    struct resolve r;
    struct login l;

    own_close_fd(&w->auth_fd);
    own_close_fd(&w->map_fd);
    ask_resolve(w, &r, "a@x");
    ask_login(w, &l);
    for (int ms = 0; ms < AUTH_CLIENT_WAIT_MS - 500; ms += 250) {
        fake_clock_advance_ms(250);
        turns(w);
    }
    assert_int_equal(r.answers + l.answers, 0);
    for (int i = 0; i < 8; i++) {
        fake_clock_advance_ms(250);
        turns(w);
    }
    assert_int_equal(r.answers, 1);
    assert_int_equal(r.verdict, AUTH_TEMP);
    assert_int_equal(l.answers, 1);
    assert_int_equal(l.verdict, AUTH_TEMP);
}

/* It accepts and never answers. What it says later must not be taken for the next answer. */
static void an_authd_that_hangs_is_given_up(void **state)
{
    struct world *w = *state;
    struct resolve r;
    struct resolve next;
    struct login l;

    ask_resolve(w, &r, "a@x");
    ask_login(w, &l);
    own_fd int map_fd = accept_one(w, w->map_fd);
    own_fd int auth_fd = accept_one(w, w->auth_fd);

    assert_true(hear(w, map_fd).n > 0);
    assert_true(hear(w, auth_fd).n > 0);
    fake_clock_advance_ms(AUTH_CLIENT_WAIT_MS + 1);
    turns(w);
    assert_int_equal(r.answers, 1);
    assert_int_equal(r.verdict, AUTH_TEMP);
    assert_int_equal(l.answers, 1);
    assert_int_equal(l.verdict, AUTH_TEMP);
    ask_resolve(w, &next, "b@x");
    assert_int_equal(hear(w, map_fd).n, 0);
    (void)send(map_fd, "9:OK L5:a@x,", 12, MSG_NOSIGNAL);
    turns(w);
    assert_int_equal(next.answers, 0);
    fake_clock_advance_ms(300);
    own_fd int again_fd = accept_one(w, w->map_fd);

    assert_str(hear(w, again_fd), "15:resolve b@x\ts@x,");
    say(w, again_fd, STR("9:OK L5:b@x,"));
    assert_int_equal(next.answers, 1);
    assert_string_equal(next.first, "b@x");
}

static void a_cancelled_question_is_never_answered(void **state)
{
    struct world *w = *state;
    struct login l;

    ask_login(w, &l);
    own_fd int fd = accept_one(w, w->auth_fd);

    say(w, fd, STR(GREETING));
    auth_login_cancel(&l.q);
    auth_login_cancel(&l.q);
    say(w, fd, STR("OK\t1\tuser=alice\n"));
    assert_int_equal(l.answers, 0);
    assert_null(l.q.client);
}

static void too_many_questions_are_refused_at_once(void **state)
{
    static struct login many[AUTH_PENDING_MAX + 3];
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_N(many); i++)
        ask_login(w, &many[i]);
    turns(w);
    for (size_t i = 0; i < ARRAY_N(many); i++) {
        assert_int_equal(many[i].answers, i < AUTH_PENDING_MAX ? 0 : 1);
        if (i >= AUTH_PENDING_MAX)
            assert_int_equal(many[i].verdict, AUTH_TEMP);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_login_is_asked_and_answered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(verdicts_are_told_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(map_answers_go_to_their_askers_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_answer_that_cannot_be_read_is_temporary, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_restart_of_authd_loses_no_question, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_authd_the_answer_is_temporary_in_time, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_authd_that_hangs_is_given_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cancelled_question_is_never_answered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_many_questions_are_refused_at_once, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
