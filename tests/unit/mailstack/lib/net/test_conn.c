/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/fd.h"
#include "runtime/base/loop.h"
#include "runtime/base/own.h"

#include "mailstack/lib/net/conn.h"

#include "tests/lib/fake_clock.h"
#include "tests/lib/test.h"

#define IN_MAX  1000
#define OUT_MAX 400000

struct world {
    struct loop *loop;
    struct conn *conn;
    int peer_fd;
    bool free_in_input;
    bool eat; /* consume in `input` */
    struct buf heard;
    int inputs;
    int drains;
    int closes;
    int code;
};

static void on_input(struct conn *c)
{
    struct world *w = conn_ctx(c);

    w->inputs++;
    if (w->free_in_input) {
        conn_free(c);
        w->conn = NULL;
        return;
    }
    if (w->eat) {
        struct str in = conn_in(c);

        buf_append(&w->heard, in);
        conn_consume(c, in.n);
    }
}

static void on_drained(struct conn *c)
{
    ((struct world *)conn_ctx(c))->drains++;
}

static void on_closed(struct conn *c, const struct err *why)
{
    struct world *w = conn_ctx(c);

    w->closes++;
    w->code = why->code;
    conn_free(c);
    w->conn = NULL;
}

static const struct conn_ops ops = {.input = on_input, .drained = on_drained, .closed = on_closed};

static int set_up(void **state)
{
    static struct world w;
    struct err err = {0};
    int fds[2];

    fake_clock_start();
    w = (struct world){.eat = true};
    buf_init(&w.heard, 1u << 20);
    w.loop = loop_new(&err);
    assert_ok(fd_socketpair(SOCK_STREAM, fds, &err), &err);
    assert_ok(fd_set_nonblock(fds[1], true, &err), &err);
    w.peer_fd = fds[1];
    w.conn = conn_new(w.loop, fds[0], &ops, &w, (struct conn_limits){IN_MAX, OUT_MAX}, &err);
    assert_non_null(w.conn);
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    struct err err = {0};

    conn_free(w->conn);
    assert_ok(loop_turn(w->loop, 0, &err), &err);
    loop_free(w->loop);
    own_close_fd(&w->peer_fd);
    buf_done(&w->heard);
    fake_clock_stop();
    return 0;
}

static void turns(struct world *w)
{
    struct err err = {0};

    for (int i = 0; i < 6; i++)
        assert_ok(loop_turn(w->loop, 0, &err), &err);
}

static void say(struct world *w, struct str s)
{
    assert_int_equal(send(w->peer_fd, s.p, s.n, MSG_NOSIGNAL), s.n);
    turns(w);
}

/* What the peer has received. */
static struct str hear(struct world *w)
{
    static char text[65536];
    ssize_t n = recv(w->peer_fd, text, sizeof(text), 0);

    return (struct str){text, n > 0 ? (size_t)n : 0};
}

static bool peer_sees_the_end(struct world *w)
{
    char c;

    return recv(w->peer_fd, &c, 1, 0) == 0;
}

static void bytes_go_both_ways(void **state)
{
    struct world *w = *state;

    say(w, STR("hello"));
    assert_str(buf_str(&w->heard), "hello");
    conn_write_c(w->conn, "a");
    conn_printf(w->conn, "%d", 42);
    assert_int_equal(conn_out_n(w->conn), 3); /* nothing is written from within a call */
    turns(w);
    assert_str(hear(w), "a42");
    assert_int_equal(conn_out_n(w->conn), 0);
    assert_int_equal(w->drains, 1);
}

static void what_is_not_consumed_stays(void **state)
{
    struct world *w = *state;

    w->eat = false;
    say(w, STR("abc"));
    say(w, STR("def"));
    assert_str(conn_in(w->conn), "abcdef");
    assert_int_equal(w->inputs, 2);
    conn_consume(w->conn, 4);
    assert_str(conn_in(w->conn), "ef");
    turns(w);
    assert_int_equal(w->inputs, 2); /* no news, no call */
}

