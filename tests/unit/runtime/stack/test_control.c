/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/own.h"
#include "runtime/stack/control.h"

#include "tests/lib/fake_clock.h"
#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

struct world {
    struct tmpdir *dir;
    struct loop *loop;
    struct control control;
    struct control_ask *kept; /* "wait": answered later */
    int asked;
    char verb[64];
    char arg[64];
    size_t big;
};

static void on_ask(struct control *c, struct control_ask *a, struct str verb, struct str arg)
{
    struct world *w = c->ctx;

    w->asked++;
    (void)snprintf(w->verb, sizeof(w->verb), "%.*s", STR_ARG(verb));
    (void)snprintf(w->arg, sizeof(w->arg), "%.*s", STR_ARG(arg));
    if (str_eq_c(verb, "wait")) {
        w->kept = a;
    } else if (str_eq_c(verb, "big")) {
        own_buf struct buf b = BUF_INIT(CONTROL_TEXT_MAX);

        buf_append_c(&b, "ok\n");
        for (size_t i = 0; i < w->big; i++)
            buf_append_c(&b, "0123456789abcde\n");
        control_answer(a, buf_str(&b));
    } else {
        control_answer(a, STR("ok\nhello\n"));
    }
}

static int set_up(void **state)
{
    static struct world w;
    struct err err = {0};

    fake_clock_start();
    w = (struct world){.dir = tmpdir_new(), .loop = loop_new(&err)};
    w.control.fn = on_ask;
    w.control.ctx = &w;
    assert_ok(control_open(&w.control, w.loop, tmpdir_path(w.dir, "s"), &err), &err);
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    struct err err = {0};

    control_close(&w->control);
    control_close(&w->control); /* harmless */
    assert_ok(loop_turn(w->loop, 0, &err), &err);
    loop_free(w->loop);
    tmpdir_free(w->dir);
    fake_clock_stop();
    return 0;
}

static void turns(struct world *w)
{
    struct err err = {0};

    for (int i = 0; i < 6; i++)
        assert_ok(loop_turn(w->loop, 0, &err), &err);
}

static int dial(struct world *w, struct str s)
{
    struct err err = {0};
    int fd = fd_unix_connect(tmpdir_path(w->dir, "s"), SOCK_STREAM, &err);

    assert_ok(fd, &err);
    if (s.n)
        assert_int_equal(send(fd, s.p, s.n, MSG_NOSIGNAL), s.n);
    turns(w);
    return fd;
}

/* All that comes until the end; -1 while it is not ended. */
static ssize_t hear(int fd, char *text, size_t max)
{
    size_t n = 0;

    for (;;) {
        ssize_t got = recv(fd, text + n, max - 1 - n, MSG_DONTWAIT);

        if (got < 0)
            return -1;
        text[n += (size_t)got] = '\0';
        if (got == 0)
            return (ssize_t)n;
    }
}

static void a_line_gets_its_answer_however_it_was_cut(void **state)
{
    static const char line[] = "restart smtpd x\n";
    struct world *w = *state;

    for (size_t cut = 0; cut < sizeof(line) - 1; cut++) {
        char text[64];
        own_fd int fd = dial(w, (struct str){line, cut});

        assert_int_equal(w->asked, (int)cut);
        assert_int_equal(send(fd, line + cut, sizeof(line) - 1 - cut, MSG_NOSIGNAL),
                         sizeof(line) - 1 - cut);
        turns(w);
        assert_int_equal(w->asked, (int)cut + 1);
        assert_string_equal(w->verb, "restart");
        assert_string_equal(w->arg, "smtpd x");
        assert_true(hear(fd, text, sizeof(text)) > 0);
        assert_string_equal(text, "ok\nhello\n");
    }
    assert_int_equal(w->control.asks_n, 0);
}

