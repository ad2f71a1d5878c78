/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "runtime/base/buf.h"
#include "runtime/base/file.h"
#include "runtime/base/jv.h"
#include "runtime/base/own.h"

#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

static json_t *load(const char *text)
{
    struct err err;
    json_t *doc = jv_load_str(str_of(text), "doc", &err);

    if (doc == NULL)
        print_error("%s\n", err.text);
    assert_non_null(doc);
    return doc;
}

static void wrong_syntax_names_its_place(void **state)
{
    static const char *const bad[] = {"",
                                      "{",
                                      "{\"a\":1,}",
                                      "[1 2]",
                                      "{\"a\":1,\"a\":2}",
                                      "nul",
                                      "{\"a\":\"\\u0000\"}",
                                      "{\"a\":99999999999999999999}",
                                      "\"alone\""};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        struct err err;

        assert_null(jv_load_str(str_of(bad[i]), "x.json", &err));
        assert_err(&err, "x.json: line ");
    }
}

static void the_path_is_in_each_error(void **state)
{
    own_json json_t *doc =
        load("{\"linux\":{\"namespaces\":[{},{\"type\":5}],\"a b\":{\"q\\\"\":1}}}");
    struct jv root = jv_root(doc);
    struct jv linux_;
    struct jv list;
    struct jv odd;
    struct jv e;
    struct str s;
    struct err err;

    (void)state;
    assert_ok(jv_object(&root, "linux", &linux_, &err), &err);
    assert_ok(jv_array(&linux_, "namespaces", &list, &err), &err);
    assert_int_equal(jv_n(&list), 2);
    e = jv_elem(&list, 1);
    assert_int_equal(jv_str(&e, "type", &s, &err), -1);
    assert_string_equal(err.text, "$.linux.namespaces[1].type: expected a string, found a number");
    e = jv_elem(&list, 0);
    assert_int_equal(jv_str(&e, "type", &s, &err), -1);
    assert_string_equal(err.text, "$.linux.namespaces[0].type: expected a string, found nothing");
    e = jv_elem(&list, 2);
    assert_null(e.v);
    odd = jv_member(&linux_, "a b");
    e = jv_member(&odd, "q\"");
    assert_int_equal(jv_as_str(&e, &s, &err), -1);
    assert_string_equal(err.text, "$.linux[\"a b\"][\"q\\\"\"]: expected a string, found a number");
    assert_int_equal(jv_is_object(&list, &err), -1);
    assert_int_equal(jv_is_array(&root, &err), -1);
    assert_string_equal(err.text, "$: expected an array, found an object");
}

static void getters_check_type_and_range(void **state)
{
    own_json json_t *doc = load("{\"b\":true,\"s\":\"x\",\"n\":5,\"r\":1.5,\"z\":null}");
    struct jv root = jv_root(doc);
    const struct jv_range small = {0, 4};
    struct err err;
    bool b = false;
    int64_t n = 7;
    struct str s;

    (void)state;
    assert_ok(jv_bool(&root, "b", &b, &err), &err);
    assert_true(b);
    assert_int_equal(jv_bool(&root, "s", &b, &err), -1);
    assert_string_equal(err.text, "$.s: expected true or false, found a string");
    assert_int_equal(jv_int(&root, "n", small, &n, &err), -1);
    assert_string_equal(err.text, "$.n: expected a number from 0 to 4, found 5");
    assert_int_equal(jv_int(&root, "r", small, &n, &err), -1);
    assert_err(&err, "a number with a fraction");
    assert_int_equal(n, 7);
    assert_ok(jv_opt_int(&root, "z", small, 3, &n, &err), &err);
    assert_int_equal(n, 3);
    assert_int_equal(jv_opt_int(&root, "s", small, 3, &n, &err), -1);
    assert_ok(jv_opt_bool(&root, "none", true, &b, &err), &err);
    assert_ok(jv_opt_str(&root, "z", STR("d"), &s, &err), &err);
    assert_str(s, "d");
    assert_int_equal(jv_str(&root, "z", &s, &err), -1);
    assert_err(&err, "found null");
    assert_true(jv_has(&root, "b") && !jv_has(&root, "z") && !jv_has(&root, "none"));
}

static void an_absent_container_has_no_elements(void **state)
{
    own_json json_t *doc = load("{\"n\":5}");
    struct jv root = jv_root(doc);
    struct jv o;
    struct jv m;
    void *it = NULL;
    struct err err;

    (void)state;
    assert_ok(jv_opt_object(&root, "none", &o, &err), &err);
    assert_null(o.v);
    assert_int_equal(jv_n(&o), 0);
    assert_false(jv_next(&o, &it, &m));
    m = jv_member(&o, "deeper");
    assert_null(m.v);
    assert_ok(jv_opt_array(&root, "none", &o, &err), &err);
    assert_int_equal(jv_n(&o), 0);
    assert_int_equal(jv_opt_array(&root, "n", &o, &err), -1);
    assert_int_equal(jv_opt_object(&root, "n", &o, &err), -1);
    assert_int_equal(jv_object(&root, "none", &o, &err), -1);
}

