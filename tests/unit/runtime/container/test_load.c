/* SPDX-License-Identifier: Apache-2.0 */
/* container_load: rules are known only after they were loaded, checked and compiled, and only with
 * all else that a program follows from. */
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"
#include "runtime/container/container.h"
#include "runtime/container/filter.h"
#include "runtime/kernel/seccomp.h"
#include "runtime/spec/oci.h"

#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

#define TEXT_MAX 65536

struct section {
    const char *before; /* the rules: members with a comma behind */
    const char *action; /* of the rules */
    const char *after;  /* members with a comma in front */
};

#define ALLOW "\"SCMP_ACT_ALLOW\""
#define ERRNO "\"defaultAction\": \"SCMP_ACT_ERRNO\","

static const struct section usual = {ERRNO, ALLOW, ""};

static void print(const struct section *s, struct buf *out)
{
    buf_printf(out,
               "{\"ociVersion\": \"1.0.2\", \"root\": {\"path\": \"/r\"}, \"process\": {\"args\": "
               "[\"x\"], \"cwd\": \"/\", \"user\": {\"uid\": 0, \"gid\": 0}}, \"linux\": "
               "{\"seccomp\": {%s \"syscalls\": [{\"action\": %s, \"names\": [\"read\"",
               s->before, s->action);
    for (int i = 0; i < 100; i++)
        buf_printf(out, ", \"call_%d\"", i);
    buf_printf(out, "]}]%s}}}", s->after);
}

enum outcome {
    REFUSED,
    READ,
    KNOWN
};

/* Loads the section and, unless it is known, compiles it. */
static enum outcome load(const struct tmpdir *t, const struct section *s)
{
    const struct container_env env = {.root = t->path, .filters = t->path};
    struct arena *a = arena_new(2 * OCI_ARENA_MAX);
    own_buf struct buf text = BUF_INIT(TEXT_MAX);
    struct container_loaded loaded = {NULL, NULL};
    struct seccomp_program whole = {.code = NULL};
    enum outcome outcome = REFUSED;
    struct err err;

    print(s, &text);
    if (container_load(&env, a, buf_str(&text), "config.json", &loaded, &err) == 0) {
        struct oci_config *c = NULL;

        outcome = loaded.filter != NULL ? KNOWN : READ;
        assert_ok(oci_load_str(a, buf_str(&text), "config.json", &c, &err), &err);
        assert_ok(filter_make(a, NULL, &c->linux_.seccomp, &whole, &err), &err);
        if (outcome == KNOWN) {
            assert_int_equal(whole.n, loaded.filter->n);
            assert_memory_equal(whole.code, loaded.filter->code, whole.n * sizeof *whole.code);
        } else {
            seccomp_done(&whole);
            assert_ok(filter_make(a, t->path, &loaded.config->linux_.seccomp, &whole, &err), &err);
        }
        seccomp_done(&whole);
    }
    arena_free(a);
    return outcome;
}

static void rules_are_known_the_second_time(void **state)
{
    assert_int_equal(load(*state, &usual), READ);
    assert_int_equal(load(*state, &usual), KNOWN);
    assert_int_equal(load(*state, &usual), KNOWN);
}

static void whatever_decides_the_program_must_be_alike(void **state)
{
    static const struct section others[] = {
        {"\"defaultAction\": \"SCMP_ACT_KILL\",", ALLOW, ""},
        {ERRNO, "\"SCMP_ACT_LOG\"", ""},
        {ERRNO "\"defaultErrnoRet\": 7,", ALLOW, ""},
        {ERRNO "\"architectures\": [\"SCMP_ARCH_X86\", \"SCMP_ARCH_ARM\"],", ALLOW, ""},
        {ERRNO, ALLOW, ", \"architectures\": [\"SCMP_ARCH_X86\"]"},
        {ERRNO, ALLOW " ", ""},
    };

    assert_int_equal(load(*state, &usual), READ);
    for (size_t i = 0; i < ARRAY_N(others); i++)
        assert_int_equal(load(*state, &others[i]), READ);
    for (size_t i = 0; i < ARRAY_N(others); i++)
        assert_int_equal(load(*state, &others[i]), KNOWN);
    assert_int_equal(load(*state, &usual), KNOWN);
}

/* The same rules are right with a listener and wrong without: they are not known in either. */
static void rules_for_a_listener_are_never_known(void **state)
{
    static const char notify[] = "\"SCMP_ACT_NOTIFY\"", path[] = ", \"listenerPath\": \"/l\"";
    const struct section with = {ERRNO, notify, path}, without = {ERRNO, notify, ""},
                         needless = {ERRNO, ALLOW, path};

    for (int i = 0; i < 2; i++) {
        assert_int_equal(load(*state, &with), READ);
        assert_int_equal(load(*state, &needless), READ);
        assert_int_equal(load(*state, &without), REFUSED);
    }
    assert_int_equal(load(*state, &usual), READ);
    assert_int_equal(load(*state, &needless), READ);
}

static void wrong_rules_are_refused_every_time(void **state)
{
    const struct section wrong = {ERRNO, "\"SCMP_ACT_X\"", ""},
                         errno_of_allow = {ERRNO, ALLOW ", \"errnoRet\": 3", ""},
                         twice = {ERRNO, ALLOW ", \"action\": " ALLOW, ""};

    for (int i = 0; i < 3; i++) {
        assert_int_equal(load(*state, &wrong), REFUSED);
        assert_int_equal(load(*state, &errno_of_allow), REFUSED);
        assert_int_equal(load(*state, &twice), REFUSED);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, tmpdir_setup, tmpdir_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rules_are_known_the_second_time),
        TEST(whatever_decides_the_program_must_be_alike),
        TEST(rules_for_a_listener_are_never_known),
        TEST(wrong_rules_are_refused_every_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
