/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/num.h"
#include "runtime/base/slim.h"
#include "runtime/base/str.h"

#include "tests/lib/test.h"

#define PAGES 2048 /* a huge page or two may come back at the first touch */

/* Constants, which are in a segment of their own that is never written. */
static const char constants[PAGES * 4096] __attribute__((aligned(4096))) = {1};
static char written[4096] = "kept";

/* "FROM-TO ..." of a mapping that has `at` in it. */
static bool is_mapping_of(struct str line, uintptr_t at)
{
    struct str from;
    struct str to;
    struct err err = {0};
    uint64_t first;
    uint64_t end;

    return str_cut(line, ' ', &line, &(struct str){0}) && str_cut(line, '-', &from, &to) &&
           num_parse_hex(from, UINT64_MAX, &first, &err) == 0 &&
           num_parse_hex(to, UINT64_MAX, &end, &err) == 0 && at >= first && at < end;
}

/* Kilobytes of the mapping that holds `at` which are mapped now. */
static uint64_t mapped_kb(const void *at)
{
    FILE *f = fopen("/proc/self/smaps", "re");
    bool inside = false;
    uint64_t kb = 0;
    char text[512];

    assert_non_null(f);
    while (fgets(text, sizeof(text), f) != NULL) {
        struct str line = str_trim(str_of(text));
        struct err err = {0};

        inside = inside || is_mapping_of(line, (uintptr_t)at);
        if (!inside || !str_starts(line, STR("Rss:")) || !str_ends(line, STR(" kB")))
            continue;
        line = str_trim(str_head(str_skip(line, 4), line.n - 7));
        assert_int_equal(num_parse_u64(line, 0, UINT64_MAX, &kb, &err), 0);
        break;
    }
    (void)fclose(f);
    return kb;
}

static unsigned touch(void)
{
    const volatile char *p = constants; /* the compiler knows what is in it */
    unsigned sum = 0;

    for (size_t i = 0; i < sizeof(constants); i += 4096)
        sum += (unsigned)p[i];
    return sum;
}

static void constants_go_and_come_back(void **state)
{
    uint64_t before;
    uint64_t after;

    (void)state;
    assert_int_equal(touch(), 1);
    before = mapped_kb(constants);
    slim_now();
    after = mapped_kb(constants);
    assert_true(before >= sizeof(constants) / 1024);
    assert_true(after <= before - sizeof(constants) / 2048);
    assert_int_equal(touch(), 1);
}

static void what_was_written_stays(void **state)
{
    (void)state;
    written[4] = '!';
    slim_now();
    assert_string_equal(written, "kept!");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constants_go_and_come_back),
        cmocka_unit_test(what_was_written_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
