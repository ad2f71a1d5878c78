/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/attr.h"
#include "runtime/base/buf.h"
#include "runtime/base/own.h"
#include "runtime/cli/report.h"

#include "tests/lib/test.h"

static void a_line_has_the_form_that_engines_read(void **state)
{
    static const struct {
        bool json;
        enum report_level level;
        const char *text, *line;
    } rows[] = {
        {true, REPORT_ERROR, "a 'b'",
         "{\"level\":\"error\",\"msg\":\"a 'b'\",\"time\":\"2001-09-09T01:46:40Z\"}\n"},
        {true, REPORT_WARN, "\"\n",
         "{\"level\":\"warning\",\"msg\":\"\\\"\\n\",\"time\":\"2001-09-09T01:46:40Z\"}\n"},
        {false, REPORT_ERROR, "a", "time=\"2001-09-09T01:46:40Z\" level=error msg=\"a\"\n"},
        {false, REPORT_DEBUG, "x\ny", "time=\"2001-09-09T01:46:40Z\" level=debug msg=\"x\\ny\"\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        own_buf struct buf out = BUF_INIT(4096);

        report_format(&out, rows[i].json, rows[i].level, rows[i].text, 1000000000);
        assert_string_equal(buf_c(&out), rows[i].line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_the_form_that_engines_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
