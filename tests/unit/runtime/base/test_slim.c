/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/slim.h"

#include "tests/lib/test.h"

#define PAGES 256

/* Constants of a megabyte, which are in a segment of their own that is never written. */
static const char constants[PAGES * 4096] __attribute__((aligned(4096))) = {1};
static char written[4096] = "kept";

/* Kilobytes of the mapping that holds `at` which are mapped now. */
static unsigned mapped_kb(const volatile void *at)
{
    FILE *f = fopen("/proc/self/smaps", "re");
    unsigned long from;
    unsigned long to;
    unsigned kb = 0;
    char line[512];
    int inside = 0;

    assert_non_null(f);
    while (fgets(line, sizeof(line), f) != NULL) {
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            inside = (uintptr_t)at >= from && (uintptr_t)at < to;
        else if (inside && sscanf(line, "Rss: %u kB", &kb) == 1)
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
    unsigned before;
    unsigned after;

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
