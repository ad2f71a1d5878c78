/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/address.h"

#include "tests/lib/test.h"

/* One line a list: "name|route|local|domain", "{name" and "}" for groups, ";" between. */
static void describe(const struct address_list *l, struct buf *out)
{
    for (size_t i = 0; i < l->n; i++) {
        const struct address *a = &l->at[i];

        if (i)
            buf_append_char(out, ';');
        switch (a->kind) {
        case ADDRESS_GROUP:
            buf_printf(out, "{%.*s", STR_ARG(a->name));
            break;
        case ADDRESS_GROUP_END:
            buf_append_char(out, '}');
            break;
        case ADDRESS_MAILBOX:
            buf_printf(out, "%.*s|%.*s|%.*s|%.*s", STR_ARG(a->name), STR_ARG(a->route),
                       STR_ARG(a->local), STR_ARG(a->domain));
            break;
        }
    }
}

static const struct {
    const char *in;
    const char *out;
    bool flawed;
} cases[] = {
    {"", "", false},
    {"a@b", "||a|b", false},
    {" John Doe <jdoe@machine.example>\r\n", "John Doe||jdoe|machine.example", false},
    {"\"Joe \\\"Q\\\" Public\" <\"john q\"@example.com>", "Joe \"Q\" Public||john q|example.com",
     false},
    {"Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>",
     "Mary Smith||mary|x.test;||jdoe|example.org;Who?||one|y.test", false},
    {"A Group:Ed Jones <joe@a.test>,joe@where.test,John <jdoe@one.test>;",
     "{A Group;Ed Jones||joe|a.test;||joe|where.test;John||jdoe|one.test;}", false},
    {"Undisclosed recipients:;", "{Undisclosed recipients;}", false},
    {"Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", "Pete||pete|silly.test",
     false},
    {"joe@x.test (Joe (the) Doe)", "Joe (the) Doe||joe|x.test", false},
    {"Joe Q. Public <john . q . public @ example . com>",
     "Joe Q. Public||john.q.public|example.com", false},
    {"Mary <@node.test,@b.test:mary@example.net>, , jdoe@test  . example",
     "Mary|@node.test,@b.test|mary|example.net;||jdoe|test.example", false},
    {"a@[192.0.2.1], b@[IPv6:::1]", "||a|[192.0.2.1];||b|[IPv6:::1]", false},
    {"J\xc3\xbcrgen <j\xc3\xbc@\xc3\xbc.example>", "J\xc3\xbcrgen||j\xc3\xbc|\xc3\xbc.example",
     false},
    {"=?utf-8?Q?J=C3=BCrgen?= <j@x>", "=?utf-8?Q?J=C3=BCrgen?=||j|x", false},
    {"root", "||root|", false},
    {"<>", "|||", false},
    {"two words", "two words|||", true},
    {"a@b@c, d@e", "||a|b;||d|e", true},
    {"a b@c", "||ab|c", true},
    {"<a@b", "||a|b", true},
    {"<a@b, c@d", "||a|b;||c|d", true},
    {"group: a@b, c@d", "{group;||a|b;||c|d;}", true},
    {"\"unended <a@b>", "||unended <a@b>|", false},
    {"a@b (unended", "unended||a|b", false},
    {";,;", "", true},
    {">, a@b", "||a|b", true},
    {"x <y> z@w, a@b", "x||y|;||a|b", true},
};

static void lists_of_all_kinds_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct arena *a = arena_new(1 << 20);
        struct address_list l = {0};
        struct err err = {0};
        own_buf struct buf out = BUF_INIT(10000);

        assert_ok(address_parse_list(str_of(cases[i].in), a, &l, &err), &err);
        describe(&l, &out);
        assert_str(buf_str(&out), cases[i].out);
        if (l.flawed != cases[i].flawed)
            print_error("flawed: %s\n", cases[i].in);
        assert_int_equal(l.flawed, cases[i].flawed);
        arena_free(a);
    }
}

static void what_is_written_is_read_again(void **state)
{
    static const struct address addresses[] = {
        {ADDRESS_MAILBOX,
         STR_INIT("Joe \"Q\" \\ Public"),
         {NULL, 0},
         STR_INIT("john q"),
         STR_INIT("x.test")},
        {ADDRESS_MAILBOX, {NULL, 0}, {NULL, 0}, STR_INIT(".dot"), STR_INIT("x.test")},
        {ADDRESS_MAILBOX, {NULL, 0}, {NULL, 0}, STR_INIT(""), STR_INIT("x.test")},
        {ADDRESS_MAILBOX, {NULL, 0}, {NULL, 0}, STR_INIT("a.b"), STR_INIT("[192.0.2.1]")},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(addresses); i++) {
        struct arena *a = arena_new(1 << 20);
        struct address_list l = {0};
        struct err err = {0};
        own_buf struct buf out = BUF_INIT(1000);

        address_format(&out, &addresses[i]);
        assert_ok(address_parse_list(buf_str(&out), a, &l, &err), &err);
        assert_int_equal(l.n, 1);
        assert_false(l.flawed);
        assert_true(str_eq(l.at[0].local, addresses[i].local));
        assert_true(str_eq(l.at[0].domain, addresses[i].domain));
        assert_true(str_eq(l.at[0].name, addresses[i].name));
        arena_free(a);
    }
}

static void limits_hold(void **state)
{
    struct arena *a = arena_new(8 << 20);
    struct arena *small = arena_new(4096);
    struct address_list l = {0};
    struct err err = {0};
    own_buf struct buf in = BUF_INIT(1 << 20);

    (void)state;
    for (int i = 0; i < ADDRESS_MAX + 5; i++)
        buf_append_c(&in, "a@b,");
    assert_ok(address_parse_list(buf_str(&in), a, &l, &err), &err);
    assert_int_equal(l.n, ADDRESS_MAX);
    assert_true(l.flawed);
    assert_int_equal(address_parse_list(buf_str(&in), small, &l, &err), -1);
    assert_err(&err, "arena");
    arena_free(a);
    arena_free(small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_of_all_kinds_are_read),
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(limits_hold),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
