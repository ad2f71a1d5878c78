/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/loop.h"

#include "mailstack/filterd/conf.h"
#include "mailstack/filterd/message.h"

#include "tests/lib/test.h"

#define GTUBE "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"

static size_t held;

struct judged {
    int n;
    enum message_action action;
    char why[256];
};

static void on_judged(struct message *m, void *ctx)
{
    struct judged *j = ctx;

    j->n++;
    j->action = m->action;
    (void)snprintf(j->why, sizeof(j->why), "%s", m->why ? m->why : "");
}

static const struct message_facts submitted = {.sender = STR_INIT("a@example.org"),
                                               .submitted = true};

static struct judged judge(const struct conf *c, const struct message_facts *facts,
                           const char *type, const char *body)
{
    struct message_env env = {.held_n = &held, .conf = c};
    struct message *m = message_new(&env, facts);
    struct judged j = {0};

    message_field(m, STR("From"), STR(" a@example.org"));
    message_field(m, STR("Content-Type"), str_of(type));
    message_header_end(m);
    message_body(m, str_of(body));
    message_end(m, on_judged, &j);
    message_free(m);
    return j;
}

static void content_decides_without_asking(void **state)
{
    static const struct conf junk = {.executables = CONF_EXECUTABLES_JUNK};
    static const struct conf reject = {.executables = CONF_EXECUTABLES_REJECT};
    static const struct conf accept = {.executables = CONF_EXECUTABLES_ACCEPT};

    static const struct {
        const struct conf *conf;
        const char *type;
        const char *body;
        enum message_action action;
    } rows[] = {
        {&junk, " text/plain", "x\r\n", MESSAGE_ACCEPT},
        {&junk, " text/plain", GTUBE, MESSAGE_REJECT},
        {&junk, " a/b; name=\n\ta.exe", GTUBE, MESSAGE_REJECT},
        {&junk, " a/b; name=\n\ta.exe", "x", MESSAGE_JUNK},
        {&reject, " a/b; name=a.exe", "x", MESSAGE_REJECT},
        {&accept, " a/b; name=a.exe", "x", MESSAGE_ACCEPT},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct judged j = judge(rows[i].conf, &submitted, rows[i].type, rows[i].body);

        assert_int_equal(j.n, 1);
        assert_int_equal(j.action, rows[i].action);
        assert_true((j.why[0] != '\0') == (j.action != MESSAGE_ACCEPT));
    }
}

static void a_header_is_kept_with_crlf_and_views_into_it(void **state)
{
    static const struct conf c = {0};
    struct message_env env = {.held_n = &held, .conf = &c};
    struct message *m = message_new(&env, &submitted);

    (void)state;
    for (int i = 0; i < 200; i++)
        message_field(m, STR("X"), STR(" y"));
    message_field(m, STR("From"), STR(" a\n <a@Example.ORG>\r\n (x)"));
    message_field(m, STR("Empty"), STR(""));
    message_header_end(m);
    assert_int_equal(m->fields_n, 202);
    assert_str(m->fields[0].raw, "X: y\r\n");
    assert_str(m->fields[200].raw, "From: a\r\n <a@Example.ORG>\r\n (x)\r\n");
    assert_str(m->fields[200].name, "From");
    assert_str(m->fields[200].value, " a\r\n <a@Example.ORG>\r\n (x)");
    assert_str(m->fields[201].value, "");
    assert_str(m->from, "Example.ORG");
    assert_false(m->several_froms);
    message_free(m);
}

