/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"
#include "runtime/cli/opt.h"

#include "tests/lib/test.h"

struct sample {
    struct opt_flag detach;
    struct opt_flag tty;
    const char *bundle;
    const char *text;
    const char *format;
    struct opt_list env;
    struct opt_number fds;
};

static const char *const formats[] = {"table", "json", NULL};

static const struct opt rows[] = {
    OPT_FLAG(sample, detach, "detach", 'd', "do not wait"),
    OPT_FLAG(sample, tty, "tty", 't', "a terminal"),
    OPT_VALUE(sample, bundle, OPT_KIND_PATH, "bundle", 'b', "DIR", "where"),
    OPT_VALUE(sample, text, OPT_KIND_TEXT, "cwd", 0, "TEXT", "text"),
    OPT_CHOICE(sample, format, "format", 'f', "FORMAT", formats, "table or json"),
    OPT_VALUE(sample, env, OPT_KIND_LIST, "env", 'e', "NAME=VALUE", "environment"),
    OPT_NUMBER(sample, fds, "preserve-fds", 0, "N", 0, 100, "descriptors"),
    OPT_REFUSED("systemd-cgroup", 0, NULL, "not in this version"),
};

static const struct opt_table anywhere = OPT_TABLE(rows, OPT_ANYWHERE);
static const struct opt_table before = OPT_TABLE(rows, OPT_BEFORE_ARGS);

#define WORDS_MAX 12

static int parse(struct arena *a, const struct opt_table *t, const char *const *words,
                 struct sample *s, struct opt_args *args, struct err *err)
{
    size_t n = 0;

    while (words[n] != NULL)
        n++;
    *s = (struct sample){0};
    return opt_parse(a, t, (struct opt_words){words, n}, s, args, err);
}

