/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inject PID - makes system calls in another process, as its confinement lets it make them
 *
 * For tests that ask what a running daemon may do. One call a line on standard input: the number,
 * then up to six arguments, each a decimal number or x and the hexadecimal bytes of an argument in
 * memory. One line of output each: what the call returned, an error as its negative number. The
 * process is stopped meanwhile and goes on as if nothing had been.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "runtime/base/err.h"
#include "runtime/base/num.h"
#include "runtime/base/str.h"

#define ARGS_MAX  7
#define BYTES_MAX 512
#define SYSCALL   0x050f /* the instruction, little-endian */
#define RED_ZONE  256

static bool stopped(pid_t pid)
{
    int status;

    return waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status);
}

static bool put_bytes(pid_t pid, uint64_t at, const uint8_t *bytes, size_t n)
{
    /* NOLINTBEGIN(performance-no-int-to-ptr): addresses in another process, and one that is only
     * read */
    struct iovec here = {(void *)(uintptr_t)bytes, n};
    struct iovec there = {(void *)(uintptr_t)at, n};
    /* NOLINTEND(performance-no-int-to-ptr) */

    return process_vm_writev(pid, &here, 1, &there, 1, 0) == (ssize_t)n;
}

static size_t from_hex(struct str s, uint8_t *out)
{
    size_t n = 0;

    for (; s.n >= 2 && n < BYTES_MAX; s = str_skip(s, 2)) {
        struct err err = {0};
        uint64_t v;

        if (num_parse_hex(str_head(s, 2), 255, &v, &err) < 0)
            break;
        out[n++] = (uint8_t)v;
    }
    return n;
}

static bool parse_args(pid_t pid, struct str line, uint64_t stack, uint64_t args[ARGS_MAX])
{
    size_t i = 0;
    struct str word;

    while (line.n > 0 && i < ARGS_MAX) {
        struct err err = {0};

        if (!str_cut(line, ' ', &word, &line)) {
            word = line;
            line = STR_NONE;
        }
        if (str_starts(word, STR("x"))) {
            uint8_t bytes[BYTES_MAX + 1] = {0};
            size_t n = from_hex(str_skip(word, 1), bytes);

            stack -= BYTES_MAX + 16;
            args[i++] = stack;
            if (!put_bytes(pid, stack, bytes, n + 1))
                return false;
        } else if (num_parse_u64(word, 0, UINT64_MAX, &args[i++], &err) < 0) {
            return false;
        }
    }
    return i > 0;
}

static bool call(pid_t pid, const struct user_regs_struct *was, struct str line)
{
    struct user_regs_struct regs = *was;
    uint64_t args[ARGS_MAX] = {0};

    if (!parse_args(pid, line, (was->rsp - RED_ZONE) & ~15ULL, args))
        return false;
    regs.rax = args[0];
    regs.orig_rax = (uint64_t)-1; /* no call that could be begun again */
    regs.rdi = args[1];
    regs.rsi = args[2];
    regs.rdx = args[3];
    regs.r10 = args[4];
    regs.r8 = args[5];
    regs.r9 = args[6];
    if (ptrace(PTRACE_SETREGS, pid, 0, &regs) < 0 || ptrace(PTRACE_SINGLESTEP, pid, 0, 0) < 0 ||
        !stopped(pid) || ptrace(PTRACE_GETREGS, pid, 0, &regs) < 0)
        return false;
    printf("%lld\n", (long long)regs.rax);
    (void)fflush(stdout);
    return true;
}

int main(int argc, char **argv)
{
    struct user_regs_struct was;
    struct err err = {0};
    char line[4096];
    bool fine = true;
    uint32_t pid;
    long text;

    if (argc != 2 || num_parse_u32(str_of(argv[1]), 1, INT32_MAX, &pid, &err) < 0)
        return 2;
    if (ptrace(PTRACE_SEIZE, pid, 0, 0) < 0 || ptrace(PTRACE_INTERRUPT, pid, 0, 0) < 0 ||
        !stopped((pid_t)pid) || ptrace(PTRACE_GETREGS, pid, 0, &was) < 0) {
        perror("inject");
        return 1;
    }
    errno = 0;
    text = ptrace(PTRACE_PEEKTEXT, pid, was.rip, 0);
    if (errno || ptrace(PTRACE_POKETEXT, pid, was.rip, (text & ~0xffffL) | SYSCALL) < 0)
        fine = false;
    while (fine && fgets(line, sizeof(line), stdin))
        fine = call((pid_t)pid, &was, str_trim(str_of(line)));
    if (ptrace(PTRACE_POKETEXT, pid, was.rip, text) < 0 ||
        ptrace(PTRACE_SETREGS, pid, 0, &was) < 0 || ptrace(PTRACE_DETACH, pid, 0, 0) < 0)
        fine = false;
    if (!fine)
        perror("inject");
    return fine ? 0 : 1;
}
