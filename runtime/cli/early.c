/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program's entry, before the C library's: a verb that makes a process must run from a
 * protected mount of its file (runtime/kernel/self.h), to which end the program executes itself
 * again. The C library's start costs more than the rest of that (on virtual machines each of its
 * seventy cpuid instructions leaves the guest), so it is done before, and paid for once.
 *
 * This is an optimisation and nothing depends on it: whatever is not as expected here is left to
 * self_protect, which looks again and reports errors. Here no library, no relocation and no thread
 * pointer exists yet: only system calls, local variables and text.
 */
#if defined(__x86_64__)

#include <elf.h>
#include <fcntl.h>
#include <linux/mman.h>
#include <linux/mount.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

#define PAGE       4096L
#define FD_LIMIT   (1L << 30)
#define ST_RDONLY_ 1 /* of statfs.f_flags; sys/statvfs.h is the library's */
#define BARE       __attribute__((no_stack_protector, noinline))

void early_protect(const long *stack);

/* %rsp at the entry is argc, argv, NULL, environment; %rdx is _start's. */
__asm__(".pushsection .text.early, \"ax\", @progbits\n"
        ".globl early_start\n"
        ".hidden early_start\n"
        ".type early_start, @function\n"
        "early_start:\n"
        "    endbr64\n"
        "    xor %ebp, %ebp\n"
        "    mov %rsp, %rbx\n"
        "    mov %rdx, %r12\n"
        "    mov %rsp, %rdi\n"
        "    and $-16, %rsp\n"
        "    call early_protect\n"
        "    mov %rbx, %rsp\n"
        "    mov %r12, %rdx\n"
        "    jmp _start\n"
        ".size early_start, . - early_start\n"
        ".popsection\n");

static BARE long call5(long nr, long a, const void *b, long c, const void *d, long e)
{
    register long r10 __asm__("r10") = (long)d;
    register long r8 __asm__("r8") = e;
    long r = nr;

    __asm__ volatile("syscall"
                     : "+a"(r)
                     : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return r;
}

static BARE bool is_word(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

/* The kernel tells a program that was executed by its descriptor so. The descriptor is open still
 * (see early_protect), and nobody else's business. */
static BARE void close_at_exec(char *const *envp)
{
    static const char front[] = "/dev/fd/";
    const Elf64_auxv_t *aux = NULL;
    const char *name = NULL;
    long fd = 0;

    while (*envp != NULL)
        envp++;
    for (aux = (const void *)(envp + 1); aux->a_type != AT_NULL; aux++)
        if (aux->a_type == AT_EXECFN)
            name = (const char *)aux->a_un.a_val; /* NOLINT(performance-no-int-to-ptr) */
    for (const char *f = front; name != NULL && *f != '\0'; f++, name++)
        if (*f != *name)
            return;
    for (; name != NULL && *name >= '0' && *name <= '9' && fd < FD_LIMIT; name++)
        fd = fd * 10 + (*name - '0');
    if (name != NULL && *name == '\0')
        (void)call5(SYS_fcntl, fd, (const void *)F_SETFD, FD_CLOEXEC, NULL, 0);
}

/* A word too many costs a moment: `state run` is protected, too. */
static BARE bool makes_process(char *const *argv, long n)
{
    for (long i = 1; i < n; i++)
        if (is_word(argv[i], "run") || is_word(argv[i], "create") || is_word(argv[i], "exec"))
            return true;
    return false;
}

static BARE bool is_readonly(void)
{
    static const char exe[] = "/proc/self/exe";
    struct statfs fs = {.f_flags = 0};

    return call5(SYS_statfs, (long)exe, &fs, 0, NULL, 0) < 0 || (fs.f_flags & ST_RDONLY_) != 0;
}

extern const char data[] __asm__("__init_array_start") __attribute__((visibility("hidden")));
extern const char data_end[] __asm__("_end") __attribute__((visibility("hidden")));

/* The relocation that is next writes to nearly all of the data: twenty faults of a page become one
 * call, a fiftieth of what `run` takes. (Of text and heap it was measured, and gained nothing.)
 * Where the kernel cannot, before Linux 5.14, they are mapped as they are met. */
static BARE void map_data(void)
{
    long from = (long)data & ~(PAGE - 1), to = ((long)data_end + PAGE - 1) & ~(PAGE - 1);

    /* NOLINTNEXTLINE(performance-no-int-to-ptr): no pointer, but the second argument */
    (void)call5(SYS_madvise, from, (const void *)(to - from), MADV_POPULATE_WRITE, NULL, 0);
}

BARE void early_protect(const long *stack)
{
    struct mount_attr ro = {.attr_set = MOUNT_ATTR_RDONLY};
    char *const *argv = (char *const *)(stack + 1);
    long n = stack[0], fd = -1;

    if (!makes_process(argv, n) || call5(SYS_geteuid, 0, NULL, 0, NULL, 0) != 0)
        return;
    if (is_readonly()) {
        map_data();
        close_at_exec(argv + n + 1);
        return;
    }
    /* Not closed by the execution: with its last descriptor the mount is taken out of its tree, and
     * that waits for all processors. self_release does it when there is time. */
    fd = call5(SYS_open_tree, AT_FDCWD, "/proc/self/exe", OPEN_TREE_CLONE, NULL, 0);
    if (fd < 0)
        return;
    if (call5(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &ro, sizeof ro) == 0)
        (void)call5(SYS_execveat, fd, "", (long)argv, argv + n + 1, AT_EMPTY_PATH);
    (void)call5(SYS_close, fd, NULL, 0, NULL, 0);
}

#endif
