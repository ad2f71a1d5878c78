/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/loop.h"

#include "mailstack/smtpd/lmtp.h"

#include "tests/lib/peer.h"
#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

#define WAIT_MS 10000

#define GREETING                                                                         \
    {PEER_SEND, "220 x LMTP\r\n"}, {PEER_EXPECT, "LHLO me\r\n"},                         \
    {                                                                                    \
        PEER_SEND, "250-x\r\n250-CHUNKING\r\n250-XQUOTA\r\n250-DSN\r\n250 SIZE 1000\r\n" \
    }
#define GREETING_PLAIN                                           \
    {PEER_SEND, "220 x LMTP\r\n"}, {PEER_EXPECT, "LHLO me\r\n"}, \
    {                                                            \
        PEER_SEND, "250 x\r\n"                                   \
    }

/* A server that plays one script for each connection, in a process of its own. */
struct server {
    const char *path;
    pid_t pid;
};

struct script {
    const struct peer_step *steps;
    size_t n;
};

static void serve(struct server *s, const struct tmpdir *dir, const struct script *scripts,
                  size_t n)
{
    struct err err = {0};

    s->path = tmpdir_path(dir, "lmtp.sock");
    int fd = fd_unix_listen(s->path, SOCK_STREAM, 0600, 64, &err);

    assert_ok(fd, &err);
    s->pid = fork();
    if (s->pid == 0) {
        bool ok = true;

        (void)alarm(WAIT_MS / 1000);
        for (size_t i = 0; i < n; i++) {
            int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

            ok = peer_play(peer, scripts[i].steps, scripts[i].n) && ok;
            (void)close(peer);
        }
        _exit(ok ? 0 : 1);
    }
    (void)close(fd);
}

static void ended_well(const struct server *s)
{
    int status = -1;

    assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
    assert_int_equal(status, 0);
}

struct run {
    struct lmtp_job job;
    struct lmtp_rcpt rcpts[3];
    bool is_done;
};

static void on_done(struct lmtp_job *j)
{
    struct run *r = container_of(j, struct run, job);

    assert_false(r->is_done);
    r->is_done = true;
}

static const struct str parts[] = {STR_INIT("A: b\r\n"), STR_INIT("\r\n"), STR_INIT(".x\r\n")};

static struct run new_run(size_t rcpts, bool with_message)
{
    static const char *const addresses[] = {"a@x", "b@x", "c@x"};
    struct run r = {.job = {.fn = on_done, .from = STR("s@y"), .size = 12, .rcpts_n = rcpts}};

    for (size_t i = 0; i < rcpts; i++)
        r.rcpts[i] = (struct lmtp_rcpt){.address = str_of(addresses[i]), .quota = LMTP_NO_QUOTA};
    if (with_message) {
        r.job.parts = parts;
        r.job.parts_n = ARRAY_N(parts);
    }
    return r;
}

static void finish(struct loop *l, struct run *r)
{
    uint64_t end = clock_now_ms() + WAIT_MS;
    struct err err = {0};

    while (!r->is_done && clock_now_ms() < end)
        assert_ok(loop_turn(l, 100, &err), &err);
    assert_true(r->is_done);
    assert_null(r->job.pooled.pool);
}

static struct loop *begin(void)
{
    struct err err = {0};
    struct loop *l = loop_new(&err);

    assert_non_null(l);
    return l;
}

static void end(struct loop *l, struct lmtp *p)
{
    struct err err = {0};

    lmtp_free(p);
    assert_ok(loop_turn(l, 0, &err), &err);
    loop_free(l);
}

