/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/slim.h"

#include <elf.h>
#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden"))); /* the linker's */

static void give_back(uintptr_t at, size_t n)
{
    uintptr_t page = (uintptr_t)getpagesize();
    uintptr_t from = at & ~(page - 1);
    void *start = (void *)from; // NOLINT(performance-no-int-to-ptr): an address of the program

    (void)madvise(start, (at + n) - from, MADV_DONTNEED); /* what cannot be given back is kept */
}

void slim_now(void)
{
    uintptr_t base = (uintptr_t)&__ehdr_start;
    const char *file = (const char *)&__ehdr_start;

    /* Behind the header is the rest of the file, which the compiler cannot know. */
    __asm__("" : "+r"(file));

    const ElfW(Phdr) *ph = (const void *)(file + __ehdr_start.e_phoff);
    uintptr_t zero = __ehdr_start.e_type == ET_DYN ? base : 0;

    (void)malloc_trim(0);
    for (size_t i = 0; i < __ehdr_start.e_phnum; i++)
        if (ph[i].p_type == PT_LOAD && (ph[i].p_flags & PF_W) == 0)
            give_back(zero + ph[i].p_vaddr, ph[i].p_memsz);
}
