/* SPDX-License-Identifier: Apache-2.0 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/file.h"
#include "runtime/kernel/program.h"

#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

/* Executes the file in a child that then says why it could not; what it said. */
static void execute(const char *path, struct err *err)
{
    char name[] = "x";
    char *const argv[] = {name, NULL}, *const env[] = {NULL};

    assert_int_equal(execve(path, argv, env), -1);
    assert_int_equal(program_failed(path, errno, err), -1);
}

static Elf64_Ehdr header(unsigned machine)
{
    return (Elf64_Ehdr){.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                        .e_type = ET_EXEC,
                        .e_machine = (Elf64_Half)machine,
                        .e_phentsize = sizeof(Elf64_Phdr)};
}

static void what_is_wrong_is_told(void **state)
{
    const Elf64_Ehdr other = header(EM_ALPHA), arm = header(EM_ARM);

    const struct {
        struct str content;
        mode_t mode;
        const char *text;
    } cases[] = {
        {STR_INIT("#!/no/such/sh -e\n"), 0755,
         ": no such file or directory: its interpreter '/no/such/sh' is missing"},
        {STR_INIT("#! /no/such"), 0755, "its interpreter '/no/such' is missing"},
        {STR_INIT(""), 0755, ": Exec format error: it is empty"},
        {STR_INIT("echo\n"), 0755, "neither an ELF program nor a script that begins with '#!'"},
        {{(const char *)&other, sizeof other}, 0755, "it is a program for another machine"},
        {{(const char *)&arm, sizeof arm}, 0755, "it is a program for arm"},
        {STR_INIT("#!/bin/sh\n"), 0644,
         ": permission denied: its mode 0644 has no right to execute"},
        {STR_INIT("#!/dev/null\n"), 0755,
         ": permission denied: its interpreter '/dev/null' may not"},
    };
    struct tmpdir *t = tmpdir_new();

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct err err = {0};
        const char *path = tmpdir_path(t, "program");

        assert_ok(file_put(AT_FDCWD, path, cases[i].content, cases[i].mode, &err), &err);
        execute(path, &err);
        assert_err(&err, cases[i].text);
    }
    tmpdir_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_wrong_is_told)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