static void a_full_buffer_stops_the_peer_and_nothing_is_lost(void **state)
{
    struct world *w = *state;
    char block[IN_MAX * 3];

    memset(block, 'x', sizeof(block));
    w->eat = false;
    say(w, (struct str){block, sizeof(block)});
    assert_int_equal(conn_in(w->conn).n, IN_MAX);
    w->eat = true;
    conn_consume(w->conn, IN_MAX);
    turns(w);
    assert_int_equal(w->heard.n, sizeof(block) - IN_MAX);
    assert_int_equal(w->closes, 0);
}

static void a_paused_conn_hears_nothing_until_it_goes_on(void **state)
{
    struct world *w = *state;

    conn_pause(w->conn, true);
    say(w, STR("abc"));
    assert_int_equal(w->inputs, 0);
    conn_pause(w->conn, false);
    turns(w);
    assert_str(buf_str(&w->heard), "abc");
    /* Bytes that stood there before the pause are told of again. */
    w->eat = false;
    say(w, STR("def"));
    conn_pause(w->conn, true);
    turns(w);
    w->eat = true;
    conn_pause(w->conn, false);
    turns(w);
    assert_str(buf_str(&w->heard), "abcdef");
}

static void the_peers_end_comes_after_its_last_bytes(void **state)
{
    struct world *w = *state;

    assert_int_equal(send(w->peer_fd, "bye", 3, 0), 3);
    assert_int_equal(shutdown(w->peer_fd, SHUT_WR), 0);
    turns(w);
    assert_str(buf_str(&w->heard), "bye");
    assert_int_equal(w->closes, 1);
    assert_int_equal(w->code, 0);
}

static void a_reply_to_the_last_command_is_still_written(void **state)
{
    struct world *w = *state;

    w->eat = false;
    assert_int_equal(send(w->peer_fd, "QUIT", 4, 0), 4);
    assert_int_equal(shutdown(w->peer_fd, SHUT_WR), 0);
    turns(w);
    assert_int_equal(w->inputs, 1);
    if (w->conn) {
        conn_write_c(w->conn, "bye");
        turns(w);
    }
    assert_int_equal(w->closes, 1);
}

static void finish_writes_then_closes(void **state)
{
    struct world *w = *state;

    conn_write_c(w->conn, "221 bye\r\n");
    conn_finish(w->conn);
    conn_write_c(w->conn, "nothing more");
    turns(w);
    assert_str(hear(w), "221 bye\r\n");
    assert_true(peer_sees_the_end(w));
    assert_int_equal(w->closes, 1);
    assert_int_equal(w->code, 0);
}

static void a_peer_that_does_not_read_is_cut_off_at_the_limit(void **state)
{
    struct world *w = *state;
    char block[4096] = {0};

    for (int i = 0; i < 1000 && w->closes == 0; i++) {
        conn_write(w->conn, (struct str){block, sizeof(block)});
        turns(w);
    }
    assert_int_equal(w->closes, 1);
    assert_int_equal(w->code, EMSGSIZE);
}

static void output_goes_on_when_the_peer_reads(void **state)
{
    struct world *w = *state;
    char *block = calloc(1, OUT_MAX);
    size_t got = 0;

    conn_write(w->conn, (struct str){block, OUT_MAX});
    turns(w);
    assert_int_equal(w->drains, 0);
    for (int i = 0; i < 200 && got < OUT_MAX; i++) {
        got += hear(w).n;
        turns(w);
    }
    assert_int_equal(got, OUT_MAX);
    assert_int_equal(w->drains, 1);
    assert_int_equal(w->closes, 0);
    free(block);
}

static void a_deadline_ends_it_unless_moved(void **state)
{
    struct world *w = *state;

    conn_deadline(w->conn, 1000);
    fake_clock_advance_ms(900);
    turns(w);
    conn_deadline(w->conn, 1000);
    fake_clock_advance_ms(900);
    turns(w);
    assert_int_equal(w->closes, 0);
    conn_deadline(w->conn, 0);
    fake_clock_advance_ms(100000);
    turns(w);
    assert_int_equal(w->closes, 0);
    conn_deadline(w->conn, 10);
    fake_clock_advance_ms(11);
    turns(w);
    assert_int_equal(w->closes, 1);
    assert_int_equal(w->code, ETIMEDOUT);
}

static void it_may_be_freed_in_its_own_callback(void **state)
{
    struct world *w = *state;

    w->free_in_input = true;
    say(w, STR("x"));
    assert_null(w->conn);
    assert_true(peer_sees_the_end(w));
    assert_int_equal(w->closes, 0); /* who frees it knows */
}

