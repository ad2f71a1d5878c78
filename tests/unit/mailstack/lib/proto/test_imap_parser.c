/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/lib/proto/imap_parser.h"

#include "tests/lib/test.h"

#define ARENA_MAX (16u << 20)

static int set_up(void **state)
{
    *state = arena_new(ARENA_MAX);
    return 0;
}

static int tear_down(void **state)
{
    arena_free(*state);
    return 0;
}

/* --- where a command ends --------------------------------------------------------------------- */

/* Feeds `in` byte by byte; how it ended, and where. Literals are counted. */
static enum imap_scan_result scan_slowly(struct str in, size_t *at, unsigned *literals)
{
    struct imap_scan s = {0};
    struct err err = {0};

    *literals = 0;
    for (size_t n = 0; n <= in.n;) {
        enum imap_scan_result r = imap_scan(&s, str_head(in, n), &err);

        *at = s.at;
        assert_true(s.at <= n);
        if (r == IMAP_SCAN_LITERAL) {
            (*literals)++;
            continue;
        }
        if (r != IMAP_SCAN_MORE)
            return r;
        n++;
    }
    return IMAP_SCAN_MORE;
}

static void the_end_is_found_however_it_was_cut(void **state)
{
    static const struct {
        struct str in;
        size_t end;
        unsigned literals;
    } cases[] = {
        {STR_INIT("a NOOP\r\nb NOOP\r\n"), 8, 0},
        {STR_INIT("\r\n"), 2, 0},
        {STR_INIT("a LOGIN {1}\r\nu {3+}\r\n\r\np\r\nX"), 26, 2},
        {STR_INIT("a X {0}\r\n\r\n"), 11, 1},
        {STR_INIT("a X {4+}\r\n{9}\0\r\n"), 16, 1}, /* what is in a literal is not looked at */
        {STR_INIT("a X \"{3}\"\r\n"), 11, 0},       /* not at the end of the line */
        {STR_INIT("a X {x}\r\n"), 9, 0},            /* no number */
        {STR_INIT("a X {-1}\r\n"), 10, 0},
        {STR_INIT("a X {99999999999}\r\n"), 19, 0},
        {STR_INIT("}\r\n"), 3, 0},
        {STR_INIT("+}\r\n"), 4, 0},
        {STR_INIT("{+}\r\n"), 5, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        unsigned literals;
        size_t at;

        assert_int_equal(scan_slowly(cases[i].in, &at, &literals), IMAP_SCAN_DONE);
        assert_int_equal(at, cases[i].end);
        assert_int_equal(literals, cases[i].literals);
    }
}

static void what_must_not_stand_in_a_command_is_an_error(void **state)
{
    static const struct str bad[] = {STR_INIT("a NOOP\n"), STR_INIT("a\rb\r\n"),
                                     STR_INIT("a \r\r\n"), STR_INIT("a \0 b\r\n"),
                                     STR_INIT("a X {1}\r\nz\n")};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        unsigned literals;
        size_t at;

        assert_int_equal(scan_slowly(bad[i], &at, &literals), IMAP_SCAN_ERROR);
    }
}

static void a_literal_taken_out_of_the_stream_leaves_a_whole_command(void **state)
{
    struct str head = STR("a APPEND x {1000000000}\r\n");
    struct str whole = STR("a APPEND x {1000000000}\r\n (y)\r\n");
    struct imap_scan s = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(imap_scan(&s, head, &err), IMAP_SCAN_LITERAL);
    assert_true(s.literal_sync);
    assert_int_equal(s.literal_n, 1000000000);
    assert_int_equal(s.at, head.n);
    assert_int_equal(imap_scan(&s, head, &err), IMAP_SCAN_MORE);
    imap_scan_taken(&s);
    assert_int_equal(imap_scan(&s, head, &err), IMAP_SCAN_MORE);
    assert_int_equal(imap_scan(&s, whole, &err), IMAP_SCAN_DONE);
    assert_int_equal(s.at, whole.n);
}

