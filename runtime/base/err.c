/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nothing here allocates: an err is filled in after fork and when memory is short. All text goes
 * through text_put, which never writes past the end and marks a cut with three dots.
 */
#include "runtime/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define DOTS            "..."
#define DESCRIPTION_MAX 128 /* the longest of glibc has 50 */

static size_t text_put(char *text, size_t at, const char *fmt, va_list ap) fmt_printf(3, 0);

static size_t text_put(char *text, size_t at, const char *fmt, va_list ap)
{
    size_t room = ERR_TEXT_MAX - at;
    int n = vsnprintf(text + at, room, fmt, ap);

    if (n < 0)
        return at;
    if ((size_t)n < room)
        return at + (size_t)n;
    memcpy(text + ERR_TEXT_MAX - sizeof(DOTS), DOTS, sizeof(DOTS));
    return ERR_TEXT_MAX - 1;
}

static size_t text_put_c(char *text, size_t at, const char *fmt, ...) fmt_printf(3, 4);

static size_t text_put_c(char *text, size_t at, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    at = text_put(text, at, fmt, ap);
    va_end(ap);
    return at;
}

/* What the system says of the code, in lower case, as the rest of the sentence is: engines written
 * in Go look for these words, and make exit statuses of them. False: it says nothing. */
static bool describe(int code, char out[DESCRIPTION_MAX])
{
    const char *what = strerrordesc_np(code);

    if (what == NULL)
        return false;
    (void)snprintf(out, DESCRIPTION_MAX, "%s", what);
    if (out[0] >= 'A' && out[0] <= 'Z' && out[1] >= 'a' && out[1] <= 'z')
        out[0] = (char)(out[0] - 'A' + 'a');
    return true;
}

static size_t text_put_code(char *text, size_t at, int code)
{
    char what[DESCRIPTION_MAX];

    if (!describe(code, what))
        return text_put_c(text, at, ": error %d", code);
    return text_put_c(text, at, ": %s", what);
}

int(err_set)(struct err *err, int code, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX]; /* the arguments may look into err->text */
    int saved = errno;
    va_list ap;
    size_t n;

    va_start(ap, fmt);
    text[0] = '\0';
    n = text_put(text, 0, fmt, ap);
    va_end(ap);
    if (code != 0)
        n = text_put_code(text, n, code);
    memcpy(err->text, text, n + 1);
    err->code = code;
    errno = saved;
    return -1;
}

int(err_wrap)(struct err *err, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    int saved = errno;
    va_list ap;
    size_t n;

    va_start(ap, fmt);
    text[0] = '\0';
    n = text_put(text, 0, fmt, ap);
    va_end(ap);
    n = text_put_c(text, n, ": %s", err->text);
    memcpy(err->text, text, n + 1);
    errno = saved;
    return -1;
}

int err_plain_n(const struct err *err)
{
    char what[DESCRIPTION_MAX];
    size_t n = strlen(err->text), what_n = 0;

    if (err->code == 0 || !describe(err->code, what))
        return (int)n;         /* below ERR_TEXT_MAX */
    what_n = strlen(what) + 2; /* with ": " */
    if (n >= what_n && strcmp(err->text + n - what_n + 2, what) == 0 &&
        err->text[n - what_n] == ':')
        n -= what_n;
    return (int)n;
}

void err_reset(struct err *err)
{
    err->code = 0;
    err->text[0] = '\0';
}