static void with_chunking_all_goes_out_at_once_and_each_has_its_answer(void **state)
{
    static const struct peer_step steps[] = {
        GREETING,
        {PEER_EXPECT, "MAIL FROM:<s@y> SIZE=12\r\nRCPT TO:<a@x> XQUOTA=7 NOTIFY=NEVER\r\nRCPT "
                      "TO:<b@x> ORCPT=rfc822;o@x\r\nRCPT TO:<c@x>\r\nBDAT 12 LAST\r\nA: "
                      "b\r\n\r\n.x\r\n"},
        {PEER_SEND_SLOWLY, "250 ok\r\n250 ok\r\n550 5.1.1 no\r\n250-two\r\n250 lines\r\n"
                           "250 2.0.0 kept\r\n452 4.2.2 full\r\n"},
        {PEER_EXPECT, "MAIL FROM:<s@y> SIZE=12\r\nRCPT TO:<a@x>\r\nRSET\r\n"},
        {PEER_SEND, "250 ok\r\n552 5.2.2 full\r\n250 reset\r\n"},
        {PEER_EXPECT_END, NULL},
    };
    static const struct script script = {steps, ARRAY_N(steps)};
    struct server s;
    struct loop *l = begin();

    serve(&s, *state, &script, 1);
    struct lmtp *p = lmtp_new(l, s.path, "me");
    struct run r = new_run(3, true);

    r.job.rcpts = r.rcpts;
    r.rcpts[0].quota = 7;
    r.rcpts[0].notify = SMTP_NOTIFY_NEVER;
    r.rcpts[1].orcpt = STR("rfc822;o@x");
    lmtp_run(p, &r.job);
    finish(l, &r);
    assert_int_equal(r.rcpts[0].code, 250);
    assert_string_equal(r.rcpts[0].text, "2.0.0 kept");
    assert_int_equal(r.rcpts[1].code, 550);
    assert_int_equal(r.rcpts[2].code, 452);
    assert_int_equal(lmtp_count(&r.job, 2), 1);

    struct run ask = new_run(1, false);

    ask.job.rcpts = ask.rcpts;
    lmtp_run(p, &ask.job);
    finish(l, &ask);
    assert_string_equal(ask.rcpts[0].text, "5.2.2 full");
    end(l, p);
    ended_well(&s);
}

static void without_it_data_waits_and_dots_are_doubled(void **state)
{
    static const struct peer_step steps[] = {
        GREETING_PLAIN,
        {PEER_EXPECT, "MAIL FROM:<s@y>\r\nRCPT TO:<a@x>\r\n"},
        {PEER_SEND, "250 ok\r\n250 ok\r\n"},
        {PEER_EXPECT, "DATA\r\n"},
        {PEER_SEND, "354 go\r\n"},
        {PEER_EXPECT, "A: b\r\n\r\n..x\r\n.\r\n"},
        {PEER_SEND, "250 kept\r\n"},
        {PEER_EXPECT, "MAIL FROM:<s@y>\r\nRCPT TO:<a@x>\r\n"},
        {PEER_SEND, "250 ok\r\n450 later\r\n"},
        {PEER_EXPECT, "RSET\r\n"},
        {PEER_SEND, "250 ok\r\n"},
        {PEER_EXPECT, "MAIL FROM:<s@y>\r\nRCPT TO:<a@x>\r\n"},
        {PEER_SEND, "250 ok\r\n250 ok\r\n"},
        {PEER_EXPECT, "DATA\r\n"},
        {PEER_SEND, "554 no\r\n"},
        {PEER_EXPECT, "RSET\r\n"},
        {PEER_SEND, "250 ok\r\n"},
        {PEER_EXPECT_END, NULL},
    };
    static const struct script script = {steps, ARRAY_N(steps)};
    static const unsigned want[] = {250, 450, 554};
    struct server s;
    struct loop *l = begin();

    serve(&s, *state, &script, 1);
    struct lmtp *p = lmtp_new(l, s.path, "me");

    for (size_t i = 0; i < ARRAY_N(want); i++) {
        struct run r = new_run(1, true);

        r.job.rcpts = r.rcpts;
        lmtp_run(p, &r.job);
        finish(l, &r);
        assert_int_equal(r.rcpts[0].code, want[i]);
    }
    end(l, p);
    ended_well(&s);
}

static void a_message_nobody_takes_leaves_no_sender_behind(void **state)
{
    static const struct peer_step steps[] = {
        GREETING,
        {PEER_EXPECT_LINE, "MAIL"},
        {PEER_EXPECT_LINE, "RCPT"},
        {PEER_EXPECT, "BDAT 12 LAST\r\nA: b\r\n\r\n.x\r\n"},
        {PEER_SEND, "250 ok\r\n550 5.1.1 no\r\n503 nobody\r\n"},
        {PEER_EXPECT, "RSET\r\n"},
        {PEER_SEND, "250 ok\r\n"},
        {PEER_EXPECT_END, NULL},
    };
    static const struct script script = {steps, ARRAY_N(steps)};
    struct server s;
    struct loop *l = begin();

    serve(&s, *state, &script, 1);
    struct lmtp *p = lmtp_new(l, s.path, "me");
    struct run r = new_run(1, true);

    r.job.rcpts = r.rcpts;
    lmtp_run(p, &r.job);
    finish(l, &r);
    assert_string_equal(r.rcpts[0].text, "5.1.1 no");
    end(l, p);
    ended_well(&s);
}

