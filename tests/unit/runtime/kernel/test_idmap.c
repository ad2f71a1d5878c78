/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/buf.h"
#include "runtime/base/own.h"
#include "runtime/kernel/idmap.h"

#include "tests/lib/test.h"

static void a_line_for_each_map(void **state)
{
    const struct idmap v[] = {{0, 1000, 1}, {1, 100000, 65536}};
    own_buf struct buf out = BUF_INIT(256);

    (void)state;
    idmap_format((struct idmaps){v, 2}, &out);
    assert_string_equal(buf_c(&out), "0 1000 1\n1 100000 65536\n");
}

static void only_ones_own_id_alone_is_single(void **state)
{
    const struct idmap own[] = {{0, 1000, 1}}, wide[] = {{0, 1000, 2}};

    (void)state;
    assert_true(idmap_is_single((struct idmaps){own, 1}, 1000));
    assert_false(idmap_is_single((struct idmaps){own, 1}, 1001));
    assert_false(idmap_is_single((struct idmaps){wide, 1}, 1000));
    assert_false(idmap_is_single((struct idmaps){own, 0}, 1000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_for_each_map),
        cmocka_unit_test(only_ones_own_id_alone_is_single),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
