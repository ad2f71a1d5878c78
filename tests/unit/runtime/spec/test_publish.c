/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/buf.h"
#include "runtime/base/own.h"
#include "runtime/spec/publish.h"

#include "tests/lib/test.h"

static void what_is_meant_is_understood(void **state)
{
    static const struct {
        const char *text;
        struct publish p;
    } rows[] = {
        {"8080:80", {PUBLISH_EVERY, "", 8080, 80, false}},
        {"1:65535/tcp", {PUBLISH_EVERY, "", 1, 65535, false}},
        {"5353:53/udp", {PUBLISH_EVERY, "", 5353, 53, true}},
        {"127.0.0.1:8080:80", {PUBLISH_IPV4, "127.0.0.1", 8080, 80, false}},
        {"0.0.0.0:8080:80/udp", {PUBLISH_IPV4, "0.0.0.0", 8080, 80, true}},
        {"[::1]:8080:80", {PUBLISH_IPV6, "::1", 8080, 80, false}},
        {"[2001:DB8:0::0:1]:8080:80/tcp", {PUBLISH_IPV6, "2001:db8::1", 8080, 80, false}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct publish p;
        struct err err = {0};

        assert_ok(publish_parse(str_of(rows[i].text), &p, &err), &err);
        assert_int_equal(p.family, rows[i].p.family);
        assert_string_equal(p.address, rows[i].p.address);
        assert_int_equal(p.host, rows[i].p.host);
        assert_int_equal(p.container, rows[i].p.container);
        assert_int_equal(p.udp, rows[i].p.udp);
    }
}

static void all_else_is_refused_with_a_reason(void **state)
{
    static const struct {
        const char *text;
        const char *why;
    } rows[] = {
        {"", "expected [ADDRESS:]HOST:CONTAINER"},
        {"80", "expected [ADDRESS:]HOST:CONTAINER"},
        {"80/tcp", "expected [ADDRESS:]HOST:CONTAINER"},
        {":80", "the port of the host"},
        {"80:", "the port of the container"},
        {"0:80", "the port of the host"},
        {"80:65536", "the port of the container"},
        {"+8:80", "the port of the host"},
        {"8080:80/sctp", "expected 'tcp' or 'udp'"},
        {"8080:80/", "expected 'tcp' or 'udp'"},
        {":8080:80", "expected an IPv4 address"},
        {"localhost:8080:80", "expected an IPv4 address"},
        {"::1:8080:80", "expected an IPv4 address"},
        {"[127.0.0.1]:8080:80", "expected an IPv4 address"},
        {"[]:8080:80", "expected an IPv4 address"},
        {"[::1:8080:80", "expected an IPv4 address"},
        {"127.1:8080:80", "expected an IPv4 address"},
        {"127.0.0.1/1:8080:80", "expected 'tcp' or 'udp'"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct publish p = {.host = 7};
        struct err err = {0};

        assert_int_equal(publish_parse(str_of(rows[i].text), &p, &err), -1);
        if (strstr(err.text, rows[i].why) == NULL)
            fail_msg("'%s': %s", rows[i].text, err.text);
        assert_int_equal(p.host, 7);
    }
}

static void it_is_written_as_it_is_read(void **state)
{
    static const char *const rows[] = {"8080:80", "8080:80/udp", "127.0.0.1:8080:80",
                                       "[2001:db8::1]:8080:80/udp"};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        own_buf struct buf text = BUF_INIT(128);
        struct publish p;
        struct err err = {0};

        assert_ok(publish_parse(str_of(rows[i]), &p, &err), &err);
        publish_format(&p, &text);
        assert_string_equal(buf_c(&text), rows[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_meant_is_understood),
        cmocka_unit_test(all_else_is_refused_with_a_reason),
        cmocka_unit_test(it_is_written_as_it_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
