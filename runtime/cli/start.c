/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The C library's start without its look at the processor
 *
 * A static program of glibc asks the processor some seventy questions before main (features, sizes
 * of caches) to choose among its string functions. On bare metal that is nothing; in a virtual
 * machine every cpuid instruction leaves the guest, and all of them take a quarter of a millisecond
 * or more: longer than anything else a runtime does before its clone. Nothing here copies enough
 * bytes to win that back, so this start leaves the questions out: the features stay empty, and each
 * string function is the one that every x86-64 processor can run.
 *
 * __libc_start_main is what crt1.o calls; the one here takes the place of the archive's
 * libc-start.o and does the same in the same order, by the archive's own functions. These have no
 * public contract, so this is for the one version of the library that it was written against; with
 * any other this file is empty, and so the library's own start is linked. It is linked into a
 * static mailbox-run alone. The sizes below are those the library falls back on when it finds no
 * cache.
 *
 * Until _dl_relocate_static_pie has run no pointer in data is right, and until __libc_setup_tls
 * there is no thread pointer: only direct calls, and no stack protector.
 *
 * Tests: tests/oci/test_start.py, and whatever runs the program.
 */
#include <features.h>

#if defined(__x86_64__) && __GLIBC__ == 2 && __GLIBC_MINOR__ == 36

#include <elf.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#pragma GCC visibility push(hidden)

typedef int program(int argc, char **argv, char **envp);
typedef void constructor(int argc, char **argv, char **envp);
typedef void destructor(void);

#define no_stack_protector __attribute__((no_stack_protector))

/* --- what memmove and its kin ask for -------------------------------------------------------- */

#define DATA_CACHE   (32L << 10)
#define SHARED_CACHE (1L << 20)

extern long __x86_data_cache_size, __x86_data_cache_size_half;
extern long __x86_shared_cache_size, __x86_shared_cache_size_half;
extern long __x86_shared_non_temporal_threshold, __x86_rep_movsb_stop_threshold;
extern long __x86_rep_movsb_threshold, __x86_rep_stosb_threshold;
extern int __x86_string_control;

long __x86_data_cache_size = DATA_CACHE;
long __x86_data_cache_size_half = DATA_CACHE / 2;
long __x86_shared_cache_size = SHARED_CACHE;
long __x86_shared_cache_size_half = SHARED_CACHE / 2;
long __x86_shared_non_temporal_threshold = SHARED_CACHE * 3 / 4;
long __x86_rep_movsb_stop_threshold = SHARED_CACHE * 3 / 4;
long __x86_rep_movsb_threshold = 2048;
long __x86_rep_stosb_threshold = 2048;
int __x86_string_control = 0;

/* --- of the library and the linker ----------------------------------------------------------- */

extern char **__environ;
extern const void *__libc_stack_end;
extern const uintptr_t *_dl_random; /* sixteen bytes of the kernel's */
extern int __libc_enable_secure;

extern constructor *const __preinit_array_start[], *const __preinit_array_end[];
extern constructor *const __init_array_start[], *const __init_array_end[];
extern destructor *const __fini_array_start[], *const __fini_array_end[];

void _dl_aux_init(Elf64_auxv_t *auxv);
void __tunables_init(char **envp);
void _dl_relocate_static_pie(void);
void __libc_setup_tls(void);
void __libc_early_init(_Bool initial);
void __libc_init_first(int argc, char **argv, char **envp);
void __libc_check_standard_fds(void);
void *_dl_debug_initialize(Elf64_Addr base, long ns);
void _init(void);
void _fini(void);
int __cxa_atexit(void (*fn)(void *arg), void *arg, void *dso);

_Noreturn void __libc_start_main(program *main_fn, int argc, char **argv, program *init,
                                 destructor *fini, destructor *rtld_fini, const void *stack_end);

/* --- the start -------------------------------------------------------------------------------- */

static void destruct(void *unused)
{
    (void)unused;
    for (size_t i = (size_t)(__fini_array_end - __fini_array_start); i > 0; i--)
        __fini_array_start[i - 1]();
    _fini();
}

static void construct(constructor *const *from, constructor *const *to, int argc, char **argv)
{
    for (; from < to; from++)
        (*from)(argc, argv, __environ);
}

/* The canary's lowest byte is 0, so that no string runs over it. The second word hides the function
 * pointers that the library keeps. */
static no_stack_protector void set_guards(void)
{
    __asm__ volatile("mov %0, %%fs:0x28\n\t"
                     "mov %1, %%fs:0x30"
                     :
                     : "r"(_dl_random[0] & ~(uintptr_t)0xff), "r"(_dl_random[1]));
}

/* Three of the parameters are history: init and fini are empty since glibc 2.34, and rtld_fini is a
 * dynamic linker's. That there are seven is crt1.o's choice. */
/* NOLINTNEXTLINE(readability-function-size) */
no_stack_protector void __libc_start_main(program *main_fn, int argc, char **argv, program *init,
                                          destructor *fini, destructor *rtld_fini,
                                          const void *stack_end)
{
    char **p = argv + argc + 1;

    (void)init;
    (void)fini;
    (void)rtld_fini;
    __environ = p;
    __libc_stack_end = stack_end;
    while (*p != NULL)
        p++;
    _dl_aux_init((Elf64_auxv_t *)(void *)(p + 1));
    __tunables_init(__environ);
    _dl_relocate_static_pie();
    __libc_setup_tls();
    set_guards();
    __libc_early_init(1);
    __libc_init_first(argc, argv, __environ);
    if (__cxa_atexit(destruct, NULL, NULL) != 0)
        abort();
    if (__libc_enable_secure != 0)
        __libc_check_standard_fds();
    construct(__preinit_array_start, __preinit_array_end, argc, argv);
    _init();
    construct(__init_array_start, __init_array_end, argc, argv);
    (void)_dl_debug_initialize(0, 0);
    exit(main_fn(argc, argv, __environ)); /* NOLINT(concurrency-mt-unsafe) */
}

#pragma GCC visibility pop

#endif
