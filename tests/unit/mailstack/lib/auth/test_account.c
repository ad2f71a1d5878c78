/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/jv.h"
#include "runtime/base/own.h"

#include "mailstack/lib/auth/account.h"

#include "tests/lib/test.h"

struct loaded {
    json_t *doc;
    struct arena *a;
    struct accounts all;
};

static int load(struct loaded *l, struct str text, struct err *err)
{
    struct jv root;

    l->a = arena_new(8u << 20);
    l->doc = jv_load_str(text, "accounts", err);
    assert_non_null(l->doc);
    root = jv_root(l->doc);
    return account_load(&root, l->a, &l->all, err);
}

static void done(struct loaded *l)
{
    arena_free(l->a);
    json_decref(l->doc);
}

static void accounts_are_found_by_address_and_alias(void **state)
{
    struct loaded l;
    struct err err = {0};
    const struct account *one;

    (void)state;
    assert_ok(
        load(
            &l,
            STR("{\"Alice@Example.org\": {\"password\": \"$y$x\", \"quota\": \"2G\","
                " \"aliases\": [\"AL@example.org\"]}, \"bob@example.org\": {\"password\": \"!\"}}"),
            &err),
        &err);
    one = account_find(&l.all, STR("alice@example.org"));
    assert_non_null(one);
    assert_str(one->address, "alice@example.org");
    assert_string_equal(one->password, "$y$x");
    assert_true(one->quota == UINT64_C(2) << 30);
    assert_ptr_equal(account_by_alias(&l.all, STR("al@example.org")), one);
    assert_null(account_find(&l.all, STR("al@example.org")));
    assert_null(account_by_alias(&l.all, STR("alice@example.org")));
    assert_int_equal(account_find(&l.all, STR("bob@example.org"))->quota, 0);
    done(&l);
}

static void what_is_wrong_is_named_by_its_path(void **state)
{
    static const struct {
        const char *text;
        const char *part;
    } bad[] = {
        {"[]", "$"},
        {"{\"alice\": {\"password\": \"x\"}}", "alice"},
        {"{\"a@x\": {}}", "password"},
        {"{\"a@x\": {\"password\": 3}}", "password"},
        {"{\"a@x\": {\"password\": \"x\", \"pasword\": \"y\"}}", "pasword"},
        {"{\"a@x\": {\"password\": \"x\", \"quota\": -1}}", "quota"},
        {"{\"a@x\": {\"password\": \"x\", \"quota\": \"2X\"}}", "quota"},
        {"{\"a@x\": {\"password\": \"x\", \"aliases\": [\"b\"]}}", "aliases[0]"},
        {"{\"a@x\": {\"password\": \"x\", \"aliases\": [7]}}", "aliases[0]"},
        {"{\"a@x\": {\"password\": \"x\"}, \"A@X\": {\"password\": \"x\"}}", "twice"},
        {"{\"a@x\": {\"password\": \"x\", \"aliases\": [\"A@x\"]}}", "more than one"},
        {"{\"a@x\": {\"password\": \"x\", \"aliases\": [\"c@x\", \"C@x\"]}}", "more than one"},
        {"{\"a@x\": {\"password\": \"x\", \"aliases\": [\"b@x\"]}, \"b@x\": {\"password\": \"x\"}}",
         "more than one"},
        {"{\"a b@x\": {\"password\": \"x\"}}", "a b@x"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        struct loaded l;
        struct err err = {0};

        assert_int_equal(load(&l, str_of(bad[i].text), &err), -1);
        assert_err(&err, "$");
        assert_err(&err, bad[i].part);
        done(&l);
    }
}

static void the_number_of_aliases_has_a_limit(void **state)
{
    for (int n = ACCOUNT_ALIASES_MAX; n <= ACCOUNT_ALIASES_MAX + 1; n++) {
        own_buf struct buf b = BUF_INIT(1 << 20);
        struct loaded l;
        struct err err = {0};

        (void)state;
        buf_append(&b, STR("{\"a@x\": {\"password\": \"x\", \"aliases\": ["));
        for (int i = 0; i < n; i++)
            buf_printf(&b, "%s\"n%d@x\"", i ? "," : "", i);
        buf_append(&b, STR("]}}"));
        assert_int_equal(load(&l, buf_str(&b), &err), n <= ACCOUNT_ALIASES_MAX ? 0 : -1);
        done(&l);
    }
}

static void addresses_have_one_form(void **state)
{
    static const struct {
        struct str in;
        const char *out; /* NULL: refused */
    } cases[] = {
        {STR_INIT("Al.Ice+X@EXAMPLE.org"), "al.ice+x@example.org"},
        {STR_INIT("a@b@c"), "a@b@c"}, /* the last '@' divides */
        {STR_INIT("\xc3\x9c@x"), "\xc3\x9c@x"},
        {STR_INIT(""), NULL},
        {STR_INIT("@"), NULL},
        {STR_INIT("a@"), NULL},
        {STR_INIT("@b"), NULL},
        {STR_INIT("a b@c"), NULL},
        {STR_INIT("a\0@c"), NULL},
        {STR_INIT("a\t@c"), NULL},
        {STR_INIT("a@c\r\n"), NULL},
        {STR_INIT("a@c\x7f"), NULL},
        {STR_INIT("\xff@c"), NULL},
    };
    struct arena *a = arena_new(65536);

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct err err = {0};
        struct str out = STR_NONE;

        assert_int_equal(account_canonical(cases[i].in, a, &out, &err), cases[i].out ? 0 : -1);
        if (cases[i].out)
            assert_str(out, cases[i].out);
    }
    arena_free(a);
}

static void an_address_has_a_limit(void **state)
{
    char text[ACCOUNT_ADDRESS_MAX + 1];
    struct arena *a = arena_new(65536);
    struct err err = {0};
    struct str out;

    (void)state;
    memset(text, 'a', sizeof(text));
    text[10] = '@';
    assert_ok(account_canonical((struct str){text, ACCOUNT_ADDRESS_MAX}, a, &out, &err), &err);
    assert_int_equal(account_canonical((struct str){text, sizeof(text)}, a, &out, &err), -1);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accounts_are_found_by_address_and_alias),
        cmocka_unit_test(what_is_wrong_is_named_by_its_path),
        cmocka_unit_test(the_number_of_aliases_has_a_limit),
        cmocka_unit_test(addresses_have_one_form),
        cmocka_unit_test(an_address_has_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
