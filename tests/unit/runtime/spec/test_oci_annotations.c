/* SPDX-License-Identifier: Apache-2.0 */
/* Annotations that change what is done: found by name, judged by value. */
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/spec/oci.h"

#include "tests/lib/test.h"

static struct oci_config with(struct oci_pair *pair)
{
    return (struct oci_config){.annotations = {pair, 1}};
}

static void every_one_has_a_name(void **state)
{
    (void)state;
    for (int i = 0; i < OCI_ANNOTATIONS; i++)
        assert_non_null(oci_annotation_names[i]);
}

static void a_value_is_found_by_the_whole_name(void **state)
{
    struct oci_pair pair = {"run.oci.hooks.stdout", "/f"},
                    longer = {"run.oci.hooks.stdout.x", "/f"};
    struct oci_config c = with(&pair), other = with(&longer);

    (void)state;
    assert_string_equal(oci_annotation(&c, OCI_HOOKS_STDOUT), "/f");
    assert_null(oci_annotation(&c, OCI_HOOKS_STDERR));
    assert_null(oci_annotation(&other, OCI_HOOKS_STDOUT));
}

static void only_0_is_off(void **state)
{
    struct oci_pair on = {"run.oci.keep_original_groups", "1"}, empty = {on.key, ""};
    struct oci_pair off = {on.key, "0"};
    struct oci_config a = with(&on), b = with(&empty), c = with(&off), none = {.version = "1.3.0"};

    (void)state;
    assert_true(oci_annotation_is_on(&a, OCI_KEEP_GROUPS));
    assert_true(oci_annotation_is_on(&b, OCI_KEEP_GROUPS));
    assert_false(oci_annotation_is_on(&c, OCI_KEEP_GROUPS));
    assert_false(oci_annotation_is_on(&none, OCI_KEEP_GROUPS));
}

static void what_cannot_be_done_is_refused(void **state)
{
    static const struct {
        const char *key;
        const char *value;
        const char *said; /* NULL: it is fine */
    } cases[] = {
        {"run.oci.hooks.stdout", "/var/log/hooks", NULL},
        {"run.oci.hooks.stdout", "hooks", "absolute path"},
        {"run.oci.hooks.stderr", "", "absolute path"},
        {"run.oci.handler", "krun", "not available"},
        {"run.oci.handler", "wasm", "not available"},
        {"run.oci.handler", "other", NULL},
        {"unknown", "krun", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct oci_pair pair = {cases[i].key, cases[i].value};
        struct oci_config c = with(&pair);
        struct err err;
        int r = oci_check(&c, &err);

        if (cases[i].said == NULL)
            assert_int_equal(r, 0);
        else
            assert_non_null(r < 0 ? strstr(err.text, cases[i].said) : NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_one_has_a_name),
        cmocka_unit_test(a_value_is_found_by_the_whole_name),
        cmocka_unit_test(only_0_is_off),
        cmocka_unit_test(what_cannot_be_done_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
