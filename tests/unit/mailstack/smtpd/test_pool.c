/* SPDX-License-Identifier: Apache-2.0 */
/* A protocol of single letters: the server says 'r' when it is ready, 'h' for a sign of life, 'o'
 * when the job is over and 'x' when it is over and the connection is of no use any more. */
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"

#include "mailstack/smtpd/pool.h"

#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

#define JOBS    4
#define TURN_MS 20
#define TURNS   5

struct letter_conn {
    struct pool_conn in;
    bool heard;
};

struct job {
    struct pool_job pooled;
    unsigned begun;
    unsigned over;
    unsigned failed;
};

struct world {
    struct tmpdir *dir;
    struct loop *loop;
    struct pool pool;
    int server;
    struct job jobs[JOBS];
};

static void on_input(struct conn *conn)
{
    struct letter_conn *c = container_of(conn_ctx(conn), struct letter_conn, in);

    while (!c->in.is_dead && conn_in(conn).n) {
        char letter = conn_in(conn).p[0];

        conn_consume(conn, 1);
        if (letter == 'r') {
            pool_ready(&c->in);
        } else if (letter == 'h') {
            c->heard = true;
        } else {
            struct job *j = container_of(pool_free(&c->in, letter == 'o'), struct job, pooled);

            pool_finish(&j->pooled);
            j->over++;
        }
    }
}

static void on_closed(struct conn *conn, const struct err *why)
{
    struct letter_conn *c = container_of(conn_ctx(conn), struct letter_conn, in);

    (void)why;
    pool_lose(&c->in, !c->heard, "closed");
}

static const struct conn_ops conn_ops = {.input = on_input, .closed = on_closed};

static void on_dialled(struct pool_conn *c)
{
    conn_deadline(c->conn, 10000);
}

static void on_begin(struct pool_conn *c)
{
    container_of(c->job, struct job, pooled)->begun++;
    container_of(c, struct letter_conn, in)->heard = false;
}

static void on_failed(struct pool_job *j, struct pool_conn *c)
{
    (void)c;
    pool_finish(j);
    container_of(j, struct job, pooled)->failed++;
}

static const struct pool_ops ops = {
    .name = "letters",
    .conn = &conn_ops,
    .conn_limits = {64, 64},
    .conn_size = sizeof(struct letter_conn),
    .conns_max = 2,
    .dialled = on_dialled,
    .begin = on_begin,
    .failed = on_failed,
};

static int set_up(void **state)
{
    static struct world w;
    struct err err = {0};

    w = (struct world){.dir = tmpdir_new(), .loop = loop_new(&err), .server = -1};
    assert_non_null(w.loop);
    pool_init(&w.pool, w.loop, tmpdir_path(w.dir, "s"), &ops);
    *state = &w;
    return 0;
}

static void turn(struct world *w)
{
    struct err err = {0};

    for (int i = 0; i < TURNS; i++)
        assert_ok(loop_turn(w->loop, TURN_MS, &err), &err);
}

static int tear_down(void **state)
{
    struct world *w = *state;

    pool_done(&w->pool);
    turn(w);
    loop_free(w->loop);
    if (w->server >= 0)
        (void)close(w->server);
    tmpdir_free(w->dir);
    return 0;
}

static void listen_now(struct world *w)
{
    struct err err = {0};

    w->server = fd_unix_listen(tmpdir_path(w->dir, "s"), SOCK_STREAM, 0600, 8, &err);
    assert_ok(w->server < 0 ? -1 : 0, &err);
}

static int take(struct world *w)
{
    int fd = accept(w->server, NULL, NULL);

    assert_true(fd >= 0);
    return fd;
}

static void say(struct world *w, int fd, const char *letters)
{
    assert_int_equal(write(fd, letters, strlen(letters)), (ssize_t)strlen(letters));
    turn(w);
}

static void more_jobs_than_connections_wait_in_line(void **state)
{
    struct world *w = *state;

    listen_now(w);
    for (size_t i = 0; i < JOBS; i++)
        pool_run(&w->pool, &w->jobs[i].pooled);
    assert_int_equal(w->pool.conns_n, 2);
    int a = take(w);
    int b = take(w);

    say(w, b, "r");
    say(w, a, "r");
    assert_int_equal(w->jobs[0].begun + w->jobs[1].begun, 2);
    say(w, a, "o");
    assert_int_equal(w->jobs[2].begun, 1);
    assert_int_equal(w->jobs[3].begun, 0);
    say(w, b, "x"); /* and another one is made */
    assert_int_equal(w->pool.conns_n, 2);
    int c = take(w);

    say(w, c, "r");
    assert_int_equal(w->jobs[3].begun, 1);
    say(w, c, "o");
    say(w, a, "o");
    for (size_t i = 0; i < JOBS; i++) {
        assert_int_equal(w->jobs[i].over, 1);
        assert_null(w->jobs[i].pooled.pool);
    }
    (void)close(a);
    (void)close(b);
    (void)close(c);
    turn(w);
    assert_int_equal(w->pool.conns_n, 0);
}

static void nobody_there_is_told_later(void **state)
{
    struct world *w = *state;

    pool_run(&w->pool, &w->jobs[0].pooled);
    assert_int_equal(w->jobs[0].failed, 0); /* not before pool_run is over */
    turn(w);
    assert_int_equal(w->jobs[0].failed, 1);
    assert_null(w->jobs[0].pooled.pool);
}

static void what_was_not_answered_is_tried_once_more(void **state)
{
    struct world *w = *state;

    listen_now(w);
    pool_run(&w->pool, &w->jobs[0].pooled);
    for (unsigned i = 1; i <= POOL_TRIES_MAX; i++) {
        int fd = take(w);

        say(w, fd, "r");
        assert_int_equal(w->jobs[0].begun, i);
        (void)close(fd);
        turn(w);
    }
    assert_int_equal(w->jobs[0].failed, 1);
    pool_run(&w->pool, &w->jobs[1].pooled);
    int fd = take(w);

    say(w, fd, "rh");
    (void)close(fd);
    turn(w);
    assert_int_equal(w->jobs[1].begun, 1);
    assert_int_equal(w->jobs[1].failed, 1);
}

static void a_cancelled_job_makes_room(void **state)
{
    struct world *w = *state;

    listen_now(w);
    for (size_t i = 0; i < JOBS; i++)
        pool_run(&w->pool, &w->jobs[i].pooled);
    pool_cancel(&w->jobs[3].pooled); /* waits */
    pool_cancel(&w->jobs[0].pooled); /* has a connection */
    pool_cancel(&w->jobs[0].pooled);
    int gone = take(w);
    int b = take(w);
    int c = take(w);

    say(w, b, "r");
    say(w, c, "r");
    assert_int_equal(w->jobs[1].begun, 1);
    assert_int_equal(w->jobs[2].begun, 1);
    assert_int_equal(w->jobs[0].begun + w->jobs[3].begun, 0);
    assert_int_equal(w->jobs[0].failed + w->jobs[3].failed, 0);
    (void)close(gone);
    (void)close(b);
    (void)close(c);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(more_jobs_than_connections_wait_in_line),
        CASE(nobody_there_is_told_later),
        CASE(what_was_not_answered_is_tried_once_more),
        CASE(a_cancelled_job_makes_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
