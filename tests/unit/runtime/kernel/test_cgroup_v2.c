/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device program is run by an interpreter of the few instructions it is made of, and must
 * decide as the list of exceptions says.
 */
#include <string.h>

#include "runtime/kernel/cgroup_devices.h"
#include "runtime/kernel/cgroup_v2.h"

#include "tests/lib/test.h"

#define STEPS_MAX 10000

static uint64_t step_alu(const struct bpf_insn *i, const uint64_t reg[11])
{
    uint64_t a = reg[i->dst_reg],
             b = BPF_SRC(i->code) == BPF_X ? reg[i->src_reg] : (uint64_t)(int64_t)i->imm;
    uint64_t r = BPF_OP(i->code) == BPF_AND   ? a & b
                 : BPF_OP(i->code) == BPF_RSH ? (uint32_t)a >> b
                                              : b;

    assert_true(BPF_OP(i->code) == BPF_AND || BPF_OP(i->code) == BPF_RSH ||
                BPF_OP(i->code) == BPF_MOV);
    return BPF_CLASS(i->code) == BPF_ALU ? (uint32_t)r : r;
}

static bool decide(const struct bpf_insn *code, int n, const uint32_t ctx[3])
{
    uint64_t reg[11] = {0};
    int at = 0;

    for (int steps = 0; steps < STEPS_MAX; steps++) {
        const struct bpf_insn *i = &code[at];

        assert_in_range(at, 0, n - 1);
        at++;
        if (BPF_CLASS(i->code) == BPF_LDX)
            reg[i->dst_reg] = ctx[i->off / 4];
        else if (BPF_CLASS(i->code) != BPF_JMP)
            reg[i->dst_reg] = step_alu(i, reg);
        else if (BPF_OP(i->code) == BPF_EXIT)
            return reg[0] != 0;
        else if ((reg[i->dst_reg] == (uint64_t)(int64_t)i->imm) == (BPF_OP(i->code) == BPF_JEQ))
            at += i->off;
    }
    fail_msg("the program does not end");
    return false;
}

static bool may(const struct cgroup_devices *d, char type, uint32_t major, uint32_t minor,
                unsigned access)
{
    static struct bpf_insn code[CGROUP_V2_INSNS_MAX];
    int n = cgroup_v2_program(d, code, CGROUP_V2_INSNS_MAX);
    uint32_t bits = ((access & CGROUP_DEVICE_READ) != 0 ? BPF_DEVCG_ACC_READ : 0U) |
                    ((access & CGROUP_DEVICE_WRITE) != 0 ? BPF_DEVCG_ACC_WRITE : 0U) |
                    ((access & CGROUP_DEVICE_MKNOD) != 0 ? BPF_DEVCG_ACC_MKNOD : 0U);
    uint32_t ctx[3] = {bits << 16 | (type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR), major,
                       minor};

    assert_true(n > 0);
    return decide(code, n, ctx);
}

static void what_is_not_allowed_is_denied(void **state)
{
    struct cgroup_devices d;
    struct cgroup_device null = {'c', 1, 3, CGROUP_DEVICE_ALL},
                         pts = {'c', 136, -1, CGROUP_DEVICE_READ | CGROUP_DEVICE_WRITE};

    (void)state;
    cgroup_devices_init(&d);
    assert_true(cgroup_devices_rule(&d, true, &null));
    assert_true(cgroup_devices_rule(&d, true, &pts));
    assert_true(may(&d, 'c', 1, 3, CGROUP_DEVICE_ALL));
    assert_false(may(&d, 'b', 1, 3, CGROUP_DEVICE_READ));
    assert_false(may(&d, 'c', 1, 4, CGROUP_DEVICE_READ));
    assert_true(may(&d, 'c', 136, 77, CGROUP_DEVICE_WRITE));
    assert_false(may(&d, 'c', 136, 77, CGROUP_DEVICE_WRITE | CGROUP_DEVICE_MKNOD));
}

static void an_exception_of_allow_denies_any_part(void **state)
{
    struct cgroup_devices d;
    struct cgroup_device all = {'a', -1, -1, CGROUP_DEVICE_ALL},
                         disk = {'b', 8, -1, CGROUP_DEVICE_WRITE};

    (void)state;
    cgroup_devices_init(&d);
    assert_true(cgroup_devices_rule(&d, true, &all));
    assert_true(cgroup_devices_rule(&d, false, &disk));
    assert_true(may(&d, 'b', 8, 1, CGROUP_DEVICE_READ));
    assert_false(may(&d, 'b', 8, 1, CGROUP_DEVICE_READ | CGROUP_DEVICE_WRITE));
    assert_true(may(&d, 'c', 8, 1, CGROUP_DEVICE_WRITE));
}

static void too_many_rules_are_refused(void **state)
{
    struct bpf_insn code[8];
    struct cgroup_devices d;

    (void)state;
    cgroup_devices_init(&d);
    assert_int_equal(cgroup_v2_program(&d, code, 8), 8);
    assert_int_equal(cgroup_v2_program(&d, code, 7), -1);
}

static void so_much_room_is_enough(void **state)
{
    struct bpf_insn code[CGROUP_V2_INSNS(2)];
    const struct cgroup_device rules[] = {{'c', 1, 3, CGROUP_DEVICE_READ},
                                          {'b', 8, 0, CGROUP_DEVICE_WRITE}};
    struct cgroup_devices d;

    (void)state;
    cgroup_devices_init(&d);
    assert_int_equal(cgroup_v2_program(&d, code, CGROUP_V2_INSNS(0)), CGROUP_V2_INSNS(0));
    for (size_t i = 0; i < ARRAY_N(rules); i++)
        assert_true(cgroup_devices_rule(&d, true, &rules[i]));
    assert_int_equal(cgroup_v2_program(&d, code, CGROUP_V2_INSNS(2)), CGROUP_V2_INSNS(2));
}

static void the_v2_line_is_found_among_others(void **state)
{
    (void)state;
    assert_str(cgroup_v2_line(STR("9:memory:/a\n0::/b/c\n")), "/b/c");
    assert_str(cgroup_v2_line(STR("0::/\n")), "/");
    assert_int_equal(cgroup_v2_line(STR("9:memory:/0::/a\n")).n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_v2_line_is_found_among_others),
        cmocka_unit_test(what_is_not_allowed_is_denied),
        cmocka_unit_test(an_exception_of_allow_denies_any_part),
        cmocka_unit_test(too_many_rules_are_refused),
        cmocka_unit_test(so_much_room_is_enough),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
