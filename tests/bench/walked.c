/* SPDX-License-Identifier: Apache-2.0 */
/*
 * walked - which functions of a program are executed by a command, and by the processes it makes
 *
 *     walked ENTRY PROGRAM ARGUMENT... <ADDRESSES
 *
 * ADDRESSES are those of the program's functions in its file, in hexadecimal, one a line; ENTRY is
 * its entry point. Each function gets a breakpoint that is taken away when it is met. Standard
 * output gets "p ADDRESS" for those that the command itself executed, and "c ADDRESS" for its
 * children, until they execute another program. order.py says what that is for.
 */
#include <elf.h>
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/str.h"

#define TEXT_MAX    (8U << 20)
#define PROCESS_MAX 64
#define BREAKPOINT  0xcc
#define OPTIONS                                                                            \
    (PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC | \
     PTRACE_O_EXITKILL)

static struct process {
    pid_t pid;
    bool is_child, is_new, has_ended;
    bool is_other; /* it executes another program by now */
} processes[PROCESS_MAX];

static size_t processes_n, first, text_n; /* first, text_n: of the functions */
static bool is_function[TEXT_MAX], walked[2][TEXT_MAX];
static unsigned char text[TEXT_MAX], armed[TEXT_MAX];
static uint64_t base, entry;

static struct process *find(pid_t pid)
{
    for (size_t i = 0; i < processes_n; i++)
        if (processes[i].pid == pid)
            return &processes[i];
    if (processes_n == PROCESS_MAX)
        errx(1, "too many processes");
    processes[processes_n] =
        (struct process){.pid = pid, .is_child = processes_n > 0, .is_new = true};
    return &processes[processes_n++];
}

static int open_of(pid_t pid, const char *name, int flags)
{
    char path[64];
    int fd = -1;

    (void)snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    fd = open(path, flags | O_CLOEXEC);
    if (fd < 0)
        err(1, "%s", path);
    return fd;
}

/* Where the program was loaded, from the entry point that the kernel tells it. */
static uint64_t find_base(pid_t pid)
{
    Elf64_auxv_t aux[64] = {0};
    int fd = open_of(pid, "auxv", O_RDONLY);

    if (read(fd, aux, sizeof aux - sizeof aux[0]) < 0)
        err(1, "auxv");
    (void)close(fd);
    for (size_t i = 0; aux[i].a_type != AT_NULL; i++)
        if (aux[i].a_type == AT_ENTRY)
            return aux[i].a_un.a_val - entry;
    errx(1, "no entry point");
}

/* The text as it was before any breakpoint, and as it is with all. */
static void read_text(pid_t pid)
{
    int fd = open_of(pid, "mem", O_RDONLY);

    while (first < text_n && !is_function[first])
        first++;
    if (pread(fd, text + first, text_n - first, (off_t)(base + first)) != (ssize_t)(text_n - first))
        err(1, "read the text");
    (void)close(fd);
    for (size_t i = first; i < text_n; i++)
        armed[i] = is_function[i] ? BREAKPOINT : text[i];
}

static void arm(pid_t pid)
{
    int fd = open_of(pid, "mem", O_WRONLY);

    if (pwrite(fd, armed + first, text_n - first, (off_t)(base + first)) !=
        (ssize_t)(text_n - first))
        err(1, "write the text");
    (void)close(fd);
}

/* true: it was a breakpoint of ours. */
static bool meet(const struct process *p)
{
    struct user_regs_struct regs;
    uint64_t at = 0;
    int fd = -1;

    if (ptrace(PTRACE_GETREGS, p->pid, NULL, &regs) < 0)
        return false;
    at = regs.rip - 1 - base;
    if (at >= text_n || !is_function[at])
        return false;
    walked[p->is_child][at] = true;
    fd = open_of(p->pid, "mem", O_WRONLY);
    if (pwrite(fd, text + at, 1, (off_t)(base + at)) != 1)
        err(1, "write the text");
    (void)close(fd);
    regs.rip--;
    (void)ptrace(PTRACE_SETREGS, p->pid, NULL, &regs);
    return true;
}