static void only_its_owner_may_ask(void **state)
{
    struct world *w = *state;
    struct stat st;

    assert_int_equal(fstatat(w->dir->fd, "s", &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void an_answer_may_come_later(void **state)
{
    struct world *w = *state;
    char text[64];
    own_fd int fd = dial(w, STR("wait\n"));

    fake_clock_advance_ms(CONTROL_IDLE_MS * 100);
    turns(w);
    assert_int_equal(hear(fd, text, sizeof(text)), -1); /* nobody is in a hurry */
    control_answer(w->kept, STR("ok\n"));
    turns(w);
    assert_int_equal(hear(fd, text, sizeof(text)), 3);
}

static void who_hangs_up_is_forgotten(void **state)
{
    struct world *w = *state;
    int fd = dial(w, STR("wait\n"));

    assert_int_equal(w->control.asks_n, 1);
    own_close_fd(&fd);
    turns(w);
    assert_int_equal(w->control.asks_n, 0);
}

static void who_does_not_ask_is_sent_away(void **state)
{
    struct world *w = *state;
    char text[64];
    own_fd int fd = dial(w, STR("stat"));

    fake_clock_advance_ms(CONTROL_IDLE_MS + 1);
    turns(w);
    assert_int_equal(hear(fd, text, sizeof(text)), 0);
    assert_int_equal(w->asked, 0);
}

static void a_line_has_a_limit(void **state)
{
    struct world *w = *state;
    char line[CONTROL_LINE_MAX + 10];
    char text[64];

    memset(line, 'x', sizeof(line));
    own_fd int fd = dial(w, (struct str){line, sizeof(line)});

    assert_int_equal(w->asked, 0);
    assert_int_equal(w->control.asks_n, 0);
    (void)hear(fd, text, sizeof(text)); /* ended, or reset with what was not read */
}

static void conversations_have_a_limit(void **state)
{
    struct world *w = *state;
    int fds[CONTROL_ASKS_MAX + 2];

    for (size_t i = 0; i < ARRAY_N(fds); i++)
        fds[i] = dial(w, STR(""));
    assert_int_equal(w->control.asks_n, CONTROL_ASKS_MAX);
    for (size_t i = 0; i < ARRAY_N(fds); i++)
        own_close_fd(&fds[i]);
    turns(w);
    assert_int_equal(w->control.asks_n, 0);
    own_fd int fd = dial(w, STR("status\n"));

    assert_true(fd >= 0);
    assert_int_equal(w->asked, 1);
}

/* The supervisor ends: what was said is still delivered. */
static void the_last_words_are_written_at_the_end(void **state)
{
    struct world *w = *state;
    char text[64];
    own_fd int fd = dial(w, STR("wait\n"));
    own_fd int silent = dial(w, STR("wait\n"));

    buf_append_c(&w->kept->out, "ok\n"); /* of the second */
    control_flush(&w->control);
    assert_int_equal(hear(silent, text, sizeof(text)), 3);
    assert_int_equal(hear(fd, text, sizeof(text)), 0);
}

/* --- the other side ----------------------------------------------------------------------------
 */

/* Serves one question from a child; its exit status tells nothing. */
static pid_t serve(struct world *w)
{
    pid_t pid = fork();
    struct err err = {0};

    if (pid != 0)
        return pid;
    (void)alarm(20);
    fake_clock_stop();
    for (int i = 0; i < 100 && (w->asked == 0 || w->control.asks_n > 0); i++)
        if (loop_turn(w->loop, 100, &err) < 0)
            _exit(1);
    _exit(0);
}

static int call(struct world *w, const char *line, struct buf *out, struct err *err)
{
    pid_t pid = serve(w);
    int rc = control_call(tmpdir_path(w->dir, "s"), line, 20, out, err);

    assert_int_equal(waitpid(pid, NULL, 0), pid);
    return rc;
}

static void a_call_gives_the_answer_without_its_ok(void **state)
{
    struct world *w = *state;
    own_buf struct buf out = BUF_INIT(CONTROL_TEXT_MAX);
    struct err err = {0};

    assert_ok(call(w, "status", &out, &err), &err);
    assert_str(buf_str(&out), "hello\n");
    buf_reset(&out);
    w->big = 200000; /* three megabytes: many turns of writing */
    assert_ok(call(w, "big", &out, &err), &err);
    assert_int_equal(out.n, 200000 * 16);
}

static void errors_become_errors(void **state)
{
    struct world *w = *state;
    own_buf struct buf out = BUF_INIT(CONTROL_TEXT_MAX);
    struct err err = {0};

    control_close(&w->control);
    assert_int_equal(control_call(tmpdir_path(w->dir, "s"), "status", 20, &out, &err), -1);
    assert_int_equal(err.code, ECONNREFUSED);
    assert_int_equal(control_call(tmpdir_path(w->dir, "nobody"), "status", 20, &out, &err), -1);
    assert_int_equal(err.code, ENOENT);
    assert_int_equal(out.n, 0);
}

static void silence_has_an_end(void **state)
{
    struct world *w = *state;
    own_buf struct buf out = BUF_INIT(CONTROL_TEXT_MAX);
    struct err err = {0};

    /* nobody turns the loop: the connection waits in the backlog */
    assert_int_equal(control_call(tmpdir_path(w->dir, "s"), "status", 1, &out, &err), -1);
    assert_int_equal(err.code, ETIMEDOUT);
    assert_int_equal(out.n, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_line_gets_its_answer_however_it_was_cut),
        CASE(only_its_owner_may_ask),
        CASE(an_answer_may_come_later),
        CASE(who_hangs_up_is_forgotten),
        CASE(who_does_not_ask_is_sent_away),
        CASE(a_line_has_a_limit),
        CASE(conversations_have_a_limit),
        CASE(the_last_words_are_written_at_the_end),
        CASE(a_call_gives_the_answer_without_its_ok),
        CASE(errors_become_errors),
        CASE(silence_has_an_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
