/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/own.h"

#include "mailstack/imapd/link.h"

#include "tests/lib/fake_clock.h"
#include "tests/lib/test.h"

struct world {
    struct link link;
    struct loop *loop;
    int peer_fd;
    bool eat;
    struct buf heard;
    int inputs;
    int drains;
    int closes;
};

static void on_input(struct link *l)
{
    struct world *w = container_of(l, struct world, link);

    w->inputs++;
    if (!w->eat)
        return;
    buf_append(&w->heard, buf_str(&l->in));
    link_consume(l, l->in.n);
}

static void on_drained(struct link *l)
{
    container_of(l, struct world, link)->drains++;
}

static void on_closed(struct link *l)
{
    container_of(l, struct world, link)->closes++;
}

static const struct link_ops ops = {.input = on_input, .drained = on_drained, .closed = on_closed};

static int set_up(void **state)
{
    static struct world w;
    struct err err = {0};
    int fds[2];

    fake_clock_start();
    w = (struct world){.eat = true};
    buf_init(&w.heard, 4u << 20);
    w.loop = loop_new(&err);
    assert_ok(fd_socketpair(SOCK_STREAM, fds, &err), &err);
    w.peer_fd = fds[1];
    assert_ok(fd_set_nonblock(fds[1], true, &err), &err);
    assert_ok(link_init(&w.link, w.loop, fds[0], &ops, &err), &err);
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    struct err err = {0};

    link_done(&w->link);
    link_done(&w->link); /* harmless */
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

static struct str hear(struct world *w)
{
    static char text[65536];
    ssize_t n = recv(w->peer_fd, text, sizeof(text), 0);

    return (struct str){text, n > 0 ? (size_t)n : 0};
}

static void bytes_go_both_ways_and_cost_nothing_afterwards(void **state)
{
    struct world *w = *state;

    say(w, STR("a NOOP\r\n"));
    assert_str(buf_str(&w->heard), "a NOOP\r\n");
    link_put(&w->link, STR("a "));
    link_printf(&w->link, "%s %s\r\n", "OK", "done");
    buf_append(link_out(&w->link), STR("* BYE\r\n"));
    link_wrote(&w->link);
    assert_int_equal(hear(w).n, 0); /* at the end of the turn, together */
    turns(w);
    assert_str(hear(w), "a OK done\r\n* BYE\r\n");
    assert_int_equal(w->drains, 1);
    assert_null(w->link.in.p);
    assert_null(w->link.out.p);
}

static void input_has_a_limit_and_goes_on(void **state)
{
    struct world *w = *state;
    char *block = calloc(1, 65536);
    size_t sent = 0;

    w->eat = false;
    for (int i = 0; i < 64; i++) {
        ssize_t n = send(w->peer_fd, block, 65536, MSG_NOSIGNAL);

        sent += n > 0 ? (size_t)n : 0;
        turns(w);
    }
    assert_int_equal(w->link.in.n, LINK_IN_MAX);
    assert_true(sent > LINK_IN_MAX);
    w->eat = true;
    link_consume(&w->link, LINK_IN_MAX);
    for (int i = 0; i < 100; i++)
        turns(w);
    assert_int_equal(w->heard.n + LINK_IN_MAX, sent);
    assert_int_equal(w->closes, 0);
    free(block);
}

static void a_paused_link_is_not_read(void **state)
{
    struct world *w = *state;

    link_pause(&w->link, true);
    say(w, STR("x"));
    assert_int_equal(w->inputs, 0);
    link_pause(&w->link, false);
    turns(w);
    assert_str(buf_str(&w->heard), "x");
}

static void the_peers_end_is_told_once(void **state)
{
    struct world *w = *state;

    say(w, STR("bye"));
    own_close_fd(&w->peer_fd);
    w->peer_fd = -1;
    turns(w);
    assert_int_equal(w->closes, 1);
    link_put(&w->link, STR("into the void"));
    link_finish(&w->link);
    link_deadline(&w->link, 1);
    fake_clock_advance_ms(100000);
    turns(w);
    assert_int_equal(w->closes, 1);
}

/* A hang-up that nobody reads must neither be missed nor keep the loop spinning. */
static void a_hang_up_while_paused_is_told(void **state)
{
    struct world *w = *state;

    link_pause(&w->link, true);
    own_close_fd(&w->peer_fd);
    w->peer_fd = -1;
    turns(w);
    assert_int_equal(w->closes, 1);
}

static void finish_writes_what_is_there(void **state)
{
    struct world *w = *state;

    link_put(&w->link, STR("* BYE\r\n"));
    link_finish(&w->link);
    turns(w);
    assert_str(hear(w), "* BYE\r\n");
    assert_int_equal(w->closes, 1);
}

static void finish_does_not_wait_for_ever(void **state)
{
    struct world *w = *state;
    char *block = calloc(1, 1u << 20);

    link_put(&w->link, (struct str){block, 1u << 20});
    link_finish(&w->link);
    turns(w);
    assert_int_equal(w->closes, 0);
    fake_clock_advance_ms(60000);
    turns(w);
    assert_int_equal(w->closes, 1);
    free(block);
}

static void who_writes_much_is_told_when_to_go_on(void **state)
{
    struct world *w = *state;
    char *block = calloc(1, LINK_OUT_SOFT + 1);

    assert_false(link_is_full(&w->link));
    link_put(&w->link, (struct str){block, LINK_OUT_SOFT + 1});
    assert_true(link_is_full(&w->link));
    for (int i = 0; i < 100 && w->drains == 0; i++) {
        turns(w);
        (void)hear(w);
    }
    assert_int_equal(w->drains, 1);
    assert_false(link_is_full(&w->link));
    free(block);
}

static void output_over_the_limit_closes(void **state)
{
    struct world *w = *state;
    char *block = calloc(1, 1u << 20);

    for (int i = 0; i < 66; i++)
        link_put(&w->link, (struct str){block, 1u << 20});
    turns(w);
    assert_int_equal(w->closes, 1);
    free(block);
}

static void a_deadline_ends_it_unless_moved(void **state)
{
    struct world *w = *state;

    link_deadline(&w->link, 1000);
    fake_clock_advance_ms(999);
    turns(w);
    link_deadline(&w->link, 1000);
    fake_clock_advance_ms(999);
    turns(w);
    assert_int_equal(w->closes, 0);
    fake_clock_advance_ms(2);
    turns(w);
    assert_int_equal(w->closes, 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(bytes_go_both_ways_and_cost_nothing_afterwards),
        CASE(input_has_a_limit_and_goes_on),
        CASE(a_paused_link_is_not_read),
        CASE(the_peers_end_is_told_once),
        CASE(a_hang_up_while_paused_is_told),
        CASE(finish_writes_what_is_there),
        CASE(finish_does_not_wait_for_ever),
        CASE(who_writes_much_is_told_when_to_go_on),
        CASE(output_over_the_limit_closes),
        CASE(a_deadline_ends_it_unless_moved),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