static void go_on(struct process *p, int status)
{
    int signo = WSTOPSIG(status), event = status >> 16;
    bool pass = event == 0 && signo != SIGSTOP;

    if (event == PTRACE_EVENT_EXEC && p->is_child)
        p->is_other = true;
    else if (event == PTRACE_EVENT_EXEC) {
        base = find_base(p->pid);
        read_text(p->pid);
        arm(p->pid);
    } else if (p->is_child && p->is_new && !p->is_other)
        arm(p->pid); /* what the command has met is new to its child */
    p->is_new = false;
    if (pass && signo == SIGTRAP && meet(p))
        pass = false;
    (void)ptrace(PTRACE_CONT, p->pid, NULL,
                 (void *)(uintptr_t)(pass ? signo : 0)); /* NOLINT(performance-no-int-to-ptr) */
}

/* What the command left running goes on as if nothing had been. */
static void let_go(const struct process *p)
{
    int status = 0, fd = -1;

    (void)kill(p->pid, SIGSTOP);
    while (waitpid(p->pid, &status, __WALL) == p->pid && WIFSTOPPED(status) &&
           WSTOPSIG(status) != SIGSTOP)
        go_on(find(p->pid), status);
    if (!WIFSTOPPED(status))
        return;
    if (!p->is_other) {
        fd = open_of(p->pid, "mem", O_WRONLY);
        if (pwrite(fd, text + first, text_n - first, (off_t)(base + first)) < 0)
            err(1, "write the text");
        (void)close(fd);
    }
    (void)ptrace(PTRACE_DETACH, p->pid, NULL, NULL);
}

static void start(char **argv)
{
    int status = 0;
    pid_t pid = fork();

    if (pid < 0)
        err(1, "fork");
    if (pid == 0) {
        (void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        (void)raise(SIGSTOP);
        (void)execv(argv[0], argv);
        err(1, "%s", argv[0]);
    }
    if (waitpid(pid, &status, 0) < 0 || ptrace(PTRACE_SETOPTIONS, pid, NULL, OPTIONS) < 0)
        err(1, "trace");
    (void)find(pid);
    (void)ptrace(PTRACE_CONT, pid, NULL, NULL);
}

static uint64_t hex_of(const char *digits)
{
    uint64_t v = 0;

    for (; ascii_hex(*digits) >= 0; digits++)
        v = v << 4 | (uint64_t)ascii_hex(*digits);
    return v;
}

static void read_functions(void)
{
    char line[64];

    while (fgets(line, sizeof line, stdin) != NULL) {
        uint64_t at = hex_of(line);

        if (at >= TEXT_MAX)
            errx(1, "a function at %s", line);
        is_function[at] = true;
        if (at >= text_n)
            text_n = at + 1;
    }
}

int main(int argc, char **argv)
{
    int status = 0;

    if (argc < 3)
        errx(2, "usage: walked ENTRY PROGRAM ARGUMENT... <ADDRESSES");
    entry = hex_of(argv[1]);
    read_functions();
    start(argv + 2);
    while (!processes[0].has_ended) {
        pid_t pid = waitpid(-1, &status, __WALL);
        struct process *p = pid > 0 ? find(pid) : NULL;

        if (p == NULL)
            err(1, "wait");
        if (WIFSTOPPED(status))
            go_on(p, status);
        else
            p->has_ended = true;
        if (p->has_ended && p == &processes[0] && status != 0)
            errx(1, "%s failed: status %#x", argv[2], (unsigned)status);
    }
    for (size_t i = 1; i < processes_n; i++)
        if (!processes[i].has_ended)
            let_go(&processes[i]);
    for (int who = 0; who < 2; who++)
        for (size_t i = 0; i < text_n; i++)
            if (walked[who][i])
                (void)printf("%c %zx\n", "pc"[who], i);
    return 0;
}
