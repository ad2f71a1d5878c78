/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration whose system call rules are not read: where they are, and what is true of it. */
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"
#include "runtime/spec/oci.h"

#include "tests/lib/test.h"

#define TEXT_MAX 65536
#define RULES    "[{\"names\": [\"read\", \"]}\\\"\"], \"action\": \"SCMP_ACT_ALLOW\"}]"
#define HEAD     "{\"ociVersion\": \"1.0.2\", \"root\": {\"path\": \"/r\"}, "
#define SECTION  "\"seccomp\": {\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\": "

static bool finds(const char *text, const char *rules)
{
    struct str found = STR_NONE;

    if (!oci_find_rules(str_of(text), &found))
        return false;
    assert_true(found.p >= text && found.p + found.n <= text + strlen(text));
    return str_eq_c(found, rules);
}

static void rules_are_found_wherever_they_stand(void **state)
{
    (void)state;
    assert_true(finds("{\"linux\":{\"seccomp\":{\"syscalls\":[]}}}", "[]"));
    assert_true(
        finds(" { \"linux\" :\n{ \"seccomp\"\t: { \"syscalls\" :  [ 1 , 2 ] } } } ", "[ 1 , 2 ]"));
    assert_true(finds(HEAD
                      "\"a\": [1, {\"linux\": 3}], \"b\": \"} \\\" {\", \"c\": -1.5e3, \"d\": null,"
                      "\"linux\": {\"x\": {}, " SECTION RULES ", \"flags\": []}}, \"e\": 1}",
                      RULES));
}

static void what_is_not_there_is_not_found(void **state)
{
    static const char *const texts[] = {
        "",
        "[]",
        "{}",
        "{\"linux\"}",
        "{\"linux\":",
        "{\"linux\":{}}",
        "{\"linux\":[\"seccomp\"]}",
        "{\"linux\":{\"seccomp\":{\"syscalls\":{}}}}",
        "{\"linux\":{\"seccomp\":{\"syscalls\":null}}}",
        "{\"linux\":{\"seccomp\":{\"syscalls\"",
        "{\"linux\":{\"seccomp\":{\"syscalls\":",
        "{\"linux\":{\"seccomp\":\"syscalls\"}}",
        "{\"seccomp\":{\"syscalls\":[]}}",
        "{\"linux\":{\"x\":{\"seccomp\":{\"syscalls\":[]}}}}",
        "{\"x\":{\"linux\":{\"seccomp\":{\"syscalls\":[]}}}}",
        "{\"x\":\"{\\\"linux\\\":{\\\"seccomp\\\":{\\\"syscalls\\\":[]}}}\"}",
        "{\"l\\u0069nux\":{\"seccomp\":{\"syscalls\":[]}}}",
        "{\"a\\",
        "{\"a",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(texts); i++)
        if (finds(texts[i], "[]"))
            fail_msg("found in %s", texts[i]);
}

static bool loads(struct arena *a, struct str text, struct oci_config **c)
{
    struct err ignored;

    return oci_load_str(a, text, "config.json", c, &ignored) == 0;
}

static bool loads_but_rules(struct arena *a, struct str text, struct oci_config **c)
{
    struct str rules = STR_NONE;
    struct err ignored;

    return oci_find_rules(text, &rules) &&
           oci_load_but_rules(a, text, rules, "config.json", c, &ignored) == 0;
}

/* The right rules are in all of these; what else is wrong is found without them. */
static void a_wrong_document_is_wrong_without_its_rules(void **state)
{
    static const char *const texts[] = {
        HEAD "\"linux\": {" SECTION RULES "}}",
        HEAD "\"linux\": {" SECTION RULES "}}}",
        HEAD "\"linux\": {" SECTION RULES "}}, 1",
        HEAD "\"linux\": {" SECTION RULES ", \"syscalls\": []}}}",
        HEAD "\"linux\": {" SECTION RULES "}, \"seccomp\": {}}}",
        HEAD "\"linux\": {" SECTION RULES "}}, \"l\\u0069nux\": {}}",
        HEAD "\"linux\": {" SECTION RULES "}}, \"hostname\": 3}",
        HEAD "\"linux\": {" SECTION RULES ", \"flags\": [\"X\"]}}}",
        HEAD "\"linux\": {" SECTION RULES " 1}}}",
        HEAD "\"linux\": {\"seccomp\": {\"syscalls\": " RULES "}}}",
        HEAD
        "\"linux\": {\"seccomp\": {\"defaultAction\": \"SCMP_ACT_NOTIFY\", \"syscalls\": " RULES
        "}}}",
        HEAD "\"a\": \"\001\", \"linux\": {" SECTION RULES "}}}",
        HEAD "\"a\": '\"', \"linux\": {" SECTION RULES "}}}",
        HEAD "\"a\": tru, \"linux\": {" SECTION RULES "}}}",
        HEAD "\"a\": [}, \"linux\": {" SECTION RULES "}}}",
    };
    struct arena *a = arena_new(2 * OCI_ARENA_MAX);
    struct oci_config *c = NULL;

    (void)state;
    assert_true(loads_but_rules(a, STR(HEAD "\"linux\": {" SECTION RULES "}}}"), &c));
    for (size_t i = 0; i < ARRAY_N(texts); i++) {
        bool without = loads_but_rules(a, str_of(texts[i]), &c);

        if (without != loads(a, str_of(texts[i]), &c))
            fail_msg("%s", texts[i]);
    }
    arena_free(a);
}

static void what_is_left_out_is_dumped_as_it_stands(void **state)
{
    const struct str text = STR(HEAD "\"linux\": {" SECTION RULES ", \"flags\": []}}}");
    struct arena *a = arena_new(2 * OCI_ARENA_MAX);
    own_buf struct buf whole = BUF_INIT(TEXT_MAX), part = BUF_INIT(TEXT_MAX),
                       again = BUF_INIT(TEXT_MAX);
    struct oci_config *c = NULL;

    (void)state;
    assert_true(loads(a, text, &c));
    oci_dump(c, &whole);
    assert_false(c->linux_.seccomp.rules_skipped);
    assert_true(loads_but_rules(a, text, &c));
    assert_true(c->linux_.seccomp.rules_skipped);
    assert_true(c->linux_.seccomp.flags_given);
    assert_int_equal(c->linux_.seccomp.rules_n, 0);
    oci_dump(c, &part);
    assert_true(loads(a, buf_str(&part), &c));
    oci_dump(c, &again);
    assert_true(str_eq(buf_str(&whole), buf_str(&again)));
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_are_found_wherever_they_stand),
        cmocka_unit_test(what_is_not_there_is_not_found),
        cmocka_unit_test(a_wrong_document_is_wrong_without_its_rules),
        cmocka_unit_test(what_is_left_out_is_dumped_as_it_stands),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
