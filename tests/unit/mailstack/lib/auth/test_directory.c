/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/jv.h"
#include "runtime/base/own.h"

#include "mailstack/lib/auth/directory.h"

#include "tests/lib/test.h"

static const char conf_text[] =
    "{\"quota\": \"1G\", \"domains\": {"
    "  \"Example.org\": {\"aliases\": {\"Sales\": [\"alice\", \"bob\", \"x@else.example\", \"sales2\"],"
    "     \"sales2\": [\"sales\", \"bob\"], \"gone\": [\"nobody\"], \"half\": [\"nobody\", \"bob\"],"
    "     \"loop\": [\"loop\"], \"a+b\": [\"bob\"], \"dev\": [\"team@example.org\"]}},"
    "  \"catch.example\": {\"catch_all\": \"alice@example.org\"},"
    "  \"void.example\": {\"catch_all\": \"nobody\"}},"
    " \"lists\": {\"team@example.org\": {\"members\": [\"alice@example.org\", \"eve@else.example\"],"
    "   \"post\": \"members\"}, \"all@example.org\": {\"members\": [\"bob@example.org\"]}}}";

static const char accounts_text[] =
    "{\"alice@example.org\": {\"password\": \"!\", \"aliases\": [\"al@example.org\"]},"
    " \"bob@example.org\": {\"password\": \"!\", \"quota\": 5}}";

struct world {
    json_t *conf;
    json_t *accounts;
    struct arena *a;
    struct directory d;
};

static int load(struct world *w, const char *conf, const char *accounts, struct err *err)
{
    struct jv c;
    struct jv acc;

    w->a = arena_new(16u << 20);
    w->conf = jv_load_str(str_of(conf), "conf", err);
    w->accounts = jv_load_str(str_of(accounts), "accounts", err);
    assert_non_null(w->conf);
    assert_non_null(w->accounts);
    c = jv_root(w->conf);
    acc = jv_root(w->accounts);
    return directory_load(&c, &acc, w->a, &w->d, err);
}

static void done(struct world *w)
{
    arena_free(w->a);
    json_decref(w->conf);
    json_decref(w->accounts);
}

static int set_up(void **state)
{
    static struct world w;
    struct err err = {0};

    assert_ok(load(&w, conf_text, accounts_text, &err), &err);
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    done(*state);
    return 0;
}

/* "L:alice@example.org R:x@else.example", or the verdict. */
static void show(const struct auth_resolve_answer *got, struct buf *to)
{
    static const char *const verdicts[] = {"yes", "no", "temp"};

    if (got->verdict != AUTH_YES) {
        buf_append_c(to, verdicts[got->verdict]);
        assert_true(got->reason.n > 0);
        return;
    }
    for (size_t i = 0; i < got->targets_n; i++)
        buf_printf(to, "%s%s%.*s", i ? " " : "",
                   got->targets[i].local ? "L:" : "R:", STR_ARG(got->targets[i].address));
}

static void addresses_lead_where_they_should(void **state)
{
    static const struct {
        const char *rcpt;
        const char *targets;
    } cases[] = {
        {"alice@example.org", "L:alice@example.org"},
        {"ALICE@EXAMPLE.ORG", "L:alice@example.org"},
        {"al@example.org", "L:alice@example.org"},
        {"alice+news@example.org", "L:alice+news@example.org"},
        {"al+news+x@example.org", "L:alice+news+x@example.org"},
        {"alice+@example.org", "L:alice@example.org"},
        {"+alice@example.org", "no"},
        {"a+b@example.org", "L:bob@example.org"}, /* the whole is looked up first */
        {"sales@example.org", "L:alice@example.org L:bob@example.org R:x@else.example"},
        {"sales+x@example.org", "L:alice@example.org L:bob@example.org R:x@else.example"},
        {"half@example.org", "L:bob@example.org"},
        {"gone@example.org", "no"},
        {"loop@example.org", "no"},
        {"nobody@example.org", "no"},
        {"any@catch.example", "L:alice@example.org"},
        {"any@void.example", "no"},
        {"any@else.example", "R:any@else.example"},
        {"all@example.org", "L:bob@example.org"},
        {"not-an-address", "no"},
        {"", "no"},
        {"a b@example.org", "no"},
    };
    const struct world *w = *state;

    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        own_buf struct buf b = BUF_INIT(4096);
        struct arena *a = arena_new(1u << 20);
        struct auth_resolve_answer got;

        directory_resolve(&w->d, str_of(cases[i].rcpt), STR("s@else.example"), a, &got);
        show(&got, &b);
        assert_str(buf_str(&b), cases[i].targets);
        arena_free(a);
    }
}

