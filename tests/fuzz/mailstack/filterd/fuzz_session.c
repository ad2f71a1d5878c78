/* SPDX-License-Identifier: Apache-2.0 */
/* Any packets in any order: what comes back are whole packets, and each end of a message gets one
 * verdict. */
#include "runtime/base/buf.h"
#include "runtime/base/counter.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"

#include "mailstack/filterd/answer.h"
#include "mailstack/filterd/conf.h"
#include "mailstack/filterd/session.h"

#undef NDEBUG
#include <assert.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static size_t held;

static const struct conf conf = {.hostname = (char[]){"mail.org"},
                                 .executables = CONF_EXECUTABLES_JUNK};
static const struct message_env env = {.held_n = &held, .conf = &conf};

struct record {
    struct buf out;
    int judged;
};

static void on_send(struct session *s, struct str packets)
{
    struct record *r = s->ctx;

    buf_append(&r->out, packets);
}

static void on_judged(struct session *s)
{
    struct record *r = s->ctx;

    r->judged++;
}

static int verdicts(struct str packets)
{
    struct milter_packet p;
    struct err err = {0};
    size_t used;
    int n = 0;

    while (milter_parse(packets, &p, &used, &err) == PARSE_DONE) {
        n +=
            p.command == MILTER_ACCEPT || p.command == MILTER_REPLY || p.command == MILTER_TEMPFAIL;
        packets = str_skip(packets, used);
    }
    assert(packets.n == 0);
    return n;
}

static void quiet(void)
{
    static bool done;

    if (!done)
        log_to(open("/dev/null", O_WRONLY | O_CLOEXEC));
    done = true;
}

/* Input: command, a byte of length, that many bytes; and so on. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str in = {(const char *)data, n};
    struct record r = {.out = BUF_INIT(16u << 20)};
    struct counter counter = {0};
    struct session_counters counters = {&counter, &counter, &counter, &counter};
    struct session s;

    quiet();
    session_init(&s, &env, &counters);
    s.send = on_send;
    s.judged = on_judged;
    s.ctx = &r;
    while (in.n >= 2 && !s.over) {
        struct milter_packet p = {in.p[0], str_sub(in, 2, (unsigned char)in.p[1])};

        session_take(&s, &p);
        assert(!s.judging); /* nothing is looked up here */
        in = str_skip(in, 2 + p.data.n);
    }
    assert(verdicts(buf_str(&r.out)) == r.judged);
    session_done(&s);
    assert(held == 0);
    buf_done(&r.out);
    return 0;
}
