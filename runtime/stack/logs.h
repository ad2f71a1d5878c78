/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logs - what the services say: stamped, labelled, to the terminal and to a file that is rotated
 *
 * A line in STORAGE/log/mailstack.log is "2026-11-24T09:18:50.123Z smtpd info smtp.accept ...".
 * Control characters become '?', so that no service can speak to the terminal. A line longer than
 * LOGS_LINE_MAX is cut. The last LOGS_TAIL lines of each service are kept for the message of a
 * failed `up`.
 *
 * Tests:     tests/unit/runtime/stack/test_logs.c
 */
#ifndef MR_STACK_LOGS_H
#define MR_STACK_LOGS_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/log.h"
#include "runtime/base/loop.h"
#include "runtime/base/str.h"

struct buf;
struct err;

#define LOGS_LINE_MAX 4096
#define LOGS_TAIL     20
#define LOGS_NAME     "mailstack.log"

struct logs {
    int dir_fd;
    int fd;
    int screen_fd; /* -1: not shown */
    bool colour;
    unsigned unshown; /* lines the screen did not take */
    uint64_t size;
    uint64_t size_max;
    unsigned keep;
};

must_check int logs_open(struct logs *l, const char *dir, uint64_t size_max, unsigned keep,
                         struct err *err);
void logs_close(struct logs *l);
void logs_line(struct logs *l, const char *label, struct str line);
/* An event of the supervisor's own; fields as for log_event, ended by a NULL key. */
void logs_event(struct logs *l, enum log_level level, const char *event,
                const struct log_field *fields);
#define logs_say(l, level, event, ...) logs_event((l), (level), (event), LOG_FIELDS(__VA_ARGS__))

/* One service's standard output and error. The writing end is handed to each of its processes. */
struct logs_pipe {
    struct logs *logs;
    const char *label;
    int read_fd;
    int write_fd;
    struct loop_io io;
    char line[LOGS_LINE_MAX];
    size_t n;
    bool cut; /* the rest of a line that was too long is dropped */
    char *tail[LOGS_TAIL];
    unsigned tail_at;
};

must_check int logs_pipe_open(struct logs_pipe *p, struct loop *loop, struct logs *l,
                              const char *label, struct err *err);
void logs_pipe_drain(struct logs_pipe *p); /* reads what is there now */
void logs_pipe_close(struct logs_pipe *p);
void logs_pipe_tail(const struct logs_pipe *p, struct buf *out); /* two spaces before each */

#endif
