/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A filter that says anything: the input is what it sends, in pieces of the first byte's size, to
 * each connection that is made to it, and then it closes. The job ends exactly once; if it ends
 * with a yes, the header that is left is a header.
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/loop.h"
#include "runtime/base/own.h"

#include "mailstack/lib/proto/milter.h"
#include "mailstack/smtpd/fields.h"
#include "mailstack/smtpd/filter.h"
#include "mailstack/smtpd/spool.h"

#define TURNS_MAX 5000

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

    log_set_level(LOG_LEVEL_ERROR);
    log_to(-1);
    (void)snprintf(path, sizeof(path), "/tmp/fuzz-filter-%d.sock", (int)getpid());
    listener = fd_unix_listen(path, SOCK_STREAM | SOCK_NONBLOCK, 0600, 16, &err);
    loop = loop_new(&err);
    assert(listener >= 0 && loop && atexit(remove_socket) == 0);
}

struct run {
    struct filter_job job;
    bool is_done;
};

static void on_done(struct filter_job *j)
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

/* The negotiation is the fuzzer's own affair only now and then. */
static void play(const uint8_t *data, size_t n, const struct run *r)
{
    own_buf struct buf out = BUF_INIT(1u << 20);
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    size_t step = 1 + data[0] / 2;

    if (fd < 0)
        return;
    if (data[0] & 1)
        milter_format_options(&out, &(struct milter_options){6, 0x31, data[1] * 0x2081u});
    buf_append_n(&out, data + 2, n - 2);
    for (size_t at = 0; at < out.n && !r->is_done; at += step) {
        size_t piece = out.n - at < step ? out.n - at : step;
        char rubbish[65536];

        if (send(fd, out.p + at, piece, MSG_NOSIGNAL) < 0)
            break;
        turn();
        while (recv(fd, rubbish, sizeof(rubbish), 0) > 0)
            continue;
    }
    (void)close(fd);
}

static void check_header(const struct fields *f, struct arena *a)
{
    own_buf struct buf out = BUF_INIT(64u << 20);
    struct fields again;
    struct str *parts;
    struct str body;
    struct err err = {0};
    size_t parts_n;
    size_t n = 0;

    if (fields_parts(f, &parts, &parts_n, &err) < 0)
        return;
    for (size_t i = 0; i < parts_n; i++)
        buf_append(&out, parts[i]);
    for (size_t i = 0; i < f->n; i++)
        n += !f->at[i].is_own;
    if (out.failed || fields_parse(&again, a, buf_str(&out), &body, &err) < 0)
        return;
    assert(again.n == n + 1 && body.n == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const struct str rcpts[] = {STR_INIT("a@x"), STR_INIT("b@x")};
    const struct filter_env env = {.hostname = STR("mx"),
                                   .daemon_name = STR("smtp"),
                                   .client_addr = STR("192.0.2.1"),
                                   .helo = STR("c"),
                                   .id = STR("1"),
                                   .from = STR("s@y"),
                                   .rcpts = rcpts,
                                   .rcpts_n = 2};
    struct run r = {.job = {.fn = on_done, .env = &env, .body_max = 4096}};
    struct fields f;
    struct spool body;
    struct err err = {0};

    if (listener < 0)
        set_up();
    if (n < 2)
        return 0;
    struct arena *a = arena_new(64u << 20);
    struct filter *pool = filter_new(loop, path);

    spool_init(&body, "/tmp");
    r.job.new_body = &body;
    r.job.fields = &f;
    assert(fields_parse(&f, a, STR("From: a\r\nTo: b\r\n\r\nx\r\n"), &r.job.body, &err) == 0);
    assert(fields_put_own(&f, STR("Received: us\r\n"), &err) == 0);
    filter_run(pool, &r.job);
    assert(!r.is_done);
    for (int i = 0; i < TURNS_MAX && !r.is_done; i++) {
        turn();
        play(data, n, &r);
    }
    assert(r.is_done && !r.job.pooled.pool);
    if (r.job.verdict == FILTER_ACCEPT)
        check_header(&f, a);
    assert(str_find_any(str_of(r.job.text), "\r\n") < 0);
    filter_free(pool);
    turn();
    spool_done(&body);
    arena_free(a);
    return 0;
}