static void a_line_and_a_number_of_literals_have_limits(void **state)
{
    own_buf struct buf b = BUF_INIT(IMAP_LINE_MAX + 4096);
    struct imap_scan s = {0};
    struct imap_scan t = {0};
    struct err err = {0};
    enum imap_scan_result r = IMAP_SCAN_LITERAL;

    (void)state;
    while (b.n < IMAP_LINE_MAX)
        buf_append(&b, STR("a"));
    assert_int_equal(imap_scan(&s, buf_str(&b), &err), IMAP_SCAN_MORE);
    buf_append(&b, STR("a"));
    assert_int_equal(imap_scan(&s, buf_str(&b), &err), IMAP_SCAN_ERROR);
    assert_err(&err, "more than 65536 bytes");
    buf_reset(&b);
    for (int i = 0; i <= IMAP_LITERALS_MAX; i++)
        buf_append(&b, STR("{1+}\r\nz"));
    for (int i = 0; i < IMAP_LITERALS_MAX; i++)
        assert_int_equal(imap_scan(&t, buf_str(&b), &err), IMAP_SCAN_LITERAL);
    r = imap_scan(&t, buf_str(&b), &err);
    assert_int_equal(r, IMAP_SCAN_ERROR);
    assert_err(&err, "literals");
}

/* --- a command as a tree ---------------------------------------------------------------------- */

static void show(const struct imap_arg *args, size_t n, struct buf *to)
{
    for (size_t i = 0; i < n; i++) {
        static const char *const mark[] = {"", "'", "#", "("};

        if (i)
            buf_append_char(to, ' ');
        buf_append_c(to, mark[args[i].kind]);
        if (args[i].kind == IMAP_LIST) {
            show(args[i].list, args[i].list_n, to);
            buf_append_char(to, ')');
        } else {
            buf_append(to, args[i].s);
        }
    }
}

static void commands_become_trees(void **state)
{
    static const struct {
        const char *in;
        const char *tree; /* 'quoted, #literal */
    } cases[] = {
        {"a NOOP\r\n", "a NOOP: "},
        {"a LOGIN u p\r\n", "a LOGIN: u p"},
        {"a LOGIN \"u \\\"x\\\\\" {3}\r\np q\r\n", "a LOGIN: 'u \"x\\ #p q"},
        {"a LOGIN \"\" {0}\r\n\r\n", "a LOGIN: ' #"},
        {"a uid fetch 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (TO CC)]<0.100>)\r\n",
         "a UID fetch: 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (TO CC)]<0.100>)"},
        {"a FETCH 1 BODY[HEADER.FIELDS (\"a]b\")]\r\n", "a FETCH: 1 BODY[HEADER.FIELDS (\"a]b\")]"},
        {"a STORE 1 +FLAGS (\\Seen ())\r\n", "a STORE: 1 +FLAGS (\\Seen ())"},
        {"a LIST \"\" *\r\n", "a LIST: ' *"},
        {"a LIST (((x)))%\r\n", "a LIST: (((x))) %"},
        {"a UID\r\n", "a UID: "},
        {"a AUTHENTICATE PLAIN =\r\n", "a AUTHENTICATE: PLAIN ="},
        {"a SEARCH [x]\r\n", "a SEARCH: [x]"},
        {"a SELECT a[b\r\n", "a SELECT: a[b"}, /* only ']' is refused in a name */
    };

    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        own_buf struct buf b = BUF_INIT(1024);
        struct imap_cmd c;
        struct err err = {0};

        assert_ok(imap_parse(str_of(cases[i].in), *state, &c, &err), &err);
        buf_printf(&b, "%.*s %s%.*s: ", STR_ARG(c.tag), c.uid ? "UID " : "", STR_ARG(c.name));
        show(c.args, c.args_n, &b);
        assert_str(buf_str(&b), cases[i].tree);
    }
}

static void what_is_malformed_is_refused_with_its_tag(void **state)
{
    static const struct {
        const char *in;
        const char *tag;
    } bad[] = {
        {"\r\n", ""},
        {" NOOP\r\n", ""},
        {"a\r\n", ""},
        {"+ NOOP\r\n", ""},
        {"a* NOOP\r\n", ""},
        {"(a) NOOP\r\n", ""},
        {"a \r\n", "a"},
        {"a  NOOP\r\n", "a"},
        {"a NO(OP\r\n", "a"},
        {"a UID \r\n", "a"},
        {"a X (\r\n", "a"},
        {"a X )\r\n", "a"},
        {"a X (a))\r\n", "a"},
        {"a X \"y\r\n", "a"},
        {"a X \"y\\\r\n", "a"},
        {"a X \"y\\z\"\r\n", "a"},
        {"a X BODY[\r\n", "a"},
        {"a X BODY[\"]\r\n", "a"},
        {"a X BODY[\"\\\r\n", "a"},
        {"a X {3}y\r\n", "a"},
        {"a X {9}\r\nabc\r\n", "a"},
        {"a X y\x01\r\n", "a"},
    };

    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        struct imap_cmd c;
        struct err err = {0};

        assert_int_equal(imap_parse(str_of(bad[i].in), *state, &c, &err), -1);
        assert_true(err.text[0] != '\0');
        assert_str(c.tag, bad[i].tag);
    }
}