static void members_come_in_the_order_of_the_document(void **state)
{
    own_json json_t *doc = load("{\"z\":1,\"a\":2,\"m\":3}");
    struct jv root = jv_root(doc);
    void *it = NULL;
    struct jv m;
    char keys[8] = "";
    size_t n = 0;

    (void)state;
    while (jv_next(&root, &it, &m))
        keys[n++] = m.key[0];
    assert_string_equal(keys, "zam");
    assert_int_equal(jv_n(&root), 3);
}

static void unknown_keys_are_refused_with_a_hint(void **state)
{
    static const char *const keys[] = {"hostname", "domains", "tls", NULL};

    static const struct {
        const char *text;
        const char *error; /* NULL: fine */
    } rows[] = {
        {"{\"hostname\":1,\"tls\":{}}", NULL},
        {"{}", NULL},
        {"{\"hostnme\":1}", "$.hostnme: unknown key; did you mean 'hostname'?"},
        {"{\"Domains\":1}", "$.Domains: unknown key; did you mean 'domains'?"},
        {"{\"zebra\":1}", "$.zebra: unknown key"},
        {"[]", "$: expected an object, found an array"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        own_json json_t *doc = load(rows[i].text);
        struct jv root = jv_root(doc);
        struct err err;
        int rc = jv_only(&root, keys, &err);

        assert_int_equal(rc, rows[i].error == NULL ? 0 : -1);
        if (rc < 0)
            assert_string_equal(err.text, rows[i].error);
    }
}

static void sizes_and_times_as_number_or_text(void **state)
{
    own_json json_t *doc =
        load("{\"n\":5,\"s\":\"2K\",\"t\":\"5m\",\"bad\":\"x\",\"neg\":-1,\"o\":{}}");
    struct jv root = jv_root(doc);
    struct err err;
    uint64_t v;

    (void)state;
    assert_ok(jv_opt_size(&root, "n", 10, 0, &v, &err), &err);
    assert_int_equal(v, 5);
    assert_ok(jv_opt_size(&root, "s", 4096, 0, &v, &err), &err);
    assert_int_equal(v, 2048);
    assert_ok(jv_opt_seconds(&root, "t", 1000, 0, &v, &err), &err);
    assert_int_equal(v, 300);
    assert_ok(jv_opt_size(&root, "none", 10, 9, &v, &err), &err);
    assert_int_equal(v, 9);
    assert_int_equal(jv_opt_size(&root, "s", 10, 0, &v, &err), -1);
    assert_int_equal(jv_opt_size(&root, "neg", UINT64_MAX, 0, &v, &err), -1);
    assert_int_equal(jv_opt_seconds(&root, "o", 10, 0, &v, &err), -1);
    assert_int_equal(jv_opt_seconds(&root, "bad", 10, 0, &v, &err), -1);
    assert_err(&err, "$.bad: found 'x'");
    assert_int_equal(v, 9);
}

static void enums_list_what_is_allowed(void **state)
{
    static const char *const names[] = {"text", "json", NULL};
    own_json json_t *doc = load("{\"f\":\"json\",\"g\":\"xml\"}");
    struct jv root = jv_root(doc);
    struct jv f = jv_member(&root, "f");
    struct err err;
    size_t i;

    (void)state;
    assert_ok(jv_enum(&f, names, &i, &err), &err);
    assert_int_equal(i, 1);
    f = jv_member(&root, "g");
    assert_int_equal(jv_enum(&f, names, &i, &err), -1);
    assert_string_equal(err.text, "$.g: found 'xml', expected one of 'text', 'json'");
}

static void files_have_a_limit(void **state)
{
    const struct tmpdir *t = *state;
    own_json json_t *doc = NULL;
    own_buf struct buf b = BUF_INIT(100);
    struct err err;

    assert_ok(file_put(t->fd, "f", STR("{\"a\": [1, true]}"), 0600, &err), &err);
    assert_null(jv_load_file(t->fd, "f", 15, &err));
    assert_int_equal(err.code, EMSGSIZE);
    doc = jv_load_file(t->fd, "f", 16, &err);
    assert_non_null(doc);
    jv_dump(doc, JV_COMPACT, &b);
    assert_string_equal(buf_c(&b), "{\"a\":[1,true]}");
    buf_reset(&b);
    jv_dump(doc, JV_PRETTY, &b);
    assert_string_equal(buf_c(&b), "{\n  \"a\": [\n    1,\n    true\n  ]\n}");
}

static void a_very_long_path_is_cut(void **state)
{
    static char key[2000];
    struct jv root = {.v = NULL};
    struct jv m = {.up = &root, .key = key};
    struct err err;

    (void)state;
    memset(key, 'k', sizeof(key) - 1);
    assert_int_equal(jv_err(&m, &err, "wrong"), -1);
    assert_err(&err, "...: wrong");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_syntax_names_its_place),
        cmocka_unit_test(the_path_is_in_each_error),
        cmocka_unit_test(getters_check_type_and_range),
        cmocka_unit_test(an_absent_container_has_no_elements),
        cmocka_unit_test(members_come_in_the_order_of_the_document),
        cmocka_unit_test(unknown_keys_are_refused_with_a_hint),
        cmocka_unit_test(sizes_and_times_as_number_or_text),
        cmocka_unit_test(enums_list_what_is_allowed),
        cmocka_unit_test_setup_teardown(files_have_a_limit, tmpdir_setup, tmpdir_teardown),
        cmocka_unit_test(a_very_long_path_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