static void a_dead_connection_is_tried_again_and_a_broken_transaction_is_not(void **state)
{
    static const struct peer_step leaves[] = {
        GREETING,
        {PEER_EXPECT_LINE, "MAIL"},
        {PEER_SEND, "421 4.3.2 shutting down\r\n"},
        {PEER_CLOSE, NULL},
    };
    static const struct peer_step breaks[] = {
        GREETING,
        {PEER_EXPECT_LINE, "MAIL"},
        {PEER_EXPECT_LINE, "RCPT"},
        {PEER_EXPECT_LINE, "RCPT"},
        {PEER_EXPECT, "BDAT 12 LAST\r\nA: b\r\n\r\n.x\r\n"},
        {PEER_SEND, "250 ok\r\n250 ok\r\n250 ok\r\n250 kept\r\n"},
        {PEER_CLOSE, NULL},
    };
    static const struct script scripts[] = {{leaves, ARRAY_N(leaves)}, {breaks, ARRAY_N(breaks)}};
    struct server s;
    struct loop *l = begin();

    serve(&s, *state, scripts, 2);
    struct lmtp *p = lmtp_new(l, s.path, "me");
    struct run r = new_run(2, true);

    r.job.rcpts = r.rcpts;
    lmtp_run(p, &r.job);
    finish(l, &r);
    assert_int_equal(r.rcpts[0].code, 250);
    assert_int_equal(r.rcpts[1].code, 451);
    end(l, p);
    ended_well(&s);
}

static void without_a_server_all_fail_for_now(void **state)
{
    struct loop *l = begin();
    struct lmtp *p = lmtp_new(l, tmpdir_path(*state, "none.sock"), "me");
    struct run r = new_run(2, true);
    struct run gone = new_run(1, true);

    r.job.rcpts = r.rcpts;
    gone.job.rcpts = gone.rcpts;
    lmtp_run(p, &r.job);
    lmtp_run(p, &gone.job);
    assert_false(r.is_done); /* never from within the call */
    lmtp_cancel(&gone.job);
    finish(l, &r);
    assert_int_equal(lmtp_count(&r.job, 4), 2);
    assert_false(gone.is_done);
    end(l, p);
}

static void more_jobs_than_connections_wait_in_line(void **state)
{
    static const struct peer_step steps[] = {
        GREETING,
        {PEER_EXPECT_LINE, "MAIL"},
        {PEER_EXPECT_LINE, "RCPT"},
        {PEER_EXPECT_LINE, "RSET"},
        {PEER_SEND, "250 ok\r\n250 ok\r\n250 ok\r\n"},
        {PEER_EXPECT_LINE, "MAIL"},
        {PEER_EXPECT_LINE, "RCPT"},
        {PEER_EXPECT_LINE, "RSET"},
        {PEER_SEND, "250 ok\r\n250 ok\r\n250 ok\r\n"},
    };
    static struct script scripts[LMTP_CONNS_MAX];
    static struct run runs[LMTP_CONNS_MAX + 2];
    struct server s;
    struct loop *l = begin();

    for (size_t i = 0; i < LMTP_CONNS_MAX; i++) /* the first one has two jobs */
        scripts[i] = (struct script){steps, i ? ARRAY_N(steps) - 4 : ARRAY_N(steps)};
    serve(&s, *state, scripts, LMTP_CONNS_MAX);
    struct lmtp *p = lmtp_new(l, s.path, "me");

    for (size_t i = 0; i < ARRAY_N(runs); i++) {
        runs[i] = new_run(1, false);
        runs[i].job.rcpts = runs[i].rcpts;
        lmtp_run(p, &runs[i].job);
    }
    lmtp_cancel(&runs[LMTP_CONNS_MAX + 1].job);
    for (size_t i = 0; i <= LMTP_CONNS_MAX; i++)
        finish(l, &runs[i]);
    end(l, p);
    ended_well(&s);
}

int main(void)
{
#define WITH_DIR(t) cmocka_unit_test_setup_teardown(t, tmpdir_setup, tmpdir_teardown)
    const struct CMUnitTest tests[] = {
        WITH_DIR(with_chunking_all_goes_out_at_once_and_each_has_its_answer),
        WITH_DIR(without_it_data_waits_and_dots_are_doubled),
        WITH_DIR(a_message_nobody_takes_leaves_no_sender_behind),
        WITH_DIR(a_dead_connection_is_tried_again_and_a_broken_transaction_is_not),
        WITH_DIR(without_a_server_all_fail_for_now),
        WITH_DIR(more_jobs_than_connections_wait_in_line),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
