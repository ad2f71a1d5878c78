/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/err.h"

#include "mailstack/lib/store/msgfile.h"

#include "tests/lib/test.h"

static void read_or_mapped_it_is_the_same(void **state)
{
    static const size_t sizes[] = {0, 1, MSGFILE_READ_MAX, MSGFILE_READ_MAX + 1};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(sizes); i++) {
        FILE *to = tmpfile();
        struct msgfile f;
        struct err err = {0};
        uint64_t vsize;

        assert_non_null(to);
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(fputc('\n', to), '\n');
        assert_int_equal(fflush(to), 0);
        assert_int_equal(msgfile_open(&f, fileno(to), &err), 0);
        assert_int_equal(f.raw.n, sizes[i]);
        assert_int_equal(f.map != NULL, sizes[i] > MSGFILE_READ_MAX);
        msgfile_close(&f);
        assert_int_equal(msgfile_vsize(fileno(to), &vsize, &err), 0);
        assert_int_equal(vsize, 2 * sizes[i]);
        assert_int_equal(fclose(to), 0);
    }
}

static void a_directory_is_no_message(void **state)
{
    struct msgfile f;
    struct err err = {0};
    FILE *dir = fopen("/", "r");

    (void)state;
    assert_non_null(dir);
    assert_int_equal(msgfile_open(&f, fileno(dir), &err), -1);
    assert_int_equal(fclose(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_or_mapped_it_is_the_same),
        cmocka_unit_test(a_directory_is_no_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
