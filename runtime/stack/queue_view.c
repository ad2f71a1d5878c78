/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/stack/queue_view.h"

#include <stdio.h>
#include <time.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/jv.h"
#include "runtime/base/num.h"

#define AGE_MAX 32

static int64_t number(const struct jv *at, const char *key)
{
    return json_integer_value(jv_member(at, key).v);
}

static struct str text(const struct jv *at, const char *key)
{
    return str_of(json_string_value(jv_member(at, key).v));
}

/* Line ends stay where `lines` says so: in a header. */
static void put_clean(struct buf *out, struct str s, bool lines)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool control = c < ' ' || c == 0x7f;

        if (lines && c == '\r')
            continue;
        if (lines && (c == '\n' || c == '\t'))
            control = false;
        /* U+0080 to U+009F are control characters too. */
        if (c == 0xc2 && i + 1 < s.n && (unsigned char)s.p[i + 1] < 0xa0) {
            control = true;
            i++;
        }
        buf_append_char(out, control ? '?' : (char)c);
    }
}

static void put(struct buf *out, struct str s)
{
    put_clean(out, s, false);
}

static void format_age(int64_t s, char age[AGE_MAX])
{
    static const struct {
        int64_t unit;
        char name;
        int64_t part;
        char part_name;
    } rows[] = {{86400, 'd', 3600, 'h'}, {3600, 'h', 60, 'm'}, {60, 'm', 1, 's'}};

    if (s < 0)
        s = 0;
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        if (s < rows[i].unit)
            continue;
        (void)snprintf(age, AGE_MAX, "%lld%c%lld%c", (long long)(s / rows[i].unit), rows[i].name,
                       (long long)(s % rows[i].unit / rows[i].part), rows[i].part_name);
        return;
    }
    (void)snprintf(age, AGE_MAX, "%llds", (long long)s);
}

static void put_sender(struct buf *out, const struct jv *m)
{
    buf_append_char(out, '<');
    put(out, text(m, "sender"));
    buf_append_char(out, '>');
}

/* When the next attempt of this recipient is. */
static void put_next(struct buf *out, const struct jv *m, const struct jv *r, int64_t now_s)
{
    char age[AGE_MAX];

    if (json_is_true(jv_member(m, "sending").v)) {
        buf_append_c(out, "being sent");
    } else if (number(r, "next_s") <= now_s) {
        buf_append_c(out, "due now");
    } else {
        format_age(number(r, "next_s") - now_s, age);
        buf_printf(out, "next in %s", age);
    }
}

static void put_error(struct buf *out, const struct jv *r)
{
    put(out, text(r, "status"));
    buf_append_char(out, ' ');
    if (text(r, "remote").n) {
        put(out, text(r, "remote"));
        buf_append_c(out, " said: ");
    }
    put(out, text(r, "error"));
    buf_append_char(out, '\n');
}

static void put_attempts(struct buf *out, const struct jv *r)
{
    int64_t n = number(r, "attempts");

    buf_printf(out, "%lld attempt%s", (long long)n, n == 1 ? "" : "s");
}

/* In the list: who still waits, and why. */
static void list_rcpt(struct buf *out, const struct jv *m, const struct jv *r, int64_t now_s)
{
    bool pending = str_eq_c(text(r, "state"), "pending");

    buf_append_c(out, "    to <");
    put(out, text(r, "address"));
    buf_append_c(out, ">  ");
    if (pending) {
        put_attempts(out, r);
        buf_append_c(out, ", ");
        put_next(out, m, r, now_s);
    } else {
        put(out, text(r, "state"));
    }
    buf_append_char(out, '\n');
    if (pending && text(r, "error").n) {
        buf_append_c(out, "        ");
        put_error(out, r);
    }
}

static int list_message(struct buf *out, const struct jv *m, int64_t now_s, struct err *err)
{
    char size[NUM_TEXT_MAX];
    char age[AGE_MAX];
    struct jv rcpts;

    if (jv_array(m, "recipients", &rcpts, err) < 0)
        return -1;
    num_format_size((uint64_t)number(m, "size"), size);
    format_age(now_s - number(m, "arrival_s"), age);
    put(out, text(m, "id"));
    buf_printf(out, "  %s  %s ago  from ", size, age);
    put_sender(out, m);
    buf_append_char(out, '\n');
    for (size_t i = 0; i < jv_n(&rcpts); i++) {
        struct jv r = jv_elem(&rcpts, i);

        list_rcpt(out, m, &r, now_s);
    }
    return 0;
}

static void put_count(struct buf *out, int64_t n, uint64_t bytes)
{
    char size[NUM_TEXT_MAX];

    num_format_size(bytes, size);
    if (n == 0)
        buf_append_c(out, "the queue is empty\n");
    else
        buf_printf(out, "%lld message%s, %s\n", (long long)n, n == 1 ? "" : "s", size);
}

