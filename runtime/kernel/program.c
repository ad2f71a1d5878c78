/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/kernel/program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "runtime/base/attr.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"
#include "runtime/base/str.h"

#define HEAD_MAX  256 /* what the kernel itself looks at */
#define NAME_MAX_ 200
#define WHY_MAX   (NAME_MAX_ + 128)

struct look {
    int fd;
    const char *path;
    char head[HEAD_MAX];
    size_t n;
    char why[WHY_MAX]; /* "" : nothing more is known */
};

#if defined(__x86_64__)
#define OWN_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define OWN_MACHINE EM_AARCH64
#else
#define OWN_MACHINE EM_NONE
#endif

static const struct {
    unsigned id;
    const char *name;
} machines[] = {
    {EM_386, "i386"},      {EM_X86_64, "x86-64"},       {EM_ARM, "arm"},     {EM_AARCH64, "arm64"},
    {EM_RISCV, "riscv"},   {EM_S390, "s390"},           {EM_PPC64, "ppc64"}, {EM_MIPS, "mips"},
    {EM_SPARCV9, "sparc"}, {EM_LOONGARCH, "loongarch"},
};

static bool is_elf(const struct look *l)
{
    return l->n >= sizeof(Elf64_Ehdr) && memcmp(l->head, ELFMAG, SELFMAG) == 0;
}

static bool is_script(const struct look *l)
{
    return l->n >= 2 && l->head[0] == '#' && l->head[1] == '!';
}

/* "#! /bin/sh -e": the first word. */
static struct str interpreter(const struct look *l)
{
    struct str line = {l->head + 2, l->n - 2}, ignored;
    ptrdiff_t end = 0;

    if (str_cut(line, '\n', &line, &ignored))
        line = str_trim(line);
    line = str_trim(line);
    end = str_find_any(line, " \t");
    return str_head(end < 0 ? line : str_head(line, (size_t)end), NAME_MAX_);
}

/* The PT_INTERP of a program for a machine of 64 bits. */
static bool read_loader(const struct look *l, char out[NAME_MAX_])
{
    Elf64_Ehdr e;
    Elf64_Phdr p;

    memcpy(&e, l->head, sizeof e);
    if (e.e_ident[EI_CLASS] != ELFCLASS64 || e.e_phentsize != sizeof p)
        return false;
    for (unsigned i = 0; i < e.e_phnum && i < 64; i++) {
        ssize_t n = pread(l->fd, &p, sizeof p, (off_t)(e.e_phoff + i * sizeof p));

        if (n != (ssize_t)sizeof p)
            return false;
        if (p.p_type != PT_INTERP)
            continue;
        n = pread(l->fd, out, NAME_MAX_ - 1, (off_t)p.p_offset);
        if (n <= 0)
            return false;
        out[p.p_filesz < (size_t)n ? p.p_filesz : (size_t)n] = '\0';
        return true;
    }
    return false;
}

/* It is there, so what it needs is not. */
static void why_missing(struct look *l)
{
    char loader[NAME_MAX_];

    if (is_script(l))
        (void)snprintf(l->why, sizeof l->why, "its interpreter '%.*s' is missing",
                       STR_ARG(interpreter(l)));
    else if (is_elf(l) && read_loader(l, loader))
        (void)snprintf(l->why, sizeof l->why, "its loader '%s' is missing", loader);
}

static void why_no_format(struct look *l)
{
    Elf64_Half machine = EM_NONE;
    const char *name = "another machine";

    if (l->n == 0) {
        (void)snprintf(l->why, sizeof l->why, "it is empty");
        return;
    }
    if (!is_elf(l)) {
        (void)snprintf(l->why, sizeof l->why,
                       "it is neither an ELF program nor a script that begins with '#!'");
        return;
    }
    memcpy(&machine, l->head + offsetof(Elf64_Ehdr, e_machine), sizeof machine);
    for (size_t i = 0; i < ARRAY_N(machines); i++)
        if (machines[i].id == machine)
            name = machines[i].name;
    if (machine != OWN_MACHINE)
        (void)snprintf(l->why, sizeof l->why, "it is a program for %s", name);
    else
        (void)snprintf(l->why, sizeof l->why, "it is no whole ELF program");
}

static void why_denied(struct look *l, const struct stat *st)
{
    struct statvfs fs;

    if (S_ISDIR(st->st_mode))
        (void)snprintf(l->why, sizeof l->why, "it is a directory");
    else if (!S_ISREG(st->st_mode))
        (void)snprintf(l->why, sizeof l->why, "it is no regular file");
    else if (faccessat(AT_FDCWD, l->path, X_OK, AT_EACCESS) < 0 && (st->st_mode & 0111) == 0)
        (void)snprintf(l->why, sizeof l->why, "its mode %04o has no right to execute",
                       st->st_mode & 07777U);
    else if (statvfs(l->path, &fs) == 0 && (fs.f_flag & ST_NOEXEC) != 0)
        (void)snprintf(l->why, sizeof l->why, "its file system is mounted noexec");
    else if (is_script(l))
        (void)snprintf(l->why, sizeof l->why, "its interpreter '%.*s' may not be executed",
                       STR_ARG(interpreter(l)));
}

static void look_at(struct look *l, int code)
{
    struct stat st;
    ssize_t n = 0;

    if (stat(l->path, &st) < 0)
        return;
    if (S_ISREG(st.st_mode)) {
        l->fd = open(l->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        n = l->fd < 0 ? -1 : read(l->fd, l->head, sizeof l->head);
        l->n = n < 0 ? 0 : (size_t)n;
    }
    if (code == ENOENT)
        why_missing(l);
    else if (code == ENOEXEC && l->fd >= 0)
        why_no_format(l);
    else if (code == EACCES)
        why_denied(l, &st);
    else if (code == ETXTBSY)
        (void)snprintf(l->why, sizeof l->why, "somebody has it open for writing");
    own_close_fd(&l->fd);
}

int program_failed(const char *path, int code, struct err *err)
{
    struct look l = {.fd = -1, .path = path, .n = 0, .why = ""};
    const char *words = code == ENOENT   ? "no such file or directory"
                        : code == E2BIG  ? "argument list too long"
                        : code == EACCES ? "permission denied"
                                         : strerrordesc_np(code);

    look_at(&l, code);
    (void)err_set(err, 0, "'%s': %s%s%s", path, words != NULL ? words : "an unknown error",
                  l.why[0] != '\0' ? ": " : "", l.why);
    err->code = code;
    return -1;
}
