/* SPDX-License-Identifier: Apache-2.0 */
/*
 * err - a failure with a message, in fixed storage, wrapped on the way up
 *
 * A function that can fail takes `struct err *err` last and returns 0 or -1 (or a descriptor or
 * -1). The one who finds the failure calls err_set; a caller that knows more calls err_wrap. The
 * text is one sentence, lower case, names in single quotes, the cause at its end: "create container
 * 'web': open '/b/config.json': No such file or directory"
 *
 * Lifetime:  fixed storage, no allocation; works after fork and under memory pressure.
 * Limits:    a text longer than ERR_TEXT_MAX - 1 bytes is cut at its end and ends in "...".
 * Tests:     tests/unit/runtime/base/test_err.c
 */
#ifndef MR_BASE_ERR_H
#define MR_BASE_ERR_H

#include "runtime/base/attr.h"

#define ERR_TEXT_MAX 1024

struct err {
    int code; /* errno of the cause, or 0 where no system call is behind it */
    char text[ERR_TEXT_MAX];
};

/* Sets code and text; a code that is not 0 appends ": " and its description. Always returns -1.
 * errno is left as it was. */
int err_set(struct err *err, int code, const char *fmt, ...) fmt_printf(3, 4);

/* Puts "context: " in front of the text. Always returns -1. */
int err_wrap(struct err *err, const char *fmt, ...) fmt_printf(2, 3);

/* The length of the text without the description of the code at its end, for "%.*s": what a peer is
 * told, whom the names of errno would only confuse. */
int err_plain_n(const struct err *err);

/* The analyzer sees one file at a time: this tells it what they return. Their
 * definitions put the name into parentheses. */
#ifdef __clang_analyzer__
#define err_set(...)  (err_set(__VA_ARGS__), -1)
#define err_wrap(...) (err_wrap(__VA_ARGS__), -1)
#endif

/* Back to "no error": code 0, empty text. */
void err_reset(struct err *err);

#endif
