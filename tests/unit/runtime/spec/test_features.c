/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/jv.h"
#include "runtime/base/own.h"
#include "runtime/spec/oci.h"

#include "tests/lib/test.h"

static void the_document_is_json_and_its_lists_are_sorted(void **state)
{
    own_buf struct buf out = BUF_INIT(65536);
    own_json json_t *doc = NULL;
    struct err err = {0};
    struct jv root, options;

    (void)state;
    oci_features(&out);
    doc = jv_load_str(buf_str(&out), "features", &err);
    assert_non_null(doc);
    root = jv_root(doc);
    options = jv_member(&root, "mountOptions");
    assert_true(jv_n(&options) > 50);
    for (size_t i = 1; i < jv_n(&options); i++)
        assert_true(strcmp(json_string_value(json_array_get(options.v, i - 1)),
                           json_string_value(json_array_get(options.v, i))) < 0);
}

static void the_keys_are_those_of_the_specification(void **state)
{
    static const char *const keys[] = {"ociVersionMin", "ociVersionMax", "hooks",
                                       "mountOptions",  "linux",         "annotations"};
    static const char *const linux_keys[] = {"namespaces", "capabilities",    "cgroup",
                                             "seccomp",    "apparmor",        "selinux",
                                             "intelRdt",   "mountExtensions", "netDevices"};
    own_buf struct buf out = BUF_INIT(65536);
    own_json json_t *doc = NULL;
    struct err err = {0};
    struct jv root, lin;

    (void)state;
    oci_features(&out);
    doc = jv_load_str(buf_str(&out), "features", &err);
    root = jv_root(doc);
    for (size_t i = 0; i < ARRAY_N(keys); i++)
        assert_true(jv_has(&root, keys[i]));
    lin = jv_member(&root, "linux");
    for (size_t i = 0; i < ARRAY_N(linux_keys); i++)
        assert_true(jv_has(&lin, linux_keys[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_document_is_json_and_its_lists_are_sorted),
        cmocka_unit_test(the_keys_are_those_of_the_specification),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