static void lists_and_arguments_have_limits(void **state)
{
    own_buf struct buf b = BUF_INIT(1u << 20);
    struct imap_cmd c;
    struct err err = {0};

    for (int deep = IMAP_DEPTH_MAX; deep <= IMAP_DEPTH_MAX + 1; deep++) {
        buf_reset(&b);
        buf_append(&b, STR("a X "));
        for (int i = 0; i < deep; i++)
            buf_append_char(&b, '(');
        for (int i = 0; i < deep; i++)
            buf_append_char(&b, ')');
        buf_append(&b, STR("\r\n"));
        assert_int_equal(imap_parse(buf_str(&b), *state, &c, &err),
                         deep <= IMAP_DEPTH_MAX ? 0 : -1);
    }
    assert_err(&err, "too deep");
    for (int n = IMAP_ARGS_MAX; n <= IMAP_ARGS_MAX + 1; n++) {
        buf_reset(&b);
        buf_append(&b, STR("a X"));
        for (int i = 0; i < n; i++)
            buf_append(&b, STR(" z"));
        buf_append(&b, STR("\r\n"));
        assert_int_equal(imap_parse(buf_str(&b), *state, &c, &err), n <= IMAP_ARGS_MAX ? 0 : -1);
    }
    assert_err(&err, "arguments");
    buf_reset(&b);
    for (int i = 0; i <= IMAP_TAG_MAX; i++)
        buf_append_char(&b, 't');
    buf_append(&b, STR(" NOOP\r\n"));
    assert_int_equal(imap_parse(buf_str(&b), *state, &c, &err), -1);
    assert_ok(imap_parse(str_skip(buf_str(&b), 1), *state, &c, &err), &err);
}

static void an_arena_that_is_full_is_an_error(void **state)
{
    struct arena *small = arena_new(64);
    struct imap_cmd c;
    struct err err = {0};

    (void)state;
    assert_int_equal(imap_parse(STR("a X b c d e f g h i j k l m n\r\n"), small, &c, &err), -1);
    assert_err(&err, "memory");
    arena_free(small);
}

static void arguments_are_looked_at_by_kind(void **state)
{
    struct imap_cmd c;
    struct err err = {0};
    struct str s;
    uint32_t n = 7;

    assert_ok(imap_parse(STR("a X nil \"NIL\" 42 \"42\" 4294967296 (z) {9}\r\n"), *state, &c, &err),
              &err);
    assert_int_equal(c.args_n, 7);
    assert_true(imap_arg_is_nil(&c.args[0]));
    assert_false(imap_arg_is_nil(&c.args[1]));
    assert_false(imap_arg_atom(&c.args[1], &s));
    assert_true(imap_arg_string(&c.args[1], &s));
    assert_true(imap_arg_u32(&c.args[2], &n));
    assert_int_equal(n, 42);
    assert_false(imap_arg_u32(&c.args[3], &n));
    assert_false(imap_arg_u32(&c.args[4], &n));
    assert_false(imap_arg_astring(&c.args[5], &s));
    /* The literal was taken out of the stream: its size is known, its bytes are not here. */
    assert_int_equal(c.args[6].s.n, 9);
    assert_false(imap_arg_string(&c.args[6], &s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_end_is_found_however_it_was_cut),
        cmocka_unit_test(what_must_not_stand_in_a_command_is_an_error),
        cmocka_unit_test(a_literal_taken_out_of_the_stream_leaves_a_whole_command),
        cmocka_unit_test(a_line_and_a_number_of_literals_have_limits),
        cmocka_unit_test_setup_teardown(commands_become_trees, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_malformed_is_refused_with_its_tag, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(lists_and_arguments_have_limits, set_up, tear_down),
        cmocka_unit_test(an_arena_that_is_full_is_an_error),
        cmocka_unit_test_setup_teardown(arguments_are_looked_at_by_kind, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
