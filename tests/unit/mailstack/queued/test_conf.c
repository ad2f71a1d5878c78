/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/queued/conf.h"

#include "tests/lib/test.h"

static int load(const char *text, struct conf *c, struct err *err)
{
    own_json json_t *doc = jv_load_str(str_of(text), "test", err);
    struct jv root = jv_root(doc);

    assert_non_null(doc);
    return conf_load(c, &root, err);
}

static void everything_is_taken(void **state)
{
    struct conf c;
    struct err err = {0};

    (void)state;
    assert_ok(
        load("{\"hostname\":\"mx.test\",\"spool\":\"/s\",\"domains\":[\"a.test\"],\"port\":2525,"
             "\"routes\":{\"b.test\":\"smtp://h.test:26\",\"c.test\":\"smtp://[2001:db8::1]:27/\","
             "\"*\":\"smtp://10.0.0.1\"},"
             "\"relay\":{\"host\":\"r.test\",\"port\":465,\"user\":\"u\",\"password\":\"p\"},"
             "\"retry\":{\"first_s\":1,\"max_s\":2,\"give_up_s\":3},"
             "\"limits\":{\"senders\":4,\"per_domain\":5},"
             "\"sockets\":{\"dns\":\"/d\",\"lmtp\":\"/l\"}}",
             &c, &err),
        &err);
    assert_int_equal(c.routes_n, 3);
    assert_string_equal(c.routes[0].host, "h.test");
    assert_int_equal(c.routes[0].port, 26);
    assert_string_equal(c.routes[1].host, "2001:db8::1");
    assert_int_equal(c.routes[1].port, 27);
    assert_string_equal(c.routes[2].domain, "*");
    assert_int_equal(c.routes[2].port, 25);
    assert_int_equal(c.relay.port, 465);
    assert_string_equal(c.password, "p");
    assert_true(c.port == 2525 && c.first_s == 1 && c.max_s == 2 && c.give_up_s == 3);
    assert_true(c.senders == 4 && c.per_domain == 5);
    assert_true(conf_is_ours(&c, STR("A.TEST")));
    assert_false(conf_is_ours(&c, STR("b.test")));
    conf_done(&c);
}

static void the_defaults_are_sound(void **state)
{
    struct conf c;
    struct err err = {0};

    (void)state;
    assert_ok(load("{\"hostname\":\"mx.test\",\"spool\":\"/s\",\"relay\":null}", &c, &err), &err);
    assert_true(c.port == 25 && c.first_s == 60 && c.max_s == 14400 && c.give_up_s == 432000);
    assert_true(c.senders == 8 && c.per_domain == 4 && !c.relay.host && !c.dns && !c.lmtp);
    conf_done(&c);
    assert_ok(
        load("{\"hostname\":\"mx.test\",\"spool\":\"/s\",\"retry\":{\"first_s\":0,\"max_s\":0,"
             "\"give_up_s\":0}}",
             &c, &err),
        &err);
    assert_true(c.first_s == 1 && c.max_s == 1 && c.give_up_s == 0);
    conf_done(&c);
}

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *text;
        const char *says;
    } bad[] = {
        {"{\"spool\":\"/s\"}", "hostname"},
        {"{\"hostname\":\"\",\"spool\":\"/s\"}", "hostname"},
        {"{\"hostname\":\"h\",\"spool\":\"/s\",\"x\":1}", "x"},
        {"{\"hostname\":\"h\",\"spool\":\"/s\",\"routes\":{\"a\":\"lmtp://b\"}}", "smtp://HOST"},
        {"{\"hostname\":\"h\",\"spool\":\"/s\",\"routes\":{\"a\":\"smtp://b:0\"}}", "port"},
        {"{\"hostname\":\"h\",\"spool\":\"/s\",\"routes\":{\"a\":\"smtp://\"}}", "no host"},
        {"{\"hostname\":\"h\",\"spool\":\"/s\",\"relay\":{\"host\":\"r\",\"user\":\"u\"}}",
         "belong together"},
        {"{\"hostname\":\"h\",\"spool\":\"/s\",\"retry\":{\"first_s\":9,\"max_s\":8}}", "max_s"},
        {"{\"hostname\":\"h\",\"spool\":\"/s\",\"limits\":{\"senders\":0}}", "senders"},
        {"{\"hostname\":\"h\",\"spool\":\"/s\",\"port\":65536}", "port"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        struct conf c;
        struct err err = {0};

        assert_int_equal(load(bad[i].text, &c, &err), -1);
        assert_err(&err, bad[i].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_taken),
        cmocka_unit_test(the_defaults_are_sound),
        cmocka_unit_test(what_is_wrong_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
