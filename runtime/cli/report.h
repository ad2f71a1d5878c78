/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report - what the user and the container engine are told: errors, warnings, debug lines
 *
 * An error goes to standard error as "mailbox-run: TEXT" and, with --log, into that file in the
 * format engines read (text: time="..." level=error msg="..."; json: one object a line with level,
 * msg, time). Without --log, --log-format json applies to standard error. Warnings and debug lines
 * go to the log file if there is one, else to standard error; debug lines only with --debug, and
 * with
 * --log-level error no warnings.
 *
 * Tests:     tests/unit/runtime/cli/test_report.c, tests/oci/test_cli.py
 */
#ifndef MR_CLI_REPORT_H
#define MR_CLI_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/attr.h"

struct buf;
struct err;

enum report_level {
    REPORT_ERROR,
    REPORT_WARN,
    REPORT_DEBUG
};

struct report {
    int log_fd; /* -1: none */
    bool json;
    bool debug;
    bool errors_only;
};

/* path NULL: no log file. The file is appended to, made with mode 0644. */
must_check int report_open(struct report *r, const char *path, struct err *err);
void report_close(struct report *r);

void report_line(const struct report *r, enum report_level level, const char *given);

/* One line of a log file, with its newline. */
void report_format(struct buf *out, bool json, enum report_level level, const char *text,
                   int64_t wall_s);

#endif
