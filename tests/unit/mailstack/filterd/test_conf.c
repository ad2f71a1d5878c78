/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/filterd/conf.h"

#include "tests/lib/test.h"

static int load(const char *text, struct conf *c, struct err *err)
{
    own_json json_t *doc = jv_load_str(str_of(text), "conf", err);

    assert_non_null(doc);
    struct jv root = jv_root(doc);

    return conf_load(c, &root, err);
}

static void defaults_are_the_safe_ones(void **state)
{
    struct err err = {0};
    struct conf c;

    (void)state;
    assert_ok(load("{\"hostname\": \"h\", \"sockets\": {\"dns\": \"/d\"}}", &c, &err), &err);
    assert_true(c.spf && c.dkim && c.dmarc);
    assert_int_equal(c.executables, CONF_EXECUTABLES_JUNK);
    assert_int_equal(c.workers, 2);
    assert_string_equal(c.dns, "/d");
    assert_null(c.state);
    conf_done(&c);
    assert_ok(
        load(
            "{\"hostname\": \"h\", \"spf\": false, \"dkim\": false, \"dmarc\": false, \"executables\": \"accept\"}",
            &c, &err),
        &err);
    assert_null(c.dns);
    assert_int_equal(c.executables, CONF_EXECUTABLES_ACCEPT);
    conf_done(&c);
    conf_done(&c);
}

static void errors_name_their_place(void **state)
{
    static const struct {
        const char *text;
        const char *where;
    } rows[] = {
        {"{}", "hostname"},
        {"{\"hostname\": \"h\"}", "sockets"},
        {"{\"hostname\": \"h\", \"spv\": true}", "spv"},
        {"{\"hostname\": \"h\", \"executables\": \"x\"}", "$.executables"},
        {"{\"hostname\": \"h\", \"state\": \"x\"}", "$.state"},
        {"{\"hostname\": \"h\", \"limits\": {\"workers\": 65}}", "$.limits.workers"},
        {"{\"hostname\": \"h\", \"sign\": [{}]}", "$.sign[0].domain"},
        {"{\"hostname\": \"h\", \"domains\": [\"a.org\"], \"sign\": [{\"domain\": \"b.org\"}]}",
         "$.sign[0].domain"},
        {"{\"hostname\": \"h\", \"domains\": [\"a.org\"], \"sign\": [{\"domain\": \"a.org\", \"selector\": \"s\", \"algorithm\": \"x\"}]}",
         "$.sign[0].algorithm"},
        {"{\"hostname\": \"h\", \"domains\": [\"a.org\"], \"sign\": [{\"domain\": \"a.org\", \"selector\": \"s s\", \"algorithm\": \"ed25519\"}]}",
         "$.sign[0]"},
        {"{\"hostname\": \"h\", \"domains\": [\"a.org\"], \"sign\": [{\"domain\": \"a.org\", \"selector\": \"s\", \"algorithm\": \"ed25519\", "
         "\"key\": \"/nonexistent/k.pem\"}]}",
         "/nonexistent/k.pem"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct err err = {0};
        struct conf c;

        assert_int_equal(load(rows[i].text, &c, &err), -1);
        assert_err(&err, rows[i].where);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_the_safe_ones),
        cmocka_unit_test(errors_name_their_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
