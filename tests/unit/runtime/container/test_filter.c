/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/audit.h>
#include <string.h>
#include <sys/syscall.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/own.h"
#include "runtime/container/filter.h"
#include "runtime/kernel/seccomp.h"
#include "runtime/spec/oci.h"

#include "tests/lib/bpf.h"
#include "tests/lib/test.h"

/* The section of a config.json, loaded as a container's is, and made a program. */
static int make(struct arena *a, const char *section, struct seccomp_program *p, struct err *err)
{
    own_buf struct buf text = BUF_INIT(65536);
    struct oci_config *c = NULL;

    buf_printf(
        &text,
        "{\"ociVersion\": \"1.0.2\", \"root\": {\"path\": \"/r\"}, \"process\": {\"args\": [\"x\"],"
        " \"cwd\": \"/\", \"user\": {\"uid\": 0, \"gid\": 0}}, \"linux\": {\"seccomp\": %s}}",
        section);
    assert_ok(oci_load_str(a, buf_str(&text), "config.json", &c, err), err);
    return filter_make(a, NULL, &c->linux_.seccomp, p, err);
}

static uint32_t native_arch(void)
{
#ifdef __x86_64__
    return AUDIT_ARCH_X86_64;
#else
    return AUDIT_ARCH_AARCH64;
#endif
}

static uint32_t ask(const struct seccomp_program *p, int nr, uint64_t first, uint64_t second)
{
    struct seccomp_data d = {.nr = nr, .arch = native_arch(), .args = {first, second}};

    return bpf_run(p->code, p->n, &d);
}

static void actions_become_the_kernels(void **state)
{
    static const struct {
        const char *action;
        uint32_t ret;
    } cases[] = {
        {"\"SCMP_ACT_ALLOW\"", SECCOMP_RET_ALLOW},
        {"\"SCMP_ACT_KILL\"", SECCOMP_RET_KILL_THREAD},
        {"\"SCMP_ACT_KILL_THREAD\"", SECCOMP_RET_KILL_THREAD},
        {"\"SCMP_ACT_KILL_PROCESS\"", SECCOMP_RET_KILL_PROCESS},
        {"\"SCMP_ACT_TRAP\"", SECCOMP_RET_TRAP},
        {"\"SCMP_ACT_LOG\"", SECCOMP_RET_LOG},
        {"\"SCMP_ACT_ERRNO\"", SECCOMP_RET_ERRNO | EPERM},
        {"\"SCMP_ACT_ERRNO\", \"errnoRet\": 38", SECCOMP_RET_ERRNO | ENOSYS},
        {"\"SCMP_ACT_TRACE\", \"errnoRet\": 7", SECCOMP_RET_TRACE | 7},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct arena *a = arena_new(1u << 20);
        own_buf struct buf section = BUF_INIT(1024);
        struct seccomp_program p = {.code = NULL};
        struct err err = {0};

        /* A default of the same action would swallow the rule. */
        buf_printf(
            &section,
            "{\"defaultAction\": \"%s\", \"syscalls\": [{\"names\": [\"getpid\"], \"action\": %s}]}",
            cases[i].ret == SECCOMP_RET_TRAP ? "SCMP_ACT_LOG" : "SCMP_ACT_TRAP", cases[i].action);
        assert_ok(make(a, buf_c(&section), &p, &err), &err);
        assert_int_equal(ask(&p, SYS_getpid, 0, 0), cases[i].ret);
        assert_int_equal(ask(&p, SYS_getppid, 0, 0),
                         cases[i].ret == SECCOMP_RET_TRAP ? SECCOMP_RET_LOG : SECCOMP_RET_TRAP);
        seccomp_done(&p);
        arena_free(a);
    }
}

static void arguments_are_compared_as_asked(void **state)
{
    static const struct {
        const char *op;
        const char *below; /* of 4, 5, 6: which are let through where the value is 5 */
    } cases[] = {{"SCMP_CMP_NE", "46"}, {"SCMP_CMP_LT", "4"},  {"SCMP_CMP_LE", "45"},
                 {"SCMP_CMP_EQ", "5"},  {"SCMP_CMP_GE", "56"}, {"SCMP_CMP_GT", "6"}};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct arena *a = arena_new(1u << 20);
        own_buf struct buf section = BUF_INIT(1024);
        struct seccomp_program p = {.code = NULL};
        struct err err = {0};

        buf_printf(
            &section,
            "{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\": [{\"names\": [\"dup2\", \"dup3\"],"
            " \"action\": \"SCMP_ACT_ALLOW\", \"args\": [{\"index\": 1, \"value\": 5, \"op\": \"%s\"}]}]}",
            cases[i].op);
        assert_ok(make(a, buf_c(&section), &p, &err), &err);
        for (int v = '4'; v <= '6'; v++) {
            bool let = strchr(cases[i].below, v) != NULL;

            assert_int_equal(ask(&p, SYS_dup3, 99, (uint64_t)(v - '0')) == SECCOMP_RET_ALLOW, let);
        }
        seccomp_done(&p);
        arena_free(a);
    }
}