static void only_members_post_to_a_closed_list(void **state)
{
    const struct world *w = *state;
    struct arena *a = arena_new(1u << 20);
    struct auth_resolve_answer got;

    directory_resolve(&w->d, STR("team@example.org"), STR("s@else.example"), a, &got);
    assert_int_equal(got.verdict, AUTH_NO);
    directory_resolve(&w->d, STR("TEAM@example.org"), STR("s@else.example"), a, &got);
    assert_int_equal(got.verdict, AUTH_NO);
    directory_resolve(&w->d, STR("team@example.org"), STR("Eve@Else.example"), a, &got);
    assert_int_equal(got.verdict, AUTH_YES);
    assert_int_equal(got.targets_n, 2);
    directory_resolve(&w->d, STR("team@example.org"), STR(""), a, &got);
    assert_int_equal(got.verdict, AUTH_NO);
    arena_free(a);
}

static void owners_post_where_others_may_not(void **state)
{
    static const struct {
        const char *list;
        const char *sender;
        enum auth_verdict verdict;
    } cases[] = {
        {"news@x", "boss@x", AUTH_YES}, {"news@x", "m@x", AUTH_NO},  {"news@x", "", AUTH_NO},
        {"team@x", "boss@x", AUTH_YES}, {"team@x", "m@x", AUTH_YES}, {"team@x", "s@y", AUTH_NO},
    };
    struct world w;
    struct err err = {0};

    (void)state;
    assert_ok(
        load(
            &w,
            "{\"domains\": {\"x\": {}}, \"lists\": {"
            "\"news@x\": {\"members\": [\"m@x\"], \"owners\": [\"boss@x\"], \"post\": \"owners\"},"
            "\"team@x\": {\"members\": [\"m@x\"], \"owners\": [\"boss@x\"], \"post\": \"members\"}}}",
            "{\"m@x\": {\"password\": \"!\"}, \"boss@x\": {\"password\": \"!\"}}", &err),
        &err);
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct auth_resolve_answer got;

        directory_resolve(&w.d, str_of(cases[i].list), str_of(cases[i].sender), w.a, &got);
        assert_int_equal(got.verdict, cases[i].verdict);
    }
    done(&w);
}

/* lmtpd is told the folder in one way, whatever stands in the address. */
static void a_detail_comes_behind_a_plus(void **state)
{
    struct world w;
    struct err err = {0};
    struct auth_resolve_answer got;

    (void)state;
    assert_ok(load(&w, "{\"domains\": {\"x\": {}}, \"subaddress\": \"-\"}",
                   "{\"alice@x\": {\"password\": \"!\"}, \"mary-ann@x\": {\"password\": \"!\"}}",
                   &err),
              &err);
    directory_resolve(&w.d, STR("alice-news@x"), STR(""), w.a, &got);
    assert_str(got.targets[0].address, "alice+news@x");
    assert_true(directory_may_send(&w.d, STR("alice@x"), STR("alice-news@x"), w.a));
    directory_resolve(&w.d, STR("mary-ann@x"), STR(""), w.a, &got);
    assert_str(got.targets[0].address, "mary-ann@x");
    assert_false(directory_may_send(&w.d, STR("mary@x"), STR("mary-ann@x"), w.a));
    done(&w);
}

