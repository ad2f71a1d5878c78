/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log - one event per line, key=value, escaped (logfmt)
 *
 *     log_info("smtp.accept", LOG_S("id", id), LOG_U("rcpts", 2), LOG_STR("from", from));
 *     -> info smtp.accept id=3f2a rcpts=2 from=a@example.org
 *
 * A line is written with one write(2) to standard error (or the descriptor of log_to), at most
 * LOG_LINE_MAX bytes; longer values are cut and end in "...". Values with spaces, quotes, '=',
 * control or non-UTF-8 bytes are quoted, with \n, \", \\ and \xHH escapes, so that no data can make
 * a second line. The level can be set; debug is off at first. Never log content of mail or
 * passwords.
 *
 * State:     level and descriptor are process-wide (the only mutable state of this room
 *            together with clock.c).
 * Tests:     tests/unit/runtime/base/test_log.c
 */
#ifndef MR_BASE_LOG_H
#define MR_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/str.h"

struct buf;

#define LOG_LINE_MAX 2048

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARN,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG
};

enum log_kind {
    LOG_KIND_END,
    LOG_KIND_STR,
    LOG_KIND_UINT,
    LOG_KIND_INT
};

struct log_field {
    const char *key; /* NULL ends the list */
    enum log_kind kind;
    struct str s;
    uint64_t u;
    int64_t i;
};

/* log_X("event.name", LOG_S("key", cstring), LOG_STR("key", str), LOG_U("key", n), LOG_I("key", n))
 */
#define LOG_S(k, v)   ((struct log_field){.key = (k), .kind = LOG_KIND_STR, .s = str_of(v)})
#define LOG_STR(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_STR, .s = (v)})
#define LOG_U(k, v)   ((struct log_field){.key = (k), .kind = LOG_KIND_UINT, .u = (uint64_t)(v)})
#define LOG_I(k, v)   ((struct log_field){.key = (k), .kind = LOG_KIND_INT, .i = (int64_t)(v)})

void log_event(enum log_level level, const char *event, const struct log_field *fields);

#define log_error(...) LOG_CALL_(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  LOG_CALL_(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  LOG_CALL_(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) LOG_CALL_(LOG_LEVEL_DEBUG, __VA_ARGS__)
/* The event, then zero or more fields. */
#define LOG_CALL_(level, event, ...) log_event((level), (event), LOG_FIELDS(__VA_ARGS__))
/* Zero or more fields as a list with its terminator. (Behind an unused first element, because
 * cppcheck does not understand __VA_OPT__.) */
#define LOG_FIELDS(...) \
    &((const struct log_field[]){{.key = NULL}, ##__VA_ARGS__, {.key = NULL}})[1]

void log_to(int fd); /* -1: nowhere */
void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);

/* Appends ` key=value`, escaped as in a line; for those who make lines of their own. */
void log_format_field(struct buf *out, const struct log_field *field);

#endif
