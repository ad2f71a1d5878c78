/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/bpf.h"

#include <string.h>

#include "tests/lib/test.h"

static uint32_t word(const struct seccomp_data *data, uint32_t at)
{
    uint32_t v;

    assert_true(at <= sizeof(*data) - sizeof(v) && at % sizeof(v) == 0);
    memcpy(&v, (const char *)data + at, sizeof(v));
    return v;
}

static bool compare(uint16_t op, uint32_t a, uint32_t k)
{
    switch (op) {
    case BPF_JEQ:
        return a == k;
    case BPF_JGT:
        return a > k;
    case BPF_JGE:
        return a >= k;
    case BPF_JSET:
        return (a & k) != 0;
    default:
        fail_msg("a jump this interpreter does not know: 0x%x", op);
    }
    return false;
}

uint32_t bpf_run(const struct sock_filter *code, size_t n, const struct seccomp_data *data)
{
    uint32_t a = 0;

    for (size_t i = 0; i < n; i++) {
        const struct sock_filter *c = &code[i];

        if (c->code == (BPF_LD | BPF_W | BPF_ABS))
            a = word(data, c->k);
        else if (c->code == (BPF_ALU | BPF_AND | BPF_K))
            a &= c->k;
        else if (c->code == (BPF_RET | BPF_K))
            return c->k;
        else if (c->code == (BPF_JMP | BPF_JA))
            i += c->k;
        else if (BPF_CLASS(c->code) == BPF_JMP && BPF_SRC(c->code) == BPF_K)
            i += compare(BPF_OP(c->code), a, c->k) ? c->jt : c->jf;
        else
            fail_msg("an instruction this interpreter does not know: 0x%x", c->code);
    }
    fail_msg("the program has no end");
    return 0;
}