static void several_authors_domains_are_noticed(void **state)
{
    static const struct conf c = {0};

    static const struct {
        const char *first;
        const char *second; /* NULL: no second field */
        bool several;
    } rows[] = {
        {" a@x.org, b@X.org", NULL, false},
        {" a@x.org, b@y.org", NULL, true},
        {" a@x.org", " a@x.org", true},
        {" group: a@x.org, b@y.org;", NULL, true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct message_env env = {.held_n = &held, .conf = &c};
        struct message *m = message_new(&env, &submitted);

        message_field(m, STR("From"), str_of(rows[i].first));
        if (rows[i].second)
            message_field(m, STR("from"), str_of(rows[i].second));
        message_header_end(m);
        assert_int_equal(m->several_froms, rows[i].several);
        message_free(m);
    }
}

static void too_much_header_is_refused(void **state)
{
    static const struct conf c = {0};
    struct message_env env = {.held_n = &held, .conf = &c};
    struct judged j = {0};

    (void)state;
    for (int by_bytes = 0; by_bytes < 2; by_bytes++) {
        struct message *m = message_new(&env, &submitted);
        char big[40000];

        memset(big, 'x', sizeof(big));
        for (int i = 0; i < MESSAGE_FIELDS_MAX + 1; i++)
            message_field(m, STR("X"), by_bytes ? (struct str){big, sizeof(big)} : STR(" y"));
        message_header_end(m);
        message_body(m, STR(GTUBE));
        message_end(m, on_judged, &j);
        assert_int_equal(j.action, MESSAGE_REJECT);
        assert_non_null(strstr(j.why, "too large"));
        message_free(m);
    }
    assert_int_equal(j.n, 2);
}

static void what_a_worker_holds_is_limited(void **state)
{
    static const struct conf c = {0};
    struct message_env env = {.held_n = &held, .conf = &c};
    struct message *m = message_new(&env, &submitted);
    struct judged j = {0};

    (void)state;
    assert_int_equal(held, 0);
    held = MESSAGE_HELD_MAX - 10;
    message_field(m, STR("X"), STR(" a longer field"));
    message_header_end(m);
    message_body(m, STR("x"));
    message_end(m, on_judged, &j);
    assert_int_equal(j.action, MESSAGE_REJECT);
    assert_int_equal(m->code, 452);
    message_free(m);
    assert_int_equal(held, MESSAGE_HELD_MAX - 10);
    held = 0;
}

static void without_dnsd_the_verdict_comes_from_the_loop(void **state)
{
    static const struct conf c = {.spf = true, .dkim = true, .dmarc = true};
    static const unsigned char addr[4] = {192, 0, 2, 1};
    static const struct message_facts facts = {
        .sender = STR_INIT("a@example.org"), .addr = addr, .addr_n = 4};
    struct err err = {0};
    struct loop *loop = loop_new(&err);
    struct message_env env = {
        .held_n = &held, .conf = &c, .dns = dns_client_new(loop, "/nonexistent/dnsd.sock")};
    struct message *m = message_new(&env, &facts);
    struct judged j = {0};

    (void)state;
    message_field(m, STR("From"), STR(" a@example.org"));
    message_header_end(m);
    message_end(m, on_judged, &j);
    assert_int_equal(j.n, 0);
    for (int i = 0; i < 5 && j.n == 0; i++)
        assert_ok(loop_turn(loop, 0, &err), &err);
    assert_int_equal(j.n, 1);
    assert_int_equal(m->spf.result, SPF_TEMPERROR);
    assert_int_equal(m->dmarc.result, DMARC_TEMPERROR);
    assert_int_equal(j.action, MESSAGE_ACCEPT);
    message_free(m);
    m = message_new(&env, &facts); /* and one that is given up while it waits */
    message_field(m, STR("From"), STR(" a@example.org"));
    message_header_end(m);
    message_end(m, on_judged, &j);
    message_free(m);
    assert_ok(loop_turn(loop, 0, &err), &err);
    assert_int_equal(j.n, 1);
    dns_client_free(env.dns);
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_decides_without_asking),
        cmocka_unit_test(a_header_is_kept_with_crlf_and_views_into_it),
        cmocka_unit_test(several_authors_domains_are_noticed),
        cmocka_unit_test(too_much_header_is_refused),
        cmocka_unit_test(what_a_worker_holds_is_limited),
        cmocka_unit_test(without_dnsd_the_verdict_comes_from_the_loop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
