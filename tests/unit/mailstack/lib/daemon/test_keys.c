/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "runtime/base/err.h"
#include "runtime/base/own.h"

#include "mailstack/lib/daemon/keys.h"

#include "tests/lib/test.h"

#define NETS_MAX 2

static json_t *parse(const char *text)
{
    struct err err = {0};
    json_t *doc = jv_load_str(str_of(text), "conf", &err);

    assert_non_null(doc);
    return doc;
}

static void a_text_must_be_there_or_may_be_absent(void **state)
{
    own_json json_t *doc = parse("{\"a\": \"x\", \"b\": 5}");
    struct jv root = jv_root(doc);
    own_free char *a = NULL;
    own_free char *none = NULL;
    struct err err = {0};

    (void)state;
    assert_int_equal(keys_text(&root, "a", &a, &err), 0);
    assert_string_equal(a, "x");
    assert_int_equal(keys_text(&root, "absent", &none, &err), -1);
    assert_int_equal(keys_opt_text(&root, "absent", &none, &err), 0);
    assert_null(none);
    assert_int_equal(keys_opt_text(&root, "b", &none, &err), -1);
}

static void the_only_format_is_maildir(void **state)
{
    static const struct {
        const char *text;
        int rc;
    } cases[] = {{"{}", 0},
                 {"{\"format\": \"maildir\"}", 0},
                 {"{\"format\": \"mbox\"}", -1},
                 {"{\"format\": 1}", -1}};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        own_json json_t *doc = parse(cases[i].text);
        struct jv root = jv_root(doc);
        struct err err = {0};

        assert_int_equal(keys_format(&root, &err), cases[i].rc);
    }
}

static void networks_are_counted_and_limited(void **state)
{
    static const struct {
        const char *text;
        int rc;
        size_t n;
    } cases[] = {{"{}", 0, 0},
                 {"{\"plaintext_login\": [\"10.0.0.0/8\", \"::1\"]}", 0, 2},
                 {"{\"plaintext_login\": [\"10.0.0.0/8\", \"::1\", \"::2\"]}", -1, 0},
                 {"{\"plaintext_login\": [\"10.0.0.1/8\"]}", -1, 0},
                 {"{\"plaintext_login\": [7]}", -1, 0},
                 {"{\"plaintext_login\": \"::1\"}", -1, 0}};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        own_json json_t *doc = parse(cases[i].text);
        struct jv root = jv_root(doc);
        struct cidr nets[NETS_MAX];
        struct err err = {0};
        size_t n = 0;

        assert_int_equal(keys_networks(&root, nets, NETS_MAX, &n, &err), cases[i].rc);
        if (cases[i].rc == 0)
            assert_int_equal(n, cases[i].n);
        else
            assert_non_null(strchr(err.text, '$'));
    }
}

static void limits_keep_their_defaults_and_have_limits_themselves(void **state)
{
    static const struct {
        const char *text;
        int rc;
        struct keys_limits is;
    } cases[] = {
        {"{}", 0, {2, 2000, 50, 60}},
        {"{\"limits\": {\"connections\": 7}}", 0, {2, 7, 50, 60}},
        {"{\"limits\": {\"workers\": 3, \"connections_per_ip\": 4, \"login_s\": 0}}",
         0,
         {3, 2000, 4, 1}},
        {"{\"limits\": {\"login_s\": 101}}", -1, {0}},
        {"{\"limits\": {\"idle_s\": 5}}", -1, {0}},
        {"{\"limits\": {\"workers\": 65}}", -1, {0}},
        {"{\"limits\": {\"connections_per_ip\": 50001}}", -1, {0}},
        {"{\"limits\": 5}", -1, {0}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        own_json json_t *doc = parse(cases[i].text);
        struct jv root = jv_root(doc);
        struct keys_limits l = {2, 2000, 50, 60};
        struct err err = {0};

        assert_int_equal(keys_limits(&root, "login_s", 100, &l, &err), cases[i].rc);
        if (cases[i].rc < 0)
            continue;
        assert_int_equal(l.workers, cases[i].is.workers);
        assert_int_equal(l.connections, cases[i].is.connections);
        assert_int_equal(l.connections_per_ip, cases[i].is.connections_per_ip);
        assert_int_equal(l.seconds, cases[i].is.seconds);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_must_be_there_or_may_be_absent),
        cmocka_unit_test(the_only_format_is_maildir),
        cmocka_unit_test(networks_are_counted_and_limited),
        cmocka_unit_test(limits_keep_their_defaults_and_have_limits_themselves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
