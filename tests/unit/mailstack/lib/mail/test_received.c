/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/header.h"
#include "mailstack/lib/mail/received.h"

#include "tests/lib/test.h"

static void a_whole_field(void **state)
{
    own_buf struct buf out = BUF_INIT(2000);

    (void)state;
    received_format(&out, &(struct received){.helo = STR("mx.example.org"),
                                             .client_name = STR("mx.example.org"),
                                             .client_addr = STR("2001:db8::1"),
                                             .by = STR("mail.example.net"),
                                             .with = STR("ESMTPS"),
                                             .tls = STR("TLSv1.3 cipher TLS_AES_256_GCM_SHA384"),
                                             .id = STR("4f2a"),
                                             .rcpt = STR("bob@example.net"),
                                             .unix_s = 1795517178});
    assert_str(buf_str(&out),
               "Received: from mx.example.org (mx.example.org [IPv6:2001:db8::1])\r\n"
               "\t(using TLSv1.3 cipher TLS_AES_256_GCM_SHA384)\r\n"
               "\tby mail.example.net with ESMTPS id 4f2a\r\n"
               "\tfor <bob@example.net>;\r\n"
               "\tTue, 24 Nov 2026 10:46:18 +0000\r\n");
}

static void nothing_said_can_make_a_second_field(void **state)
{
    own_buf struct buf out = BUF_INIT(4000);
    struct str evil = STR("x\r\nBcc: y@z (\\) \0>;");
    struct header_walk w;
    struct header_field f;

    (void)state;
    received_format(&out, &(struct received){.helo = evil,
                                             .client_name = evil,
                                             .client_addr = evil,
                                             .by = evil,
                                             .with = evil,
                                             .tls = evil,
                                             .id = evil,
                                             .rcpt = evil});
    w = header_walk(buf_str(&out));
    assert_true(header_next(&w, &f));
    assert_str(f.name, "Received");
    assert_int_equal(f.raw.n, out.n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_field),
        cmocka_unit_test(nothing_said_can_make_a_second_field),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
