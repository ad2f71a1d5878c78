/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control - the supervisor's control socket: one line in, an answer, end of file
 *
 *     request    "status" | "prometheus" | "stop" | "reload" | "restart [SERVICE]"
 *     answer     "ok" or "error TEXT" as its first line, then what was asked for
 *
 * The socket lies in the run directory, which only its owner enters. An answer may come later: the
 * handler keeps the struct control_ask and calls control_answer.
 *
 * Limits:    CONTROL_LINE_MAX bytes, CONTROL_ASKS_MAX conversations, CONTROL_IDLE_MS to ask.
 * Tests:     tests/unit/runtime/stack/test_control.c
 */
#ifndef MR_STACK_CONTROL_H
#define MR_STACK_CONTROL_H

#include "runtime/base/attr.h"
#include "runtime/base/buf.h"
#include "runtime/base/list.h"
#include "runtime/base/loop.h"
#include "runtime/base/str.h"

struct err;

#define CONTROL_LINE_MAX 1024
#define CONTROL_ASKS_MAX 32
#define CONTROL_IDLE_MS  5000
#define CONTROL_TEXT_MAX (8U << 20)
#define CONTROL_ASK_S    10  /* how long to wait for what is only looked up */
#define CONTROL_ORDER_S  300 /* and for what stops and starts services */

struct control;

struct control_ask {
    struct control *control;
    struct list node;
    int fd;
    struct loop_io io;
    struct loop_timer timer;
    struct loop_call free_call;
    char line[CONTROL_LINE_MAX];
    size_t line_n;
    bool asked;
    struct buf out;
    size_t sent;
    int wait; /* the handler's: what a kept question waits for */
};

struct control {
    struct loop *loop;
    int fd;
    struct loop_io io;
    struct list asks;
    unsigned asks_n;
    void (*fn)(struct control *c, struct control_ask *a, struct str verb, struct str arg);
    void *ctx;
};

must_check int control_open(struct control *c, struct loop *loop, const char *path,
                            struct err *err);
void control_close(struct control *c); /* what was not answered yet is cut off */
/* Sends and ends the conversation; `a` is gone soon after. */
void control_answer(struct control_ask *a, struct str text);
/* Writes what is left, waiting; for the end of the supervisor. */
void control_flush(struct control *c);

/* The other side: asks and waits for the whole answer, without the "ok". ENOENT or ECONNREFUSED if
 * nobody is there, ETIMEDOUT after wait_s of silence; an "error TEXT" becomes the error. */
must_check int control_call(const char *path, const char *line, unsigned wait_s, struct buf *out,
                            struct err *err);

#endif