/* No way around by an alias, a detail or a catch-all that leads to the list. */
static void a_closed_list_is_closed_from_every_side(void **state)
{
    static const char *const ways[] = {"team+x@example.org", "dev@example.org",
                                       "dev+x@example.org"};
    const struct world *w = *state;

    for (size_t i = 0; i < ARRAY_N(ways); i++) {
        struct arena *a = arena_new(1u << 20);
        struct auth_resolve_answer got;

        directory_resolve(&w->d, str_of(ways[i]), STR("stranger@else.example"), a, &got);
        assert_int_equal(got.verdict, AUTH_NO);
        directory_resolve(&w->d, str_of(ways[i]), STR("alice@example.org"), a, &got);
        assert_int_equal(got.verdict, AUTH_YES);
        arena_free(a);
    }
}

static void quotas_come_from_the_account_or_the_default(void **state)
{
    const struct world *w = *state;
    struct arena *a = arena_new(1u << 20);
    struct auth_resolve_answer got;

    directory_resolve(&w->d, STR("sales@example.org"), STR(""), a, &got);
    assert_int_equal(got.targets_n, 3);
    assert_true(got.targets[0].quota == UINT64_C(1) << 30);
    assert_int_equal(got.targets[1].quota, 5);
    assert_int_equal(got.targets[2].quota, 0);
    arena_free(a);
}

static void postmaster_needs_no_domain(void **state)
{
    struct world w;
    struct err err = {0};
    struct arena *a = arena_new(1u << 20);
    struct auth_resolve_answer got;

    (void)state;
    assert_ok(
        load(&w,
             "{\"domains\": {\"b.example\": {\"aliases\": {\"postmaster\": [\"x@b.example\"]}},"
             " \"a.example\": {}}}",
             "{\"x@b.example\": {\"password\": \"!\"}}", &err),
        &err);
    directory_resolve(&w.d, STR("PostMaster"), STR(""), a, &got);
    assert_int_equal(got.verdict, AUTH_YES);
    assert_str(got.targets[0].address, "x@b.example");
    assert_true(directory_is_local(&w.d, STR("a.example")));
    assert_false(directory_is_local(&w.d, STR("c.example")));
    arena_free(a);
    done(&w);
}

static void a_user_sends_only_as_what_reaches_it(void **state)
{
    static const struct {
        const char *user;
        const char *address;
        bool may;
    } cases[] = {
        {"alice@example.org", "alice@example.org", true},
        {"alice@example.org", "AL@example.org", true},
        {"alice@example.org", "alice+x@example.org", true},
        {"alice@example.org", "sales@example.org", true},
        {"alice@example.org", "any@catch.example", true},
        {"alice@example.org", "bob@example.org", false},
        {"alice@example.org", "alice@else.example", false},
        {"alice@example.org", "x@else.example", false},   /* behind an alias of hers */
        {"alice@example.org", "team@example.org", false}, /* a list is nobody's */
        {"alice@example.org", "nobody@example.org", false},
        {"alice@example.org", "", false},
        {"bob@example.org", "al@example.org", false},
        {"x@else.example", "sales@example.org", false},
    };
    const struct world *w = *state;

    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct arena *a = arena_new(1u << 20);

        assert_int_equal(
            directory_may_send(&w->d, str_of(cases[i].user), str_of(cases[i].address), a),
            cases[i].may);
        arena_free(a);
    }
}

static void logins_are_accounts_and_their_aliases(void **state)
{
    const struct world *w = *state;
    struct arena *a = arena_new(65536);

    assert_non_null(directory_login(&w->d, STR("Alice@example.org"), a));
    assert_ptr_equal(directory_login(&w->d, STR("al@example.org"), a),
                     directory_login(&w->d, STR("alice@example.org"), a));
    assert_null(directory_login(&w->d, STR("sales@example.org"), a));
    assert_null(directory_login(&w->d, STR("alice+x@example.org"), a));
    assert_null(directory_login(&w->d, STR("any@catch.example"), a));
    assert_null(directory_login(&w->d, STR("alice"), a));
    arena_free(a);
}

/* n aliases, each leading to the next, the last to an account. */
static void chain(struct buf *b, int n)
{
    buf_append(b, STR("{\"domains\": {\"x\": {\"aliases\": {"));
    for (int i = 0; i < n; i++)
        buf_printf(b, "%s\"a%d\": [\"a%d\"]", i ? "," : "", i, i + 1);
    buf_append(b, STR("}}}}"));
}