int queue_view_list(struct str answer, int64_t now_s, struct buf *out, struct err *err)
{
    uint64_t bytes = 0;
    int64_t more = 0;
    int64_t n = 0;
    struct str line;

    while (str_next(&answer, '\n', &line)) {
        own_json json_t *doc = jv_load_str(line, "queued's answer", err);
        struct jv m = jv_root(doc);

        if (!doc)
            return -1;
        if (jv_has(&m, "more")) {
            more = number(&m, "more");
            continue;
        }
        if (list_message(out, &m, now_s, err) < 0)
            return -1;
        bytes += (uint64_t)number(&m, "size");
        n++;
    }
    if (more)
        buf_printf(out, "... and %lld more\n", (long long)more);
    put_count(out, n + more, bytes);
    return buf_check(out, "list", err);
}

/* --- one message ------------------------------------------------------------------------------ */

static void put_time(struct buf *out, int64_t unix_s)
{
    char when[40];
    time_t t = (time_t)unix_s;
    struct tm tm;

    if (gmtime_r(&t, &tm) && strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &tm) > 0)
        buf_append_c(out, when);
}

static void show_options(struct buf *out, const struct jv *m)
{
    size_t before;

    buf_append_c(out, "options    ");
    before = out->n;
    if (text(m, "ret").n)
        buf_printf(out, "RET=%.*s ", STR_ARG(text(m, "ret")));
    if (text(m, "envid").n) {
        buf_append_c(out, "ENVID=");
        put(out, text(m, "envid"));
        buf_append_char(out, ' ');
    }
    buf_append_c(out, json_is_true(jv_member(m, "8bit").v) ? "8BITMIME " : "");
    buf_append_c(out, json_is_true(jv_member(m, "smtputf8").v) ? "SMTPUTF8 " : "");
    buf_append_c(out, out->n == before ? "none\n" : "\n");
}

static void show_rcpt(struct buf *out, const struct jv *m, const struct jv *r, int64_t now_s)
{
    struct jv notify = jv_member(r, "notify");

    buf_append_c(out, "to         <");
    put(out, text(r, "address"));
    buf_append_c(out, ">\n           ");
    put(out, text(r, "state"));
    buf_append_c(out, ", ");
    put_attempts(out, r);
    if (number(r, "last_s")) {
        buf_append_c(out, ", the last at ");
        put_time(out, number(r, "last_s"));
    }
    if (str_eq_c(text(r, "state"), "pending")) {
        buf_append_c(out, ", ");
        put_next(out, m, r, now_s);
    }
    buf_append_char(out, '\n');
    if (text(r, "error").n) {
        buf_append_c(out, "           ");
        put_error(out, r);
    }
    for (size_t i = 0; i < json_array_size(notify.v); i++)
        buf_printf(out, "%s%s",
                   i ? "," : "           NOTIFY=", json_string_value(json_array_get(notify.v, i)));
    buf_append_c(out, json_array_size(notify.v) ? "\n" : "");
}

int queue_view_show(struct str answer, int64_t now_s, struct buf *out, struct err *err)
{
    own_json json_t *doc = jv_load_str(answer, "queued's answer", err);
    struct jv m = jv_root(doc);
    char size[NUM_TEXT_MAX];
    char age[AGE_MAX];
    struct jv rcpts;

    if (!doc || jv_array(&m, "recipients", &rcpts, err) < 0)
        return -1;
    num_format_size((uint64_t)number(&m, "size"), size);
    format_age(now_s - number(&m, "arrival_s"), age);
    buf_append_c(out, "message    ");
    put(out, text(&m, "id"));
    buf_append_c(out, "\nfrom       ");
    put_sender(out, &m);
    buf_append_c(out, "\narrived    ");
    put_time(out, number(&m, "arrival_s"));
    buf_printf(out, ", %s ago\nsize       %s\n", age, size);
    show_options(out, &m);
    for (size_t i = 0; i < jv_n(&rcpts); i++) {
        struct jv r = jv_elem(&rcpts, i);

        show_rcpt(out, &m, &r, now_s);
    }
    buf_append_char(out, '\n');
    put_clean(out, text(&m, "header"), true);
    return buf_check(out, "message", err);
}

/* --- what was done ---------------------------------------------------------------------------- */

int queue_view_flush(struct str answer, int64_t now_s, struct buf *out, struct err *err)
{
    own_json json_t *doc = jv_load_str(answer, "queued's answer", err);
    struct jv m = jv_root(doc);
    int64_t n;

    (void)now_s; /* nothing here has a time */
    if (!doc)
        return -1;
    n = number(&m, "flushed");
    buf_printf(out, "%lld message%s tried now\n", (long long)n, n == 1 ? " is" : "s are");
    return buf_check(out, "answer", err);
}

int queue_view_rm(struct str answer, int64_t now_s, struct buf *out, struct err *err)
{
    own_json json_t *doc = jv_load_str(answer, "queued's answer", err);
    struct jv m = jv_root(doc);

    (void)now_s; /* nothing here has a time */
    if (!doc)
        return -1;
    buf_append_c(out, "message ");
    put(out, text(&m, "removed"));
    buf_append_c(out, " is removed\n");
    return buf_check(out, "answer", err);
}
