/* SPDX-License-Identifier: Apache-2.0 */
#include "images/lib/digest.h"

#include "tests/lib/test.h"

#define EMPTY "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ABC   "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void known_sums_come_out(void **state)
{
    char text[DIGEST_TEXT_MAX];

    (void)state;
    digest_of(STR_NONE, text);
    assert_string_equal(text, EMPTY);
    digest_of(STR("abc"), text);
    assert_string_equal(text, ABC);
    assert_string_equal(digest_hex(text), &ABC[7]);
}

static void the_sum_does_not_depend_on_the_cuts(void **state)
{
    (void)state;
    for (size_t n = 0; n <= 3; n++) {
        struct digest d;
        char text[DIGEST_TEXT_MAX];

        digest_init(&d);
        digest_add(&d, str_head(STR("abc"), n));
        digest_add(&d, str_skip(STR("abc"), n));
        digest_text(&d, text);
        digest_done(&d);
        assert_string_equal(text, ABC);
    }
}

static void only_a_full_lower_case_sha256_is_sound(void **state)
{
    static const char *const wrong[] = {
        "",
        "sha256:",
        "sha256:abc",
        "sha512:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "sha256:E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "sha256:../../../../../../../../../../../../../../../../../../etc/passwd1234",
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8550",
    };

    (void)state;
    assert_true(digest_is_sound(STR(EMPTY)));
    for (size_t i = 0; i < ARRAY_N(wrong); i++)
        assert_false(digest_is_sound(str_of(wrong[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_sums_come_out),
        cmocka_unit_test(the_sum_does_not_depend_on_the_cuts),
        cmocka_unit_test(only_a_full_lower_case_sha256_is_sound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