/* The upper half of an argument counts: 1 << 32 is not 0. */
static void arguments_have_64_bits(void **state)
{
    static const char section[] =
        "{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\": [{\"names\": [\"dup3\"], \"action\":"
        " \"SCMP_ACT_ALLOW\", \"args\": [{\"index\": 0, \"value\": 0, \"op\": \"SCMP_CMP_EQ\"},"
        " {\"index\": 1, \"value\": 255, \"valueTwo\": 16, \"op\": \"SCMP_CMP_MASKED_EQ\"}]}]}";
    struct arena *a = arena_new(1u << 20);
    struct seccomp_program p = {.code = NULL};
    struct err err = {0};

    (void)state;
    assert_ok(make(a, section, &p, &err), &err);
    assert_int_equal(ask(&p, SYS_dup3, 0, 0x110), SECCOMP_RET_ALLOW);
    assert_int_equal(ask(&p, SYS_dup3, UINT64_C(1) << 32, 0x110), SECCOMP_RET_ERRNO | EPERM);
    assert_int_equal(ask(&p, SYS_dup3, 0, 0x111), SECCOMP_RET_ERRNO | EPERM);
    seccomp_done(&p);
    arena_free(a);
}

static void another_architectures_calls_are_not_let_through(void **state)
{
    static const char section[] =
        "{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\": [{\"names\":"
        " [\"getpid\", \"no_such_call\"], \"action\": \"SCMP_ACT_ALLOW\"}]}";
    struct arena *a = arena_new(1u << 20);
    struct seccomp_program p = {.code = NULL};
    struct err err = {0};
    struct seccomp_data d = {.nr = SYS_getpid, .arch = AUDIT_ARCH_MIPS64};

    (void)state;
    assert_ok(make(a, section, &p, &err), &err);
    assert_int_equal(ask(&p, SYS_getpid, 0, 0), SECCOMP_RET_ALLOW);
    assert_int_not_equal(bpf_run(p.code, p.n, &d), SECCOMP_RET_ALLOW);
    seccomp_done(&p);
    arena_free(a);
}

static void a_listener_is_needed_for_notify_only(void **state)
{
    struct oci_scmp_rule rules[] = {{.action = OCI_SCMP_LOG}, {.action = OCI_SCMP_LOG}};
    struct oci_seccomp s = {.set = true, .listener_path = "/x", .rules = rules, .rules_n = 2};

    (void)state;
    assert_false(filter_listens(&s));
    rules[1].action = OCI_SCMP_NOTIFY;
    assert_true(filter_listens(&s));
    s.listener_path = NULL;
    assert_false(filter_listens(&s));
    s = (struct oci_seccomp){.listener_path = "/x", .rules = rules, .rules_n = 2};
    assert_false(filter_listens(&s));
}

static void of_rules_that_were_not_read_the_text_tells(void **state)
{
    static const struct {
        const char *text;
        bool listens;
    } rows[] = {
        {"[{\"names\":[\"open\"],\"action\":\"SCMP_ACT_LOG\"}]", false},
        {"[{\"names\":[\"open\"],\"action\":\"SCMP_ACT_NOTIFY\"}]", true},
        {"[{\"names\":[\"open\"],\"action\":\"SCMP\\u005fACT_NOTIF\\u0059\"}]", true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct oci_seccomp s = {.set = true,
                                .listener_path = "/x",
                                .rules_text = str_of(rows[i].text),
                                .rules_skipped = true};

        assert_int_equal(filter_listens(&s), rows[i].listens);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(actions_become_the_kernels),
        cmocka_unit_test(arguments_are_compared_as_asked),
        cmocka_unit_test(arguments_have_64_bits),
        cmocka_unit_test(another_architectures_calls_are_not_let_through),
        cmocka_unit_test(a_listener_is_needed_for_notify_only),
        cmocka_unit_test(of_rules_that_were_not_read_the_text_tells),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
