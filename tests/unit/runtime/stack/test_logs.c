/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/fd.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"
#include "runtime/stack/logs.h"

#include "tests/lib/fake_clock.h"
#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

#define STAMP "2026-01-01T00:00:00.000Z "

struct world {
    struct tmpdir *dir;
    struct loop *loop;
    struct logs logs;
    struct logs_pipe pipe;
};

static int set_up(void **state)
{
    static struct world w;
    struct err err = {0};

    fake_clock_start();
    w = (struct world){.dir = tmpdir_new(), .loop = loop_new(&err)};
    assert_ok(logs_open(&w.logs, tmpdir_path(w.dir, "log"), 1u << 20, 3, &err), &err);
    assert_ok(logs_pipe_open(&w.pipe, w.loop, &w.logs, "smtpd", &err), &err);
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    logs_pipe_close(&w->pipe);
    logs_close(&w->logs);
    loop_free(w->loop);
    tmpdir_free(w->dir);
    fake_clock_stop();
    return 0;
}

static void turn(struct world *w)
{
    struct err err = {0};

    for (int i = 0; i < 8; i++)
        assert_ok(loop_turn(w->loop, 0, &err), &err);
}

static void say(struct world *w, struct str s)
{
    struct err err = {0};

    assert_ok(fd_write_all(w->pipe.write_fd, s, &err), &err);
    turn(w);
}

static void read_file(struct world *w, const char *name, struct buf *out)
{
    struct err err = {0};

    buf_reset(out);
    assert_ok(file_read(w->logs.dir_fd, name, out, &err), &err);
}

static void lines_are_stamped_and_labelled_however_they_come(void **state)
{
    struct world *w = *state;
    own_buf struct buf got = BUF_INIT(65536);

    say(w, STR("info one\nin"));
    say(w, STR("fo t"));
    say(w, STR("wo\n\n\nhalf"));
    logs_say(&w->logs, LOG_LEVEL_WARN, "unit.exit", LOG_S("why", "a b"), LOG_U("n", 7));
    read_file(w, LOGS_NAME, &got);
    assert_str(buf_str(&got), STAMP "smtpd info one\n" STAMP "smtpd info two\n" STAMP
                                    "stack warn unit.exit why=\"a b\" n=7\n");
    logs_pipe_drain(&w->pipe); /* its process is gone: the half line counts */
    read_file(w, LOGS_NAME, &got);
    assert_true(str_ends(buf_str(&got), STR(STAMP "smtpd half\n")));
}

/* A service that was taken over must not reach the terminal of who reads its log. */
static void no_service_speaks_to_the_terminal(void **state)
{
    struct world *w = *state;
    own_buf struct buf got = BUF_INIT(65536);
    own_buf struct buf tail = BUF_INIT(65536);

    say(w, STR("a\033[2Jb\rc\td\x7f\0e\n"));
    read_file(w, LOGS_NAME, &got);
    assert_str(buf_str(&got), STAMP "smtpd a?[2Jb?c\td??e\n");
    logs_pipe_tail(&w->pipe, &tail);
    assert_str(buf_str(&tail), "  a?[2Jb?c\td??e\n");
}

static void a_line_that_is_too_long_is_cut_once(void **state)
{
    struct world *w = *state;
    own_buf struct buf got = BUF_INIT(1u << 20);
    char *line = malloc(3 * LOGS_LINE_MAX);

    memset(line, 'x', 3 * LOGS_LINE_MAX);
    say(w, (struct str){line, 3 * LOGS_LINE_MAX});
    say(w, STR("\nnext\n"));
    read_file(w, LOGS_NAME, &got);
    assert_int_equal(got.n, 2 * strlen(STAMP "smtpd \n") + LOGS_LINE_MAX + 4);
    assert_true(str_ends(buf_str(&got), STR("smtpd next\n")));
    free(line);
}

static void the_last_lines_are_kept(void **state)
{
    struct world *w = *state;
    own_buf struct buf tail = BUF_INIT(65536);
    own_buf struct buf want = BUF_INIT(65536);

    for (int i = 0; i < 50; i++) {
        char line[32];

        (void)snprintf(line, sizeof(line), "line %d\n", i);
        say(w, str_of(line));
        if (i >= 50 - LOGS_TAIL)
            buf_printf(&want, "  line %d\n", i);
    }
    logs_pipe_tail(&w->pipe, &tail);
    assert_true(str_eq(buf_str(&tail), buf_str(&want)));
}

static void a_full_file_is_rotated_and_the_oldest_goes(void **state)
{
    struct world *w = *state;
    own_buf struct buf got = BUF_INIT(1u << 20);
    char name[64];

    w->logs.size_max = 100;
    for (int i = 0; i < 30; i++) {
        char line[32];

        (void)snprintf(line, sizeof(line), "line %02d\n", i);
        say(w, str_of(line));
    }
    for (int i = 1; i <= 3; i++) {
        (void)snprintf(name, sizeof(name), "%s.%d", LOGS_NAME, i);
        read_file(w, name, &got);
        assert_true(got.n > 100 && got.n <= 200);
    }
    (void)snprintf(name, sizeof(name), "%s.4", LOGS_NAME);
    assert_int_equal(faccessat(w->logs.dir_fd, name, F_OK, 0), -1);
    read_file(w, LOGS_NAME, &got);
    assert_true(got.n <= 100);
}

/* Somebody removed the whole directory: lines are lost, the supervisor is not. */
static void a_log_that_went_away_stops_nobody(void **state)
{
    struct world *w = *state;
    struct err err = {0};

    w->logs.size_max = 10;
    assert_ok(file_remove_tree(w->dir->fd, "log", &err), &err);
    say(w, STR("one\n"));
    say(w, STR("two\n"));
    assert_int_equal(w->logs.fd, -1);
}

/* Nobody reads the screen: a pipe that is full must not stop the supervisor. */
static void a_screen_that_is_stopped_stops_nobody(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    own_buf struct buf heard = BUF_INIT(1u << 20);
    char line[1000];
    char *to;
    int fds[2];
    ssize_t n;

    memset(line, 'x', sizeof(line));
    line[sizeof(line) - 1] = '\n';
    assert_ok(fd_pipe(fds, &err), &err);
    w->logs.screen_fd = fds[1];
    (void)alarm(20);
    for (int i = 0; i < 200; i++)
        say(w, (struct str){line, sizeof(line)});
    (void)alarm(0);
    assert_true(w->logs.unshown > 0);
    to = buf_reserve(&heard, 1u << 19);
    n = read(fds[0], to, 1u << 19);
    assert_true(n > 0);
    say(w, STR("again\n"));
    assert_int_equal(w->logs.unshown, 0);
    n = read(fds[0], to, 1u << 19);
    assert_true(n > 0);
    buf_commit(&heard, (size_t)n);
    assert_true(str_find_str(buf_str(&heard), STR("lines not shown")) >= 0);
    assert_true(str_ends(buf_str(&heard), STR("again\n")));
    w->logs.screen_fd = -1;
    (void)close(fds[0]);
    (void)close(fds[1]);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(lines_are_stamped_and_labelled_however_they_come),
        CASE(no_service_speaks_to_the_terminal),
        CASE(a_line_that_is_too_long_is_cut_once),
        CASE(the_last_lines_are_kept),
        CASE(a_full_file_is_rotated_and_the_oldest_goes),
        CASE(a_log_that_went_away_stops_nobody),
        CASE(a_screen_that_is_stopped_stops_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
