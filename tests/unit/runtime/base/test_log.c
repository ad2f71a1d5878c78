/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/own.h"

#include "tests/lib/test.h"

/* A packet socket shows what each write wrote. */
static int pair[2];

static int setup(void **state)
{
    struct err err;

    (void)state;
    if (fd_socketpair(SOCK_SEQPACKET | SOCK_NONBLOCK, pair, &err) < 0)
        return -1;
    log_to(pair[0]);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    log_to(STDERR_FILENO);
    log_set_level(LOG_LEVEL_INFO);
    (void)close(pair[0]);
    (void)close(pair[1]);
    return 0;
}

static struct str next_line(void)
{
    static char line[LOG_LINE_MAX * 2];
    ssize_t n = read(pair[1], line, sizeof(line));

    return (struct str){line, n < 0 ? 0 : (size_t)n};
}

static void a_line_has_level_event_and_fields(void **state)
{
    (void)state;
    log_info("smtp.accept", LOG_S("id", "3f2a"), LOG_U("rcpts", 2), LOG_I("off", -3),
             LOG_STR("from", STR("<a@example.org>")));
    assert_str(next_line(), "info smtp.accept id=3f2a rcpts=2 off=-3 from=<a@example.org>\n");
    log_error("alone");
    assert_str(next_line(), "error alone\n");
    log_warn("max", LOG_U("u", UINT64_MAX), LOG_I("i", INT64_MIN));
    assert_str(next_line(), "warn max u=18446744073709551615 i=-9223372036854775808\n");
}

static void the_level_decides(void **state)
{
    (void)state;
    log_debug("quiet");
    assert_int_equal(next_line().n, 0);
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("loud");
    assert_str(next_line(), "debug loud\n");
    log_set_level(LOG_LEVEL_ERROR);
    log_warn("quiet");
    assert_int_equal(next_line().n, 0);
    assert_true(log_enabled(LOG_LEVEL_ERROR) && !log_enabled(LOG_LEVEL_WARN));
}

static void values_are_escaped(void **state)
{
    static const struct {
        struct str in;
        const char *out;
    } rows[] = {
        {STR_INIT(""), "\"\""},
        {STR_INIT("plain"), "plain"},
        {STR_INIT("a b"), "\"a b\""},
        {STR_INIT("a=b"), "\"a=b\""},
        {STR_INIT("a\"b\\"), "\"a\\\"b\\\\\""},
        {STR_INIT("x\r\nerror evil"), "\"x\\x0d\\nerror evil\""},
        {STR_INIT("a\0b"), "\"a\\x00b\""},
        {STR_INIT("\x1b[31m"), "\"\\x1b[31m\""},
        {STR_INIT("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f"},
        {STR_INIT("gr\xc3"), "\"gr\\xc3\""},
        {STR_INIT("\xc2\x9b"), "\"\\xc2\\x9b\""},
        {STR_INIT("\xe2\x80\xa8"), "\"\\xe2\\x80\\xa8\""},
        {STR_INIT("\xf0\x9f\x93\xa7"), "\xf0\x9f\x93\xa7"},
        {STR_INIT("\x7f"), "\"\\x7f\""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        own_buf struct buf b = BUF_INIT(200);

        log_format_field(&b, &LOG_STR("k", rows[i].in));
        assert_true(str_starts(buf_str(&b), STR(" k=")));
        assert_str(str_skip(buf_str(&b), 3), rows[i].out);
    }
}

/* Any bytes of any length make one line within the limit, and quotes are balanced. */
static void no_data_makes_a_second_line_or_too_long_a_one(void **state)
{
    static char data[LOG_LINE_MAX + 50];
    unsigned r = 3;

    (void)state;
    for (size_t n = 0; n < sizeof(data); n += 13) {
        struct str line;
        size_t quotes = 0;

        for (size_t i = 0; i < n; i++)
            data[i] = (char)((r = r * 1103515245 + 12345) >> 16);
        log_info("event.name", LOG_STR("data", ((struct str){data, n})),
                 LOG_STR("more", ((struct str){data, n})), LOG_U("n", n));
        line = next_line();
        assert_true(line.n > 0 && line.n <= LOG_LINE_MAX);
        assert_int_equal(str_find(line, '\n'), line.n - 1);
        for (size_t i = 0; i < line.n; i++) {
            if (line.p[i] == '\\')
                i++;
            else
                quotes += line.p[i] == '"';
        }
        assert_int_equal(quotes % 2, 0);
        assert_true(str_is_utf8(line));
    }
}

static void a_long_value_is_cut_with_dots(void **state)
{
    static char data[LOG_LINE_MAX * 2];
    struct str line;

    (void)state;
    memset(data, 'a', sizeof(data));
    log_info("e", LOG_STR("k", ((struct str){data, sizeof(data)})));
    line = next_line();
    assert_true(str_ends(line, STR("aaa...\n")));
    assert_true(line.n > LOG_LINE_MAX - 32);
}

static void errno_is_left_alone(void **state)
{
    (void)state;
    log_to(-1);
    errno = EBUSY;
    log_info("nowhere");
    assert_int_equal(errno, EBUSY);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_line_has_level_event_and_fields),
        TEST(the_level_decides),
        TEST(values_are_escaped),
        TEST(no_data_makes_a_second_line_or_too_long_a_one),
        TEST(a_long_value_is_cut_with_dots),
        TEST(errno_is_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
