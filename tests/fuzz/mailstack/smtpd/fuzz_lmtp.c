/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server that says anything: the input is what it sends, in pieces of the first byte's size, to
 * each connection that is made to it, and then it closes. The job ends exactly once, with an answer
 * for every recipient that is a verdict and one line.
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/loop.h"

#include "mailstack/smtpd/lmtp.h"

#define TURNS_MAX 5000
#define RCPTS_N   3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct loop *loop;
static int listener = -1;
static char path[64];

static void remove_socket(void)
{
    (void)unlink(path);
}

static void set_up(void)
{
    struct err err = {0};

    log_to(-1);
    (void)snprintf(path, sizeof(path), "/tmp/fuzz-lmtp-%d.sock", (int)getpid());
    listener = fd_unix_listen(path, SOCK_STREAM | SOCK_NONBLOCK, 0600, 16, &err);
    loop = loop_new(&err);
    assert(listener >= 0 && loop && atexit(remove_socket) == 0);
}

struct run {
    struct lmtp_job job;
    struct lmtp_rcpt rcpts[RCPTS_N];
    bool is_done;
};

static void on_done(struct lmtp_job *j)
{
    struct run *r = container_of(j, struct run, job);

    assert(!r->is_done);
    r->is_done = true;
}

static void turn(void)
{
    struct err err = {0};

    assert(loop_turn(loop, 0, &err) == 0);
}

static void play(const uint8_t *data, size_t n, const struct run *r)
{
    static const char hello[] = "220 x\r\n250-CHUNKING\r\n250-DSN\r\n250 XQUOTA\r\n";
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    size_t step = 1 + data[0] / 4;

    if (fd < 0)
        return;
    if (data[0] & 1)
        (void)send(fd, hello, sizeof(hello) - 1, MSG_NOSIGNAL);
    for (size_t at = 1; at < n && !r->is_done; at += step) {
        char rubbish[65536];

        if (send(fd, data + at, n - at < step ? n - at : step, MSG_NOSIGNAL) < 0)
            break;
        turn();
        while (recv(fd, rubbish, sizeof(rubbish), 0) > 0)
            continue;
    }
    (void)close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const struct str parts[] = {STR_INIT("A: b\r\n\r\n"), STR_INIT(".x\r\n")};
    struct run r = {.job = {.fn = on_done, .from = STR("s@y"), .rcpts_n = RCPTS_N}};

    if (listener < 0)
        set_up();
    if (n < 1)
        return 0;
    r.job.rcpts = r.rcpts;
    for (size_t i = 0; i < RCPTS_N; i++)
        r.rcpts[i] = (struct lmtp_rcpt){.address = STR("a@x"), .quota = i};
    if (data[0] & 2) {
        r.job.parts = parts;
        r.job.parts_n = ARRAY_N(parts);
    }
    struct lmtp *pool = lmtp_new(loop, path, "me");

    lmtp_run(pool, &r.job);
    assert(!r.is_done);
    for (int i = 0; i < TURNS_MAX && !r.is_done; i++) {
        turn();
        play(data, n, &r);
    }
    assert(r.is_done && !r.job.pooled.pool);
    for (size_t i = 0; i < RCPTS_N; i++) {
        assert(r.rcpts[i].code >= 200 && r.rcpts[i].code < 600);
        assert(strlen(r.rcpts[i].text) < LMTP_TEXT_MAX && !strchr(r.rcpts[i].text, '\n'));
    }
    lmtp_free(pool);
    turn();
    return 0;
}