static void a_peer_that_resets_is_an_error_with_a_cause(void **state)
{
    struct world *w = *state;
    char block[65536] = {0};

    conn_write(w->conn, (struct str){block, sizeof(block)});
    turns(w);
    own_close_fd(&w->peer_fd); /* unread bytes: a reset */
    turns(w);
    assert_int_equal(w->closes, 1);
    assert_int_not_equal(w->code, 0);
    w->peer_fd = -1;
}

static void a_hang_up_while_paused_does_not_spin_or_hide(void **state)
{
    struct world *w = *state;

    conn_pause(w->conn, true);
    own_close_fd(&w->peer_fd);
    w->peer_fd = -1;
    turns(w);
    assert_int_equal(w->closes, 1);
}

static void corked_output_leaves_in_one_piece_later(void **state)
{
    struct world *w = *state;

    conn_cork(w->conn, true);
    conn_write_c(w->conn, "a");
    turns(w);
    assert_int_equal(hear(w).n, 0);
    conn_write_c(w->conn, "b");
    turns(w);
    assert_int_equal(hear(w).n, 0);
    say(w, STR("x")); /* input is heard all the same */
    assert_str(buf_str(&w->heard), "x");
    conn_cork(w->conn, false);
    turns(w);
    assert_str(hear(w), "ab");
    conn_cork(w->conn, true);
    conn_write_c(w->conn, "c");
    conn_finish(w->conn);
    turns(w);
    assert_str(hear(w), "c");
    assert_true(peer_sees_the_end(w));
}

/* The descriptor stays watched through a short pause; bytes that come in one disturb only once. */
static void input_in_a_pause_is_reported_once_and_kept(void **state)
{
    struct world *w = *state;
    struct err err = {0};

    for (int i = 0; i < 3; i++) {
        conn_pause(w->conn, true);
        turns(w);
        say(w, STR("x"));
        assert_ok(loop_turn(w->loop, 0, &err), &err);
        assert_int_equal(w->inputs, i);
        conn_pause(w->conn, false);
        turns(w);
        assert_int_equal(w->inputs, i + 1);
    }
    assert_str(buf_str(&w->heard), "xxx");
}

static void the_descriptor_can_be_taken_with_what_was_read(void **state)
{
    struct world *w = *state;
    own_buf struct buf in = BUF_INIT(IN_MAX);

    w->eat = false;
    say(w, STR("rest"));
    own_fd int fd = conn_take_fd(w->conn, &in);

    w->conn = NULL;
    turns(w);
    assert_str(buf_str(&in), "rest");
    assert_int_equal(send(fd, "x", 1, 0), 1); /* still open */
    assert_str(hear(w), "x");
}

static void a_bad_descriptor_is_refused(void **state)
{
    struct world *w = *state;
    struct err err = {0};

    assert_null(conn_new(w->loop, -1, &ops, w, (struct conn_limits){1, 1}, &err));
    assert_true(err.text[0] != '\0');
    assert_null(
        conn_dial_unix(w->loop, "/nowhere/socket", &ops, w, (struct conn_limits){1, 1}, &err));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(bytes_go_both_ways),
        CASE(what_is_not_consumed_stays),
        CASE(a_full_buffer_stops_the_peer_and_nothing_is_lost),
        CASE(a_paused_conn_hears_nothing_until_it_goes_on),
        CASE(the_peers_end_comes_after_its_last_bytes),
        CASE(a_reply_to_the_last_command_is_still_written),
        CASE(finish_writes_then_closes),
        CASE(a_peer_that_does_not_read_is_cut_off_at_the_limit),
        CASE(output_goes_on_when_the_peer_reads),
        CASE(a_deadline_ends_it_unless_moved),
        CASE(it_may_be_freed_in_its_own_callback),
        CASE(a_peer_that_resets_is_an_error_with_a_cause),
        CASE(a_hang_up_while_paused_does_not_spin_or_hide),
        CASE(corked_output_leaves_in_one_piece_later),
        CASE(input_in_a_pause_is_reported_once_and_kept),
        CASE(the_descriptor_can_be_taken_with_what_was_read),
        CASE(a_bad_descriptor_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