static void chains_of_aliases_have_a_depth(void **state)
{
    static const struct {
        int n;
        enum auth_verdict verdict;
    } cases[] = {{DIRECTORY_DEPTH_MAX, AUTH_YES}, {DIRECTORY_DEPTH_MAX + 1, AUTH_TEMP}};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        own_buf struct buf conf = BUF_INIT(65536);
        own_buf struct buf accounts = BUF_INIT(256);
        struct world w;
        struct err err = {0};
        struct auth_resolve_answer got;

        chain(&conf, cases[i].n);
        buf_printf(&accounts, "{\"a%d@x\": {\"password\": \"!\"}}", cases[i].n);
        assert_ok(load(&w, buf_c(&conf), buf_c(&accounts), &err), &err);
        directory_resolve(&w.d, STR("a0@x"), STR(""), w.a, &got);
        assert_int_equal(got.verdict, cases[i].verdict);
        done(&w);
    }
}

static void an_address_leads_to_so_many_at_most(void **state)
{
    (void)state;
    for (int n = AUTH_TARGETS_MAX; n <= AUTH_TARGETS_MAX + 1; n++) {
        own_buf struct buf conf = BUF_INIT(1u << 20);
        struct world w;
        struct err err = {0};
        struct auth_resolve_answer got;

        buf_append(&conf, STR("{\"domains\": {\"x\": {\"aliases\": {\"all\": ["));
        for (int i = 0; i < n; i++)
            buf_printf(&conf, "%s\"r%d@y\"", i ? "," : "", i);
        buf_append(&conf, STR("]}}}}"));
        assert_ok(load(&w, buf_c(&conf), "{}", &err), &err);
        directory_resolve(&w.d, STR("all@x"), STR(""), w.a, &got);
        assert_int_equal(got.verdict, n <= AUTH_TARGETS_MAX ? AUTH_YES : AUTH_TEMP);
        assert_int_equal(got.targets_n, n <= AUTH_TARGETS_MAX ? (size_t)n : 0);
        done(&w);
    }
}

static void a_wrong_configuration_is_refused_with_its_path(void **state)
{
    static const struct {
        const char *conf;
        const char *part;
    } bad[] = {
        {"{}", "domains"},
        {"{\"domains\": {\"x\": {\"alias\": {}}}}", "$.domains.x"},
        {"{\"domains\": {\"x\": {\"aliases\": {\"a\": \"b\"}}}}", "$.domains.x.aliases.a"},
        {"{\"domains\": {\"x\": {\"aliases\": {\"a\": [\"b c\"]}}}}", "$.domains.x.aliases.a[0]"},
        {"{\"domains\": {\"x\": {\"catch_all\": 1}}}", "$.domains.x.catch_all"},
        {"{\"domains\": {}, \"subaddress\": \"++\"}", "$.subaddress"},
        {"{\"domains\": {}, \"lists\": {\"l\": {\"members\": []}}}", "$.lists.l"},
        {"{\"domains\": {}, \"lists\": {\"l@x\": {\"members\": [\"a\"]}}}", "$.lists"},
        {"{\"domains\": {}, \"lists\": {\"l@x\": {\"members\": [], \"post\": \"me\"}}}", "post"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        struct world w;
        struct err err = {0};

        assert_int_equal(load(&w, bad[i].conf, "{}", &err), -1);
        assert_err(&err, bad[i].part);
        done(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(addresses_lead_where_they_should, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_members_post_to_a_closed_list, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_closed_list_is_closed_from_every_side, set_up, tear_down),
        cmocka_unit_test_setup_teardown(quotas_come_from_the_account_or_the_default, set_up,
                                        tear_down),
        cmocka_unit_test(owners_post_where_others_may_not),
        cmocka_unit_test(a_detail_comes_behind_a_plus),
        cmocka_unit_test(postmaster_needs_no_domain),
        cmocka_unit_test_setup_teardown(a_user_sends_only_as_what_reaches_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(logins_are_accounts_and_their_aliases, set_up, tear_down),
        cmocka_unit_test(chains_of_aliases_have_a_depth),
        cmocka_unit_test(an_address_leads_to_so_many_at_most),
        cmocka_unit_test(a_wrong_configuration_is_refused_with_its_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