static void a_value_may_be_attached_in_every_form(void **state)
{
    static const char *const forms[][WORDS_MAX] = {
        {"--bundle", "/b", "id"}, {"--bundle=/b", "id"},    {"-b", "/b", "id"},
        {"-b/b", "id"},           {"-b=/b", "id"},          {"-bundle", "/b", "id"},
        {"-bundle=/b", "id"},     {"id", "--bundle", "/b"}, {"id", "-b/b"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(forms); i++) {
        struct arena *a = arena_new(1U << 20);
        struct sample s;
        struct opt_args args;
        struct err err;

        assert_int_equal(parse(a, &anywhere, forms[i], &s, &args, &err), 0);
        assert_string_equal(s.bundle, "/b");
        assert_int_equal(args.n, 1);
        assert_string_equal(args.v[0], "id");
        assert_null(args.v[1]);
        arena_free(a);
    }
}

static void flags_join_and_take_true_and_false(void **state)
{
    static const struct {
        const char *words[WORDS_MAX];
        bool detach, tty, given;
    } table[] = {
        {{"-dt"}, true, true, true},
        {{"-d", "--tty"}, true, true, true},
        {{"--detach=false"}, false, false, true},
        {{"--detach=true", "-t"}, true, true, true},
        {{"--detach=0"}, false, false, true},
        {{"-td"}, true, true, true},
        {{"x"}, false, false, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(table); i++) {
        struct arena *a = arena_new(1U << 20);
        struct sample s;
        struct opt_args args;
        struct err err;

        assert_int_equal(parse(a, &anywhere, table[i].words, &s, &args, &err), 0);
        assert_int_equal(s.detach.on, table[i].detach);
        assert_int_equal(s.tty.on, table[i].tty);
        assert_int_equal(s.detach.given, table[i].given);
        arena_free(a);
    }
}

static void the_first_argument_ends_options_where_asked(void **state)
{
    static const char *const words[] = {"-e", "A=1", "-e",       "B=2", "id",
                                        "ls", "-d",  "--bundle", NULL};
    struct arena *a = arena_new(1U << 20);
    struct sample s;
    struct opt_args args;
    struct err err;

    (void)state;
    assert_int_equal(parse(a, &before, words, &s, &args, &err), 0);
    assert_int_equal(s.env.n, 2);
    assert_string_equal(s.env.v[1], "B=2");
    assert_null(s.env.v[2]);
    assert_false(s.detach.on);
    assert_int_equal(args.n, 4);
    assert_string_equal(args.v[3], "--bundle");
    arena_free(a);
}

static void two_dashes_and_one_dash_are_no_options(void **state)
{
    static const char *const words[] = {"-", "--", "-d", "--bundle", NULL};
    struct arena *a = arena_new(1U << 20);
    struct sample s;
    struct opt_args args;
    struct err err;

    (void)state;
    assert_int_equal(parse(a, &anywhere, words, &s, &args, &err), 0);
    assert_int_equal(args.n, 3);
    assert_string_equal(args.v[0], "-");
    assert_string_equal(args.v[1], "-d");
    assert_false(s.detach.on);
    arena_free(a);
}

static void a_wrong_option_is_named(void **state)
{
    static const struct {
        const char *words[WORDS_MAX];
        const char *text;
    } table[] = {
        {{"--bundel", "x"}, "unknown option '--bundel'"},
        {{"--bundel=x"}, "unknown option '--bundel'"},
        {{"-x"}, "unknown option '-x'"},
        {{"-dx"}, "unknown option '-dx'"},
        {{"--bundle"}, "option '--bundle' needs a value"},
        {{"-b"}, "option '-b' needs a value"},
        {{"--bundle="}, "option '--bundle': expected a path, found ''"},
        {{"--detach=maybe"}, "option '--detach': expected true or false, found 'maybe'"},
        {{"-f", "xml"}, "option '-f': expected 'table' or 'json', found 'xml'"},
        {{"--systemd-cgroup"}, "option '--systemd-cgroup': not in this version"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(table); i++) {
        struct arena *a = arena_new(1U << 20);
        struct sample s;
        struct opt_args args;
        struct err err = {0};

        assert_int_equal(parse(a, &anywhere, table[i].words, &s, &args, &err), -1);
        assert_string_equal(err.text, table[i].text);
        arena_free(a);
    }
}

static void a_number_has_a_range(void **state)
{
    static const char *const bad[][3] = {{"--preserve-fds", "-1"},
                                         {"--preserve-fds", "101"},
                                         {"--preserve-fds=x"},
                                         {"--preserve-fds="}};
    static const char *const good[] = {"--preserve-fds", "100", NULL};
    struct arena *a = arena_new(1U << 20);
    struct sample s;
    struct opt_args args;
    struct err err;

    (void)state;
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        assert_int_equal(parse(a, &anywhere, bad[i], &s, &args, &err), -1);
        assert_non_null(strstr(err.text, "--preserve-fds"));
    }
    assert_int_equal(parse(a, &anywhere, good, &s, &args, &err), 0);
    assert_true(s.fds.given);
    assert_int_equal(s.fds.v, 100);
    arena_free(a);
}

static void help_ends_everything(void **state)
{
    static const char *const words[] = {"--help", "--nonsense", NULL};
    struct arena *a = arena_new(1U << 20);
    own_buf struct buf text = BUF_INIT(65536);
    struct sample s;
    struct opt_args args;
    struct err err;

    (void)state;
    assert_int_equal(parse(a, &anywhere, words, &s, &args, &err), 0);
    assert_true(args.help);
    opt_help(&anywhere, &text);
    for (size_t i = 0; i < ARRAY_N(rows); i++)
        assert_non_null(strstr(buf_c(&text), rows[i].name));
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_may_be_attached_in_every_form),
        cmocka_unit_test(flags_join_and_take_true_and_false),
        cmocka_unit_test(the_first_argument_ends_options_where_asked),
        cmocka_unit_test(two_dashes_and_one_dash_are_no_options),
        cmocka_unit_test(a_wrong_option_is_named),
        cmocka_unit_test(a_number_has_a_range),
        cmocka_unit_test(help_ends_everything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
